local compose = require "tests.support.compose"
local files = require "tests.support.files"
local json = require "holos.core.json"
local tables = require "holos.core.table"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local function read(name)
  return ok(files.read(files.directory .. "/golden/right/" .. name .. ".yaml"))
end

-- The project as lines that people can compare: sorted keys, two spaces a level.
local function render(value, indent, lines)
  for key, item in tables.sorted_pairs(value) do
    local name = type(key) == "number" and "-" or key .. ":"
    if type(item) == "table" and item ~= json.null and next(item) ~= nil then
      lines[#lines + 1] = indent .. name
      render(item, indent .. "  ", lines)
    else
      lines[#lines + 1] = ("%s%s %s"):format(indent, name, json.encode(item))
    end
  end
  return lines
end

local function rendered(project)
  local plain = tables.copy(project)
  plain.marks = nil
  return table.concat(render(setmetatable(plain, nil), "", {}), "\n") .. "\n"
end

for _, name in ipairs { "my_stack", "grace", "volume", "health", "images", "extra_args", "everything", "docker_app",
  "machines" } do
  test("a file that is right: " .. name, function()
    golden("right/" .. name .. ".txt", rendered(compose.load(read(name))))
  end)
end

test("the same text gives the same project", function()
  equal(rendered(compose.load(read "everything")), rendered(compose.load(read "everything")))
end)

test("comments, flow style and key order do not matter", function()
  local one = compose.load "services:\n  web:\n    image: ./a.qcow2\n    replicas: 2 # two\n    vm:\n      vcpu: 1\n"
  local other = compose.load "services: {web: {vm: {vcpu: 1}, replicas: 2, image: './a.qcow2'}}"
  equal(rendered(one), rendered(other))
end)

test("every value knows where it was written, merged ones where their text is", function()
  local marks = compose.load(read "everything").marks
  equal(marks["services.db"], "holos.yaml:8:3")
  equal(marks["services.db.image"], "holos.yaml:3:3")
  equal(marks["services.web.vm.vcpu"], "holos.yaml:4:12")
  equal(marks["services.web.vm.memory_mb"], "holos.yaml:38:7")
  equal(marks["services.web.ports[4]"], "holos.yaml:51:9")
  equal(marks["services.web.depends_on.cache"], "holos.yaml:46:7")
  equal(marks["services.db.labels.owner"], "holos.yaml:14:25")
  equal(marks['volumes["pgdata"]'], "holos.yaml:62:3")
  equal(marks["nothing.like.that"], nil)
end)

test("what is not written has the place of what is around it", function()
  local marks = compose.load(read "grace").marks
  equal(marks["services.db.vm.vcpu"], "holos.yaml:2:3")
end)

test("the name: from the caller, the file, or the directory", function()
  local text = "services: {a: {image: ./a.qcow2}}"
  equal(compose.load(text).name, "shop")
  equal(compose.load(text, { directory = "/srv/My App_2/" }).name, "myapp_2")
  equal(compose.load("name: inside\n" .. text).name, "inside")
  equal(compose.load("name: inside\n" .. text, { name = "given" }).name, "given")
  ok(compose.complaints(text, { name = "../x" }):find('the project name "../x" that was asked for cannot be one', 1,
    true))
  ok(compose.complaints(text, { directory = "/" }):find('the directory "/" gives the project no name', 1, true))
end)

test("the name alone is told whatever is wrong in services; where it cannot be told, everything that is wrong is", function()
  local sys_yaml = require "sys.yaml"
  local function name_of(text)
    return require("holos.compose").name { text = text, file = "/srv/shop/holos.yaml", directory = "/srv/shop",
      parse = sys_yaml.parse, lookup = function(variable) return variable == "N" and "spoken" or nil end }
  end
  equal(name_of("services: {a: {imagee: 5, ports: x}}"), "shop")
  equal(name_of("name: inside\nservices: {a: {imagee: 5}}"), "inside")
  equal(name_of("name: ${N}\nservices: 7"), "spoken")
  local fine, problem = pcall(name_of, "name: In Side\nservices: {a: {imagee: 5}}")
  equal({ fine, problem.findings[1].path, #problem.findings > 1 }, { false, "name", true })
  equal(pcall(name_of, "services: [broken"), false)
end)

test("warnings name their place and stop nothing", function()
  equal(compose.load(read "everything").warnings, {
    "holos.yaml:6:1: version: has no effect: there is one version of the language; remove the line",
    "holos.yaml:15:5: services.db.tty: has no effect: the console is always there: holos console",
  })
  local shared = "services: {a: {image: ./a.qcow2, volumes: ['/:/host']}}"
  equal(compose.load(shared).warnings, {
    "holos.yaml:1:44: services.a.volumes[1]: the guest can change the whole file system of the host; add \":ro\"",
  })
end)

test("without facts about the host the host is not looked at", function()
  local text = "services: {a: {image: ./missing.qcow2, volumes: ['./missing:/srv']}}"
  ok(compose.complaints(text):find("does not exist", 1, true))
  local project = compose.load(text, { stat = false })
  equal(project.services.a.image.path, "/home/anna/shop/missing.qcow2")
end)

test("the format of an image: written, promised by the name, or seen in the file", function()
  local function format(image, more, options)
    return compose.load(("services: {a: {image: %s%s}}"):format(image, more or ""), options).services.a.image.format
  end
  local function sniff() return "raw" end
  equal(format("./a.qcow2"), "qcow2")
  equal(format("./a.raw"), "raw")
  equal(format("./a.img", "", { sniff = sniff }), "raw")
  equal(format("./a.qcow2", "", { sniff = sniff }), "qcow2")
  equal(format("./a.raw", ", image_format: qcow2"), "qcow2")
end)

test("a user's own cloud-config is read", function()
  local text = "services: {a: {image: ./a.qcow2, cloud_init: {user_data: ./mine.yaml}}}"
  equal(compose.load(text).services.a.cloud_init.user_data, "#cloud-config\nusers: []\n")
end)

test("a home directory that is not known is said", function()
  local text = "services: {a: {image: ~/a.qcow2}}"
  ok(compose.complaints(text, { environment = {} }):find('"~/a.qcow2" needs HOME, which is not set', 1, true))
end)

test("control characters from the file do not reach the terminal", function()
  local complaints = compose.complaints 'services: {"a\\e[2J": {image: "\\x9b2J"}}'
  ok(not complaints:find("[\27\155]"), complaints)
end)

test("a hundred dependents in a chain, and a file that is wrong everywhere", function()
  local text = compose.many_services(100)
  local project = compose.load(text)
  equal(#project.order, 100)
  equal(project.order[1], "service1")
  local broken = text:gsub("vcpu: 2", "vcpu: two")
  local _, count = compose.complaints(broken):gsub("expected a whole number from 1 to 288", "")
  equal(count, 100)
end)

-- Keys that the seed's examples use and that come later, and nothing else, are wrong in them.
test("examples of later capabilities are understood, and say so", function()
  local devices = 'services: {ml: {image: ./a.qcow2, vm: {vcpu: 8}, devices: [{pci: "01:00.0"}], ports: ["8888:8888"]}}'
  equal(compose.load(devices).not_yet, { { key = "services.ml.devices", mark = "holos.yaml:1:50",
    hint = "QEMU options can be given in vm.extra_args" } })
  local built = 'services: {api: {image: ./a.qcow2, build: {context: ., secrets: [x]}, ports: ["3000:3000"]}}'
  equal(compose.load(built).services.api.not_yet[1].key, "services.api.build.secrets")
end)
