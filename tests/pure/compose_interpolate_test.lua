-- Variables in compose files.

local compose = require "tests.support.compose"
local documents = require "holos.compose.documents"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local function lookup_in(values)
  return function(name) return values[name] end
end

local function load(text, values, options)
  local all = { lookup = lookup_in(values or {}) }
  for name, value in pairs(options or {}) do all[name] = value end
  return compose.load(text, all)
end

local function complaints(text, values)
  return compose.complaints(text, { lookup = lookup_in(values or {}) })
end

local WEB = "services:\n  web:\n    image: ./a.qcow2\n"

test("values of every type", function()
  local web = load([==[
services:
  web:
    image: ${DIR}/a-$TAG.qcow2
    replicas: ${N}
    vm: {vcpu: "$N", memory_mb: "${MEMORY:-512}", disk_size: "${SIZE}G", uefi: $UEFI}
    ports: ["$PORT:80", "${PORT:+9}0:81"]
    stop_grace_period: ${GRACE}s
    cloud_init: {runcmd: ["echo $$HOME $TAG", [printf, "${N}"]], write_files: [{path: /a, content: "$${TAG}"}]}
]==], { DIR = "./images", TAG = "12", N = "3", SIZE = "30", UEFI = "true", PORT = "8080", GRACE = "5" }).services.web
  equal({ web.image.path, web.replicas, web.vm.vcpu, web.vm.memory_mib, web.vm.disk_bytes, web.vm.uefi },
    { "/home/anna/shop/images/a-12.qcow2", 3, 3, 512, 30 << 30, true })
  equal({ web.ports[1].host, web.ports[2].host, web.stop_grace_ms }, { 8080, 90, 5000 })
  equal(web.cloud_init.runcmd, { "echo $HOME 12", { "printf", "3" } })
  equal(web.cloud_init.write_files[1].content, "${TAG}")
end)

test("keys are never touched", function()
  local project = load(WEB .. "    labels: {$A: $A, \"${B}\": x}\n", { A = "one", B = "two" })
  equal(project.services.web.labels, { ["$A"] = "one", ["${B}"] = "x" })
end)

test("without a lookup the environment is asked", function()
  equal(compose.load(WEB .. "    labels: {a: $HOME}\n").services.web.labels.a, "/home/anna")
end)

test("the project's name by two names: as asked for, as the file says, as the directory suggests", function()
  local text = WEB .. "    labels: {a: $COMPOSE_PROJECT_NAME, b: \"${HOLOS_PROJECT_NAME:?}\"}\n"
  local function names(more, options)
    local project = load((more or "") .. text, { COMPOSE_PROJECT_NAME = "stray", TAG = "9" }, options)
    return { project.name, project.services.web.labels.a, project.services.web.labels.b }
  end
  equal(names(), { "shop", "shop", "shop" })
  equal(names "name: inside-${TAG}\n", { "inside-9", "inside-9", "inside-9" })
  equal(names "name: ${COMPOSE_PROJECT_NAME:-inside}\n", { "stray", "stray", "stray" })
  equal(names("name: inside\n", { name = "asked" }), { "asked", "asked", "asked" })
end)

test("one warning for each variable, at its first place in the file", function()
  local project = load(WEB .. [[
    labels: {z: "$A", b: "$B $A", a: "$A$$C"}
    cloud_init: {runcmd: ["echo ${B} ${A:-x} ${C:-$D}"]}
]])
  equal(project.warnings, {
    "holos.yaml:4:14: services.web.labels.z: the variable A is not set and became a blank; set it, give it a default"
      .. " (${A:-…}), or write $$A for the text itself",
    "holos.yaml:4:23: services.web.labels.b: the variable B is not set and became a blank; set it, give it a default"
      .. " (${B:-…}), or write $$B for the text itself",
    "holos.yaml:5:27: services.web.cloud_init.runcmd[1]: the variable D is not set and became a blank; set it, give it a"
      .. " default (${D:-…}), or write $$D for the text itself",
  })
end)

test("a mistake in an anchor's value is told once, at the anchor", function()
  equal(complaints [[
x-common: &common {labels: {a: "${A!}", b: "${B:?}"}}
services:
  b: {<<: *common, image: ./b.qcow2}
  a: {<<: *common, image: ./a.qcow2}
]], [[
holos.yaml:1:29: services.a.labels.a: "${A!}" is no variable: after A comes "}" or one of :- - :? ? :+ +
    a "$" that stands for itself is written "$$"
holos.yaml:1:41: services.a.labels.b: required variable B is missing a value
    set it in the environment, in .env, or in a file that --env-file names: B=…
2 errors; nothing was changed.
]])
end)

test("what could not be made is not complained about a second time", function()
  equal(complaints(WEB .. "    replicas: ${N:?}\n    vm: {vcpu: \"${}\", memory_mb: many}\n"), [[
holos.yaml:4:5: services.web.replicas: required variable N is missing a value
    set it in the environment, in .env, or in a file that --env-file names: N=…
holos.yaml:5:10: services.web.vm.vcpu: "${}" is no variable: a name comes directly after "${"
    a "$" that stands for itself is written "$$"
holos.yaml:5:23: services.web.vm.memory_mb: expected a whole number from 64 to 16777216, got "many"
    it counts MiB; with a unit it is written memory: 2G
3 errors; nothing was changed.
]])
end)

test("what is wrong with a blank names the variable that is not set", function()
  equal(complaints("services: {web: {image: \"$A${B}\", replicas: \"$B\"}}"), [[
holos.yaml:1:18: services.web.image: is empty; expected the name or the path of a disk image
    variables here are not set: A, B
holos.yaml:1:35: services.web.replicas: expected a whole number from 0 to 253, got ""
    a variable here is not set: B
2 errors; nothing was changed.
]])
end)

test("a name that cannot be made does not hide the rest", function()
  equal(complaints("name: ${NAME:?}\n" .. WEB .. "    replicas: $COMPOSE_PROJECT_NAME\n"), [[
holos.yaml:1:1: name: required variable NAME is missing a value
    set it in the environment, in .env, or in a file that --env-file names: NAME=…
holos.yaml:5:5: services.web.replicas: expected a whole number from 0 to 253, got "shop"
2 errors; nothing was changed.
]])
end)

test("a sign that YAML spells otherwise is a sign", function()
  equal(documents.may_have_variables("a: b\\n # c"), false)
  for _, spelling in ipairs { "\\x24", "\\u0024", "\\U00000024" } do
    equal(load(WEB .. ('    labels: {a: "%sA"}\n'):format(spelling), { A = "one" }).services.web.labels.a, "one")
  end
end)

test("a file that would grow without end is refused", function()
  local lines = { WEB, "    labels:\n" }
  for number = 1, 200 do lines[#lines + 1] = ("      l%d: $BIG\n"):format(number) end
  local text = complaints(table.concat(lines), { BIG = ("x"):rep(100000) })
  ok(text:find("values with variables up to here add up to more than 8388608 bytes", 1, true), text:sub(1, 300))
end)

test("a file without a sign is not walked", function()
  local undo = require("holos.core.override").install("holos.compose.interpolate", "run", function() error("walked") end)
  local fine, problem = pcall(load, WEB)
  local walked = not pcall(load, WEB .. "    labels: {a: $A}\n")
  undo()
  ok(fine, problem)
  ok(walked)
end)
