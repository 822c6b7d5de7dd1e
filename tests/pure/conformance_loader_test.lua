-- compose-go's files for its loader, with what its own tests expect of them. Container images are merged like anything
-- else; where a case ends in an error of ours that speaks of something else first, the row says so.

local compose = require "tests.support.compose"
local conformance = require "tests.support.conformance"
local env_file = require "holos.compose.env_file"
local environment = require "holos.compose.environment"
local files = require "tests.support.files"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local ROOT = "/compose-go/loader/testdata"

-- What is at /compose-go/… here is in the directory of the vectors there. "remote:" is a place of theirs, which stands
-- for the directory above.
local function read(path)
  local text = files.read(conformance.directory .. path)
  if text then return (text:gsub("remote:", "../")) end
  return nil, path .. ": No such file or directory"
end

local function options_for(names, options)
  local list = {}
  for position, name in ipairs(names) do
    list[position] = { file = ROOT .. "/" .. name, text = read(ROOT .. "/" .. name), shown = name }
  end
  local all = { files = list, directory = (ROOT .. "/" .. names[1]):match("^(.*)/"), read = read, stat = false }
  for name, value in pairs(options or {}) do all[name] = value end
  return all
end

local function merged(name, options)
  local tree, findings = compose.merge_with(options_for({ name }, options))
  equal(findings, {})
  return tree
end

local function complaints(name) return compose.complaints("", options_for { name }) end

conformance.text "compose-go/loader/testdata/empty.yaml"

test("dependency cycles", function()
  ok(complaints("compose-depends-on-cycle.yaml"):find("service1 → service2 → service3 → service1", 1, true))
  ok(complaints("compose-depends-on-self.yaml"):find("service1 → service1", 1, true))
end)

test("a cycle among services that their profiles leave out is none", function()
  local options = options_for { "compose-depends-on-profile-no-cycle.yaml" }
  options.files[1].text = options.files[1].text:gsub("image: (%w+)", "image: ./%1.qcow2")
  options.files[2] = { file = ROOT .. "/over.yaml", shown = "over.yaml", text = "services: {other: {image: ./other.qcow2}, "
    .. "service1: {profiles: [round]}, service2: {profiles: [round]}, service3: {profiles: [round]}}" }
  equal(compose.complaints("", options), "")
  options.profiles = { "round" }
  ok(compose.complaints("", options):find("service1 → service2 → service3 → service1", 1, true))
end)

test("an empty file", function()
  equal(complaints("empty.yaml"):match("^[^\n]*"), "empty.yaml:1:1: the file is empty")
end)

test("include cycle", function()
  equal(complaints("compose-include-cycle.yaml"):match("^[^\n]*"), "compose-include-cycle.yaml:2:5: include[1]: "
    .. "include cycle detected: compose-include-cycle.yaml → compose-include-cycle.yaml")
end)

test("extends cycle over two files", function()
  ok(complaints("remote/cycle/compose.yaml"):find("services.foo.extends: extends cycle detected: "
    .. "bar in compose-cycle.yaml → foo in compose.yaml → bar in compose-cycle.yaml", 1, true),
    complaints("remote/cycle/compose.yaml"))
end)

test("extends over remote names", function()
  equal(merged("remote/nested/compose.yaml").services, { foo = { image = "bar" } })
end)

test("ports.yaml and an override that extends the same service: one port", function()
  local over = { file = ROOT .. "/extends/over.yaml", shown = "over.yaml",
    text = "services: {test: {extends: {file: ports.yaml, service: test}}}" }
  local options = options_for { "extends/ports.yaml" }
  options.files[2] = over
  equal(compose.merge_with(options).services.test, { image = "test", ports = { "8080:8080" } })
end)

test("reset.yaml: no command, also for who extends it", function()
  equal(merged("extends/reset.yaml").services.base, { image = "alpine:latest" })
  local tree = compose.merge_with(options_for({ "extends/reset.yaml" }, { files = { { file = ROOT .. "/extends/x.yaml", shown = "x",
    text = "services: {test: {extends: {file: reset.yaml, service: base}}}" } } }))
  equal(tree.services.test, { image = "alpine:latest" })
end)

test("interpolated.yaml is read with the project's variables", function()
  local function volume_with(lookup)
    return compose.merge_with(options_for({ "extends/interpolated.yaml" }, { lookup = lookup, files = {
      { file = ROOT .. "/extends/x.yaml", shown = "x",
        text = "services: {test: {extends: {file: interpolated.yaml, service: foo}}}" } } })).services.test.volumes[1]
  end
  equal(volume_with(function() end), "/dev/null:/tmp/foo:ro")
  equal(volume_with(function(name) return name == "SOURCE" and "./src" or nil end), ROOT .. "/extends/src:/tmp/foo:ro")
end)

test("nested.yaml, sibling.yaml, withdir: paths are seen from the file that says them", function()
  equal(merged("extends/nested.yaml").services["with-build"], { build = ROOT .. "/extends" })
  equal(merged("extends/withdir/compose.yaml").services.test, { image = "hello-world" })
  local base = merged("extends/base.yaml").services
  equal(base.another, { image = "base" })
  equal(base["with-build"], { build = ROOT .. "/extends" })
  equal(merged("compose-test-extends.yaml").services.importer, { image = "nginx", container_name = "imported",
    env_file = { ROOT .. "/subdir/extra.env" }, volumes = { "/opt/data:/var/lib/mysql" } })
end)

test("env files of services and of the command line", function()
  local directory = "/compose-go/cli/testdata/env-file"
  local function service(name)
    local variables = environment.read({ { path = directory .. "/override.env" } }, function() end, read, tostring)
    return compose.load((read(directory .. "/" .. name):gsub("image: nginx", "image: ./nginx.qcow2")), {
      directory = directory, lookup = function(key) return variables.values[key] end,
      env_file = function(entry) return env_file.parse(read(entry.path), function() end) end,
    }).services.simple
  end
  local one, two = service "compose-with-env-file.yaml", service "compose-with-env-files.yaml"
  equal({ one.environment, one.ports[1].host }, { { DEFAULT_PORT = "8080" }, 8000 })
  equal({ two.environment, two.ports[1].host }, { { DEFAULT_PORT = "9090" }, 9000 })
end)

local function named(directory, name)
  return pcall(compose.load, "services: {a: {image: ./a.qcow2}}", { directory = directory, name = name or false })
end

test("the project's name: as asked for, or what the directory's comes to", function()
  for _, name in ipairs { "my_project", "42my_project_num" } do equal(select(2, named("/x", name)).name, name) end
  for directory, name in pairs { ["/cli/testdata/UNNORMALIZED PATH"] = "unnormalizedpath", ["/cli/testdata/simple"] = "simple",
    ["/_-My.Project_1-"] = "myproject_1-" } do
    equal(select(2, named(directory)).name, name)
  end
  for _, name in ipairs { "-my_project", "_my_project", "www.my.project", "MY_PROJECT", "my project" } do
    local fine, problem = named("/x", name)
    equal(fine, false)
    ok(problem.findings[1].message:find(name, 1, true), name)
  end
  equal(named("/"), false)
end)

test("a context that is an address stays one", function()
  equal(merged("compose-test-extends-with-context-url.yaml").services["importer-with-https-url"].build.context,
    "https://github.com/docker/compose.git")
end)

test("include: the directory of the file, or the one that is named", function()
  equal(merged("include/compose.yaml").services, { included = { build = ".", volumes = { "./:/mnt" } } })
  equal(merged("combined/compose.yaml").services, { service = { build = ROOT .. "/combined/dir" } })
  equal(merged("include/project-directory.yaml").services.service.volumes[1].source,
    ROOT .. "/subdir/compose-test-extends-imported.yaml")
  equal(merged("include/project-directory.yaml").services.service.env_file, { ROOT .. "/subdir/extra.env" })
  local tree = merged("compose-include.yaml", { lookup = function(name) return name == "SOURCE" and "given" or nil end })
  equal(tree.services.imported.container_name, "given")
  equal(tree.services.imported.env_file, { ROOT .. "/subdir/extra.env" })
  equal(tree.services.bar, { image = "bar", environment = { "FOO=BAR" } })
end)

local function rows(table_name)
  for _, entry in ipairs(conformance.json "compose-go/vectors/other-tables.json") do
    if entry.test == table_name then return entry.cases end
  end
  error("no table " .. table_name)
end

-- `ipc`, `volumes_from` and `network_mode` are refused or not there yet before anyone looks for the service.
test("what a service needs is not imported with it", function()
  local count = 0
  for _, row in ipairs(rows "TestExtendsWithServiceRef") do
    local said = compose.complaints("", options_for({ "empty.yaml" },
      { files = { { file = ROOT .. "/../x.yaml", shown = "x.yaml", text = row.yaml } }, directory = ROOT:gsub("/testdata$", "") }))
    local wanted = row.name == "depends_on" and 'there is no service "zot"' or "services.bar." .. row.name:gsub("^shared ", "")
    ok(said:find(wanted, 1, true), said)
    count = count + 1
  end
  equal(count, 4)
end)

test("aliases and merges: cycles, bombs, targets", function()
  local count = 0
  for _, name in ipairs { "TestResetCycle", "TestAliasBombPrevented", "TestMergeKeyAliasTargets" } do
    for _, row in ipairs(rows(name)) do
      local _, findings = compose.merge(row.config)
      local wanted = row.expectError or row.errorRequired
      if row.errorRequired ~= false then equal({ row.name, #findings > 0 }, { row.name, wanted or false }) end
      count = count + 1
    end
  end
  equal(count, 12)
end)
