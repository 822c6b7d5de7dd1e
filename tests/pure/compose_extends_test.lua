-- extends: services that start from others, of the same document or of another file.

local compose = require "tests.support.compose"
local extends = require "holos.compose.extends"
local marks = require "holos.compose.marks"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local DIRECTORY = compose.DIRECTORY

local function services(texts, options)
  local tree, findings, state = compose.merge_files(texts, options)
  equal(findings, {})
  return tree.services, state
end

local function findings(texts)
  return select(2, compose.merge_files(texts))
end

test("what is written locally wins, by the rules of merging", function()
  local merged = services { ["holos.yaml"] = [[
services:
  base: {image: a, ports: ["80:80"], labels: {a: 1, b: 1}, cloud_init: {runcmd: [x]}}
  web: {extends: base, ports: ["80:80", "81:81"], labels: [b=2], cloud_init: {runcmd: [y]}}
]] }
  equal(merged.web, { image = "a", ports = { "80:80", "81:81" }, labels = { a = 1, b = "2" },
    cloud_init = { runcmd = { "x", "y" } } })
  equal(merged.base, { image = "a", ports = { "80:80" }, labels = { a = 1, b = 1 }, cloud_init = { runcmd = { "x" } } })
end)

test("chains, whatever their order; a service that says nothing; nothing to extend", function()
  local merged = services { ["holos.yaml"] = [[
services:
  a: {extends: {service: b}, image: a}
  b: {extends: c, replicas: 2}
  c: {image: c, protect: true}
  d: {extends: nothing}
  nothing:
  e: {extends: , image: e}
]] }
  equal(merged.a, { image = "a", replicas = 2, protect = true })
  equal(merged.b, { image = "c", replicas = 2, protect = true })
  equal({ merged.d, merged.e }, { {}, { image = "e" } })
end)

test("!reset and !override hold against what is extended and against earlier files", function()
  local merged = services({
    ["holos.yaml"] = [[
services:
  init: {image: a, command: sleep, ports: ["1:1"]}
  base: {extends: init, command: !reset , ports: !override ["2:2"]}
  web: {extends: {service: base}}
  plain: {command: stays, ports: ["3:3"]}
]],
    ["over.yaml"] = "services: {plain: {extends: {file: holos.yaml, service: web}}, web: {command: !reset x}}",
  }, { names = { "holos.yaml", "over.yaml" } })
  equal(merged.base, { image = "a", ports = { "2:2" } })
  equal(merged.web, { image = "a", ports = { "2:2" } })
  equal(merged.plain, { image = "a", command = "stays", ports = { "3:3", "2:2" } })
end)

test("another file: its paths are seen from there, its own extends and its documents count, its includes do not", function()
  local merged, state = services { ["holos.yaml"] = [[
services:
  web: {extends: {file: sub/base.yaml, service: web}, image: ./own.qcow2}
]], ["sub/base.yaml"] = [[
include: [nowhere.yaml]
services:
  web:
    extends: {file: ../top.yaml, service: top}
    volumes: [./www:/srv:ro, data:/data, {type: bind, source: ../x, target: /x}, /abs:/abs, ~/h:/h]
    vm: {allow_paths: [./a, /b]}
    cloud_init: {user_data: ./u.yaml}
    env_file: [a.env, {path: ./b.env}]
    build: ./b
---
services: {web: {protect: true, image: debian:12}}
]], ["top.yaml"] = "services: {top: {image: ./top.qcow2, env_file: ./top.env, build: {context: 'https://x/y'}}}" }
  equal(merged.web, {
    image = "./own.qcow2", protect = true, cloud_init = { user_data = DIRECTORY .. "/sub/u.yaml" },
    volumes = { DIRECTORY .. "/sub/www:/srv:ro", "data:/data", { type = "bind", source = DIRECTORY .. "/x", target = "/x" },
      "/abs:/abs", "~/h:/h" },
    vm = { allow_paths = { DIRECTORY .. "/sub/a", "/b" } }, build = { context = DIRECTORY .. "/sub/b" },
    env_file = { DIRECTORY .. "/top.env", DIRECTORY .. "/sub/a.env", { path = DIRECTORY .. "/sub/b.env" } },
  })
  local function at(...) return marks.text(marks.find(state, { "services", "web", ... }), state.files) end
  equal({ at "image", at("volumes", 1), at "protect", at("env_file", 1) },
    { "holos.yaml:2:55", "sub/base.yaml:5:15", "sub/base.yaml:11:18", "top.yaml:1:38" })
end)

test("a directory with a colon in its name", function()
  local merged = services { ["holos.yaml"] = "services: {web: {extends: {file: 'a:b/base.yaml', service: web}}}",
    ["a:b/base.yaml"] = "services: {web: {volumes: ['./www:/srv:ro']}}" }
  equal(merged.web.volumes,
    { { type = "bind", source = DIRECTORY .. "/a:b/www", target = "/srv", read_only = true } })
end)

test("a file is read once for all that extend it", function()
  local texts = {
    ["holos.yaml"] = "services: {a: {extends: {file: b.yaml, service: x}}, b: {extends: {file: ./b.yaml, service: y}}}",
    ["b.yaml"] = "services: {x: {image: x}, y: {extends: x, replicas: 2}}" }
  local reads = 0
  local merged = services(texts, { read = function(path)
    reads = reads + 1
    return texts[path:match("[^/]+$")]
  end })
  equal({ merged.a, merged.b, reads }, { { image = "x" }, { image = "x", replicas = 2 }, 1 })
end)

test("cycles name their chain", function()
  equal(findings { ["holos.yaml"] = "services: {a: {extends: b}, b: {extends: c}, c: {extends: a}, d: {extends: d}}" }, {
    "holos.yaml:1:50: services.c.extends: extends cycle detected: a → b → c → a",
    "holos.yaml:1:67: services.d.extends: extends cycle detected: d → d",
  })
  equal(findings { ["holos.yaml"] = "services: {a: {extends: {file: b.yaml, service: b}}}",
    ["b.yaml"] = "services: {b: {extends: {file: holos.yaml, service: a}}}" }, {
    "holos.yaml:1:16: services.a.extends: extends cycle detected: b in b.yaml → a in holos.yaml → b in b.yaml",
  })
end)

test("what cannot be extended", function()
  equal(findings { ["holos.yaml"] = [[
services:
  web: {extends: wbe}
  a: {extends: {service: x, file: nowhere.yaml}}
  b: {extends: {service: x, file: b.yaml}}
  c: {extends: [web]}
  d: {extends: {file: b.yaml}}
  e: {extends: {service: web, fiel: b.yaml}}
  f: {extends: {file: ~/b.yaml, service: y}}
]], ["b.yaml"] = "services: {y: {}}" }, {
    'holos.yaml:2:9: services.web.extends: there is no service "wbe" in holos.yaml',
    "holos.yaml:3:7: services.a.extends: /home/anna/shop/nowhere.yaml: No such file or directory",
    'holos.yaml:4:7: services.b.extends: there is no service "x" in b.yaml',
    "holos.yaml:5:7: services.c.extends: expected text or a mapping, got a list",
    'holos.yaml:6:7: services.d.extends: "service" is missing',
    'holos.yaml:7:31: services.e.extends.fiel: unknown key; did you mean "file"?',
    "holos.yaml:8:7: services.f.extends: /home/anna/b.yaml: No such file or directory",
  })
end)

test("a service that lacks what it extends is not told what is missing; the rest is", function()
  equal(compose.complaints_of_files { ["holos.yaml"] = [[
services:
  a: {extends: nothing, replicas: many}
  b: {extends: a}
  c: {replicas: 2}
]] }, [[
holos.yaml:2:7: services.a.extends: there is no service "nothing" in holos.yaml
    one of another file: {file: FILE, service: nothing}
holos.yaml:2:25: services.a.replicas: expected a whole number from 0 to 253, got "many"
holos.yaml:4:3: services.c: "image" is missing
    name a system, image: debian:12, or a local file, image: ./debian.qcow2
3 errors; nothing was changed.
]])
end)

test("a file that is no YAML is told once", function()
  equal(findings { ["holos.yaml"] = "services: {a: {extends: {file: b.yaml, service: x}}, b: {extends: a}}",
    ["b.yaml"] = "services: [\n" }, { "b.yaml:2:1: expected a value here" })
end)

test("what services need of each other does not come along", function()
  local complaints = compose.complaints_of_files {
    ["holos.yaml"] = "services: {a: {extends: {file: b.yaml, service: x}}}",
    ["b.yaml"] = "services:\n  x: {image: ./x.qcow2, depends_on: [y], volumes: ['v:/v']}\n  y: {}\nvolumes: {v: }\n",
  }
  equal(complaints:gsub("\n    [^\n]*", ""), [[
b.yaml:2:38: services.a.depends_on.y: there is no service "y"
b.yaml:2:52: services.a.volumes[1]: there is no volume "v"
2 errors; nothing was changed.
]])
end)

test("chains and copies have an end", function()
  local lines = { "services:", "  s0: {image: a}" }
  for number = 1, 250 do lines[#lines + 1] = ("  s%d: {extends: s%d}"):format(number, number - 1) end
  table.insert(lines, 2, "  first: {extends: s250}")
  local found = findings { ["holos.yaml"] = table.concat(lines, "\n") }
  equal(#found, 1)
  ok(found[1]:find("more than 100 services extend each other", 1, true), found[1])
  lines = { "services:", "  big: {labels: {" .. ("a%d: 1, "):rep(1):format(1) }
  for number = 2, 1000 do lines[#lines] = lines[#lines] .. ("a%d: 1, "):format(number) end
  lines[#lines] = lines[#lines] .. "}}"
  for number = 1, 1000 do lines[#lines + 1] = ("  s%d: {extends: big}"):format(number) end
  found = findings { ["holos.yaml"] = table.concat(lines, "\n") }
  ok(found[1]:find(("stands for more than %d values"):format(extends.copy_limit), 1, true), found[1])
end)
