--- validate reads the host and tells it: the files of a project with all that they name, and nothing else.

local files = require "tests.support.files"
local host = require "sys.host"
local json = require "sys.json"
local qcow2 = require "sys.qcow2"

local HOLOS = host.executable()

local CONTENTS = {
  ["holos.yaml"] = [[
include: [sub/more.yaml]
services:
  a:
    extends: {file: base.yaml, service: base}
    env_file: [a.env, {path: absent.env, required: false}]
    cloud_init: {user_data: user.yaml}
]],
  ["holos.override.yaml"] = "services: {a: {replicas: 2}}",
  ["base.yaml"] = "services: {base: {image: ./image.qcow2}}",
  ["sub/more.yaml"] = "services: {b: {image: ../image.qcow2, label_file: l.env}}",
  ["sub/.env"] = "X=1",
  ["sub/l.env"] = "L=1",
  [".env"] = "Y=1",
  ["a.env"] = "A=1",
  ["user.yaml"] = "#cloud-config\nusers: []\n",
  ["holos.lua"] = "error 'not to be run'",
  ["hooks/one.lua"] = "error 'not to be run'",
  ["hooks/two.txt"] = "",
}

local function make()
  local directory = tmpdir()
  for name, text in pairs(CONTENTS) do files.write(directory .. "/" .. name, text) end
  assert(qcow2.create(directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  return directory
end

local function validate(directory, ...)
  local result = run_tool({ HOLOS, "validate", ... }, { directory = directory, env = { "HOLOS_STATE_DIR=" .. directory .. "/state",
    "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") } })
  equal({ result.status, result.stderr }, { 0, "" })
  return result.stdout
end

test("every file that was read is told, each once, and what is not there is not", function()
  local directory = make()
  local whys, ignored = {}, {}
  for _, effect in ipairs(json.decode(validate(directory, "--format", "json"), {}).effects) do
    local name = effect.what:gsub("^" .. directory:gsub("%p", "%%%0") .. "/", "")
    if effect.verb == "reads" then
      equal(whys[name], nil, name .. " is told twice")
      whys[name] = effect.why
    end
    if effect.verb == "ignores" then ignored[#ignored + 1] = name end
  end
  equal(whys, { ["holos.yaml"] = "compose file", ["holos.override.yaml"] = "compose file", [".env"] = "variables of the project",
    ["base.yaml"] = "named in the compose files", ["sub/more.yaml"] = "named in the compose files",
    ["sub/.env"] = "variables of the project", ["a.env"] = "variables of services", ["sub/l.env"] = "variables of services",
    ["user.yaml"] = "named in the compose files", ["image.qcow2"] = "base image of a b" })
  equal(ignored, { "holos.lua", "hooks/one.lua" })
end)

test("memory and disk are those of this host, and nothing is made by looking", function()
  local directory = make()
  local capacity = json.decode(validate(directory, "--format", "json"), {}).capacity
  equal({ capacity.memory.wanted_bytes, capacity.disk.wanted_bytes, capacity.to_start }, { 3 * 512 << 20, 3 * 20 << 30, 3 })
  ok(capacity.memory.available_bytes > 0 and capacity.memory.available_bytes <= capacity.memory.total_bytes)
  ok(capacity.disk.free_bytes > 0 and capacity.cpus.there >= 1)
  equal(require("sys.fs").stat(directory .. "/state"), nil)
  equal(validate(directory, "--quiet"), "")
end)
