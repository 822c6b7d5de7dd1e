-- Logs do not grow without end: console and report are put aside while the machine runs.
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"

local LOGGED = [[
name: pair
services:
  web:
    image: ./image.qcow2
    image_os: plain
    stop_grace_period: 2s
    logging: {driver: json-file, options: {max-size: 8k, max-file: 3}}
]]

local READABLE = 384

local function write(stack, file, text)
  assert(fs.append(stack.state .. "/instances/pair/web-0/" .. file, text, { mode = READABLE }))
end

local function read(stack, file) return fs.read(stack.state .. "/instances/pair/web-0/" .. file) or "" end

test("a console that says more than its limit keeps as many files as the file says", function()
  local stack <close> = stack_.on_fake(LOGGED)
  stack:expect { "up" }
  for round = 1, 3 do
    write(stack, "console.log", ("round %d\n"):format(round):rep(1200))
    stack:eventually("the log is put aside", function() return read(stack, "console.log.1"):find("round " .. round, 1, true) end)
    equal(read(stack, "console.log"), "")
  end
  ok(read(stack, "console.log.2"):find("round 2", 1, true))
  equal(fs.stat(stack.state .. "/instances/pair/web-0/console.log.3"), nil)
  write(stack, "console.log", "the last words\n")
  ok(stack:expect({ "logs", "web" }).stdout:find("the last words", 1, true))
end)

test("a guest that reports without end keeps its state", function()
  local stack <close> = stack_.on_fake(LOGGED)
  stack:expect { "up" }
  write(stack, "report.log", ("holos1 log " .. ("x"):rep(100) .. "\n"):rep(10000))
  stack:eventually("the report is put aside", function() return #read(stack, "report.log.1") > 1 << 20 end)
  stack:eventually("the report is short", function() return #read(stack, "report.log") < 4096 end)
  equal(stack:ps()["web-0"].status, "provisioned")
  ok(stack:expect({ "up" }).stderr:find("up to date", 1, true))
end)
