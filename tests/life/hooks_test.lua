-- Scripts that refuse: what they refuse is not begun, and not written down.
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local pair = require "tests.support.pair"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"
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
local function with_handlers(stack, script, ...)
  files.write(stack.directory .. "/handlers.lua", script)
  return tool.run({ host.executable(), "lua", stack.directory .. "/handlers.lua", ... },
    { directory = stack.directory, env = stack:environment() })
end

local RUNNING = { ["db-0"] = "running", ["web-0"] = "running", ["web-1"] = "running" }

test("a refusal of a stop: nothing is stopped, and the record still wants all to run", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up", "-d" }
  local function refused(...)
    local result = with_handlers(stack, SCRIPT, ...)
    equal({ result.status, #stack:pids(), pair.desired(stack) }, { 3, 3, RUNNING }, result.stderr)
    ok(result.stderr:find("the dump is not ready", 1, true), result.stderr)
  end
  refused "stop"
  refused "down"
  equal(fs.list(stack.state .. "/trash/pair"), {})
  stack:write((YAML:gsub("db: {", "db: {vm: {memory_mb: 1024}, "):gsub("replicas: 2", "replicas: 1")))
  refused "up"
  local let = with_handlers(stack, SCRIPT, "stop", "web")
  equal({ let.status, #stack:pids(), pair.desired(stack)["web-1"] }, { 0, 1, "stopped" }, let.stderr)
end)

local BEFORE_LAUNCH = [[
holos.on("instance.before_launch", function(event)
  io.stderr:write("asked for ", event.instance, "\n")
  if event.instance == "db-0" then %s end
end)
return require "holos.main" { ... }
]]

test("a refusal of the launch of a restart comes before the stop; who was asked then is not asked again", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up", "-d" }
  local pids = stack:pids()
  stack:write((YAML:gsub("db: {", "db: {vm: {memory_mb: 1024}, ")))
  local refused = with_handlers(stack, BEFORE_LAUNCH:format 'return holos.veto "not by day"', "up", "-d")
  equal({ refused.status, stack:pids() }, { 3, pids }, refused.stderr)
  ok(refused.stderr:find("not by day", 1, true), refused.stderr)
  local let = with_handlers(stack, BEFORE_LAUNCH:format "return nil", "up", "-d")
  equal({ let.status, select(2, let.stderr:gsub("asked for db%-0", "")), #stack:pids() }, { 0, 1, 3 }, let.stderr)
end)

test("a launch that stops nothing is asked for when its turn comes", function()
  local stack <close> = stack_.on_fake(YAML)
  local refused = with_handlers(stack, BEFORE_LAUNCH:format 'return holos.veto "not by day"', "up")
  equal({ refused.status, select(2, refused.stderr:gsub("asked for", "")), #stack:pids() }, { 3, 1, 0 }, refused.stderr)
end)

local SUPERVISED = [[
local function hear(event)
  local out = assert(io.open("OUT", "a"))
  out:write(event.type, " ", event.instance, " ", event.service, " ", event.how or event.attempt or "", "\n")
  out:close()
  error "and then fails"
end
for _, name in ipairs { "instance.exited", "instance.restarting", "instance.launched" } do holos.on(name, hear) end
return require "holos.main" { ... }
]]

test("a supervisor with scripts tells them what it sees, once, and goes on when they fail", function()
  local stack <close> = stack_.on_fake((YAML:gsub("db: {", "db: {restart: always, ")))
  local script, out = stack.directory .. "/handlers.lua", stack.directory .. "/out"
  files.write(script, (SUPERVISED:gsub("OUT", out)))
  stack:expect { "up", "-d" }
  local before = supervised.supervisor(stack)
  local child <close> = stack:spawn { "lua", script, "supervise", "--all" }
  supervised.supervisor(stack, before)
  local pid = stack:ps()["db-0"].pid
  supervised.kill(pid)
  stack:eventually("db-0 runs again", function() return supervised.runs_anew(stack, "db-0", pid) end)
  local told = "instance.exited db-0 db crashed\ninstance.restarting db-0 db 1\ninstance.launched db-0 db \n"
  stack:eventually("the handlers have heard", function() return fs.read(out) == told end)
  stack:eventually("their errors are written down", function() return #supervised.events(stack, "supervisor.trouble") == 3 end)
  stack:expect { "stop" }
  equal(fs.read(out), told)
  child:kill()
  io_wait.await(child, "try_wait")
end)
