-- Scripts that refuse: what they refuse is not begun, and not written down.
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local json = require "sys.json"
local stack_ = require "tests.support.stack"
local tool = require "tests.support.tool"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, replicas: 2, depends_on: [db]}
]]

local SCRIPT = [[
holos.on("instance.before_stop", function(event)
  io.stderr:write("asked for ", event.instance, "\n")
  if event.instance == "db-0" then return holos.veto "the dump is not ready" end
end)
return require "holos.main" { ... }
]]

--- Runs holos with handlers.
local function with_handlers(stack, ...)
  files.write(stack.directory .. "/handlers.lua", SCRIPT)
  return tool.run({ host.executable(), "lua", stack.directory .. "/handlers.lua", ... },
    { directory = stack.directory, env = stack:environment() })
end

local function desired(stack)
  local record = assert(json.decode(assert(fs.read(stack.state .. "/projects/pair.json")), {}))
  local words = {}
  for name, entry in pairs(record.instances) do words[name] = entry.desired end
  return words
end

local RUNNING = { ["db-0"] = "running", ["web-0"] = "running", ["web-1"] = "running" }

test("a refusal of a stop: nothing is stopped, and the record still wants all to run", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up", "-d" }
  local function refused(...)
    local result = with_handlers(stack, ...)
    equal({ result.status, #stack:pids(), desired(stack) }, { 3, 3, RUNNING }, result.stderr)
    ok(result.stderr:find("the dump is not ready", 1, true), result.stderr)
  end
  refused "stop"
  refused "down"
  equal(fs.list(stack.state .. "/trash/pair"), {})
  stack:write((YAML:gsub("db: {", "db: {vm: {memory_mb: 1024}, "):gsub("replicas: 2", "replicas: 1")))
  refused "up"
  local let = with_handlers(stack, "stop", "web")
  equal({ let.status, #stack:pids(), desired(stack)["web-1"] }, { 0, 1, "stopped" }, let.stderr)
end)
