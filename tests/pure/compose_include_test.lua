-- include: files with a directory and variables of their own, below the document that names them.

local compose = require "tests.support.compose"
local gather = require "holos.compose.gather"
local marks = require "holos.compose.marks"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local DIRECTORY = compose.DIRECTORY

local function merged(texts, options)
  local tree, findings, state = compose.merge_files(texts, options)
  equal(findings, {})
  return tree, state
end

local function findings(texts, options)
  return select(2, compose.merge_files(texts, options))
end

test("what is written locally wins, then the file that is included first", function()
  local tree, state = merged { ["holos.yaml"] = [[
include: [a.yaml, {path: b.yaml}]
name: mine
services:
  web: {replicas: 3, cloud_init: {runcmd: [local]}}
]], ["a.yaml"] = "name: a\nx-a: 1\nservices: {web: {image: a, replicas: 1, cloud_init: {runcmd: [a]}}}\nvolumes: {v: }\n",
    ["b.yaml"] = "version: '3'\nservices: {web: {image: b, protect: true, cloud_init: {runcmd: [b]}}, db: {image: b}}" }
  equal(tree, {
    name = "mine", version = "3", volumes = tree.volumes, services = {
      web = { image = "a", replicas = 3, protect = true, cloud_init = { runcmd = { "b", "a", "local" } } }, db = { image = "b" },
    },
  })
  local function at(...) return marks.text(marks.find(state, { ... }), state.files) end
  equal({ at("services", "web", "image"), at("services", "web", "replicas"), at("services", "db") },
    { "a.yaml:3:18", "holos.yaml:4:9", "b.yaml:2:71" })
end)

test("several files that are merged with each other; their directory is that of the first", function()
  local tree = merged { ["holos.yaml"] = "include: [{path: [sub/a.yaml, b.yaml]}]",
    ["sub/a.yaml"] = "services: {web: {image: ./a.qcow2}}",
    ["b.yaml"] = "services: {web: {image: ./b.qcow2, ports: !reset }}" }
  equal(tree, { services = { web = { image = DIRECTORY .. "/sub/b.qcow2" } } })
end)

test("relative paths are seen from the included file, or from its project_directory", function()
  local text = "services: {web: {image: ./a.qcow2, volumes: ['./w:/w', 'v:/v']}}\nconfigs: {c: {file: ./c}}\n"
    .. "secrets: {s: {file: s}}"
  local tree = merged { ["holos.yaml"] = "include: [sub/a.yaml]", ["sub/a.yaml"] = text }
  equal(tree, { services = { web = { image = DIRECTORY .. "/sub/a.qcow2", volumes = { DIRECTORY .. "/sub/w:/w", "v:/v" } } },
    configs = { c = { file = DIRECTORY .. "/sub/c" } }, secrets = { s = { file = DIRECTORY .. "/sub/s" } } })
  tree = merged { ["holos.yaml"] = "include: [{path: sub/a.yaml, project_directory: other}]", ["sub/a.yaml"] = text }
  equal(tree.services.web.image, DIRECTORY .. "/other/a.qcow2")
  tree = merged { ["holos.yaml"] = "include: [./a.yaml]", ["a.yaml"] = text }
  equal(tree.services.web.image, "./a.qcow2")
end)

test("files that are included include others, and extend", function()
  local tree = merged { ["holos.yaml"] = "include: [a/a.yaml]",
    ["a/a.yaml"] = "include: [b/b.yaml]\nservices: {web: {extends: base}}",
    ["a/b/b.yaml"] = "services: {base: {extends: {file: c.yaml, service: c}, image: ./b.qcow2}}",
    ["a/b/c.yaml"] = "services: {c: {env_file: ./c.env}}" }
  equal(tree.services.web, { image = DIRECTORY .. "/a/b/b.qcow2", env_file = DIRECTORY .. "/a/b/c.env" })
end)

test("what comes in twice is there once", function()
  local tree = merged { ["holos.yaml"] = "include: [a.yaml, b.yaml, c.yaml, c.yaml]", ["a.yaml"] = "include: [c.yaml]",
    ["b.yaml"] = "include: [c.yaml]", ["c.yaml"] = "services: {web: {cloud_init: {runcmd: [a]}}}" }
  equal(tree.services.web.cloud_init.runcmd, { "a" })
end)

test("what comes in by two ways is there once, also where one of them adds to it", function()
  local tree = merged { ["holos.yaml"] = "include: [a.yaml, b.yaml]",
    ["a.yaml"] = "include: [c.yaml]\nservices: {web: {vm: {extra_args: [-a]}, cloud_init: {runcmd: [same]}}}",
    ["b.yaml"] = "include: [c.yaml]\nservices: {web: {vm: {extra_args: [-b]}}}",
    ["c.yaml"] = "services: {web: {vm: {extra_args: [-c, -c]}, cloud_init: {runcmd: [same]}}}" }
  equal(tree.services.web, { vm = { extra_args = { "-c", "-c", "-b", "-a" } }, cloud_init = { runcmd = { "same", "same" } } })
end)

test("!reset and !override hold against what is included, and those inside hold there only", function()
  local tree = merged({ ["holos.yaml"] = "services: {web: {protect: true, ports: ['9:9']}}",
    ["over.yaml"] = "include: [a.yaml]\nservices: {web: {ports: !override ['1:1'], command: !reset }}",
    ["a.yaml"] = "services: {web: {ports: ['2:2'], command: x, protect: !reset , labels: {a: 1}}}" },
    { names = { "holos.yaml", "over.yaml" } })
  equal(tree.services.web, { protect = true, ports = { "1:1" }, labels = { a = 1 } })
end)

test("variables: the including file's first, then those of its own directory or files", function()
  local asked = {}
  local options = {
    lookup = function(name) return ({ A = "outer" })[name] end,
    lookup_for = function(directory, env_files, around)
      asked[#asked + 1] = { directory, env_files and table.concat(env_files, " "), around "A" }
      return function(name) return ({ A = "own", B = directory:match("[^/]+$") })[name] end
    end,
  }
  local tree = merged({ ["holos.yaml"] = "include: [sub/a.yaml, {path: b/b.yaml, env_file: [./x.env, /y.env]}]",
    ["sub/a.yaml"] = "services: {web: {image: $A-$B-$C-$COMPOSE_PROJECT_NAME}}", ["b/b.yaml"] = "include: [../c/c.yaml]",
    ["c/c.yaml"] = "services: {db: {image: c}}" }, options)
  equal(tree.services.web.image, "outer-sub--shop")
  equal(asked, { { DIRECTORY .. "/sub", nil, "outer" }, { DIRECTORY .. "/b", DIRECTORY .. "/x.env /y.env", "outer" },
    { DIRECTORY .. "/c", nil, "outer" } })
end)

test("cycles name their chain", function()
  equal(findings { ["holos.yaml"] = "include: [holos.yaml]" },
    { "holos.yaml:1:11: include[1]: include cycle detected: holos.yaml → holos.yaml" })
  equal(findings { ["holos.yaml"] = "include: [sub/a.yaml]", ["sub/a.yaml"] = "include: [b.yaml]",
    ["sub/b.yaml"] = "include:\n  - x.yaml\n  - {path: [c.yaml, a.yaml]}\n", ["sub/x.yaml"] = "", ["sub/c.yaml"] = "" },
    { "sub/b.yaml:3:5: include[2]: include cycle detected: sub/a.yaml → sub/b.yaml → sub/a.yaml" })
end)

test("what cannot be included, all of it at once", function()
  equal(findings({ ["holos.yaml"] = [[
include:
  - nowhere.yaml
  - {path: wrong.yaml, env_file: e.env}
  - {paht: a.yaml}
  - [a.yaml]
  - {path: ~/a.yaml}
  - list.yaml
  - {path: []}
]], ["wrong.yaml"] = "services: [", ["list.yaml"] = "- a" }, {
    environment = {}, lookup_for = function() return nil, "e.env: No such file or directory" end,
  }), {
    "holos.yaml:2:5: include[1].path: /home/anna/shop/nowhere.yaml: No such file or directory",
    "holos.yaml:3:5: include[2].env_file: e.env: No such file or directory",
    'holos.yaml:4:5: include[3]: "path" is missing',
    'holos.yaml:4:6: include[3].paht: unknown key; did you mean "path"?',
    "holos.yaml:5:5: include[4]: expected text or a mapping, got a list",
    'holos.yaml:6:5: include[5].path: "~/a.yaml" needs HOME, which is not set',
    "holos.yaml:7:5: include[6].env_file: e.env: No such file or directory",
    "holos.yaml:8:5: include[7].path: names no file",
    "wrong.yaml:2:1: expected a value here",
    "list.yaml:1:1: expected keys such as services:, got a list",
  })
  equal(findings { ["holos.yaml"] = "include: a.yaml" }, { 'holos.yaml:1:1: include: expected a list, got "a.yaml"' })
end)

test("keys that nobody knows are found in included files too", function()
  equal(compose.complaints_of_files { ["holos.yaml"] = "include: [sub/a.yaml]\nservices: {b: {image: ./b.qcow2}}",
    ["sub/a.yaml"] = "servces: {}\nservices:\n  a:\n    imgae: x\n" }, [[
sub/a.yaml:1:1: servces: unknown key; did you mean "services"?
sub/a.yaml:3:3: services.a: "image" is missing
    name a system, image: debian:12, or a local file, image: ./debian.qcow2
sub/a.yaml:4:5: services.a.imgae: unknown key; did you mean "image"?
3 errors; nothing was changed.
]])
end)

test("files that include each other in ever more ways end at a limit", function()
  local texts = { ["holos.yaml"] = "include: [f1.yaml]" }
  for number = 1, 20 do
    texts[("f%d.yaml"):format(number)] = ("include: [f%d.yaml, f%d.yaml]"):format(number + 1, number + 1)
  end
  texts["f21.yaml"] = "services: {a: {image: ./a.qcow2}}"
  local found = findings(texts)
  ok(#found > 0 and found[1]:find(("more than %d files"):format(gather.file_limit), 1, true), found[1])
end)
