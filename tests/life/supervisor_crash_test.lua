-- The supervisor is killed as it does anything that can be seen from outside, while it starts a machine again: the next
-- command starts another, which finishes that; there is never a second QEMU on a disk.
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local IS_FULL = files.environment("HOLOS_TESTS") == "all"
local CALLS = { "renameat", "flock", "clone", "?fork", "bind", "connect", "sendto", "unlinkat", "sendmsg" }
local SOME, STEP = IS_FULL and #CALLS or 3, IS_FULL and 1 or 5
local MOST, WEB = 200, "web-0"

--- How many live QEMUs the stack has, recorded or not.
local function count_qemus(stack)
  local count, program = 0, fs.realpath(stack.qemu)
  for _, entry in ipairs(fs.list("/proc")) do
    local pid = math.tointeger(tonumber(entry.name))
    if pid and fs.readlink("/proc/" .. pid .. "/exe") == program and proc.identity(pid) then count = count + 1 end
  end
  return count
end

--- Lets a supervisor start web-0 again, which is killed as it enters `call` for the n-th time; false when it got through.
local function cut(stack, before, call, n)
  local was_cut = false
  task.race {
    function()
      local result = tool.run({ "strace", "-o", "/dev/null", "-e", "trace=" .. call, "-e",
        ("inject=%s:signal=KILL:when=%d"):format(call, n), host.executable(), "supervise", "pair" },
        { directory = stack.directory, env = stack:environment() })
      if result.stderr:find("strace:", 1, true) then skip("strace cannot inject here: " .. result.stderr) end
      equal(result.signal, "KILL", result.stderr)
      was_cut = true
    end,
    function() stack:eventually("web-0 runs again", function() return supervised.runs_anew(stack, WEB, before) end, 60000) end,
  }
  return was_cut
end

test("killed at any call while it starts a machine again, a supervisor leaves nothing that the next does not finish", function()
  if not tool.find "strace" then skip "strace is not installed" end
  local stack <close> = stack_.on_fake(supervised.RESTARTED)
  stack:expect { "up" }
  local rounds, db = 0, stack:ps()["db-0"].pid
  for position = 1, SOME do
    for n = 1, MOST, STEP do
      for _, pid in ipairs(stack:supervisors()) do supervised.kill(pid) end
      local before = supervised.runtime(stack, WEB).pid
      supervised.kill(before)
      local was_cut = cut(stack, before, CALLS[position], n)
      stack:expect { "ps" }
      local where = ("killed at %s number %d"):format(CALLS[position], n)
      stack:eventually(where .. ": web-0 runs again", function() return supervised.runs_anew(stack, WEB, before) end)
      equal({ count_qemus(stack), stack:ps()["db-0"].pid }, { 2, db }, where)
      if not was_cut then break end
      rounds = rounds + 1
    end
  end
  ok(rounds >= (IS_FULL and 15 or 2), ("it was cut %d times"):format(rounds))
end, { timeout_ms = 900000 })

-- Nothing answers as a web server does, so web-0 is replaced for ever.
local UNHEALTHY = [[
name: pair
services:
  web:
    image: ./image.qcow2
    image_os: plain
    stop_grace_period: 2s
    ports: ["0:80"]
    restart_on_unhealthy: true
    healthcheck: {test: "http:80/", interval: 100ms, timeout: 100ms, retries: 1}
    deploy: {restart_policy: {condition: any, delay: 20ms}}
]]

test("killed at any call while it replaces an unhealthy machine, a supervisor leaves one that the next starts again", function()
  if not tool.find "strace" then skip "strace is not installed" end
  local stack <close> = stack_.on_fake(UNHEALTHY)
  stack:expect { "up", "-d" }
  local rounds = 0
  for position = 1, SOME do
    for n = 1, MOST, STEP do
      for _, pid in ipairs(stack:supervisors()) do supervised.kill(pid) end
      local before = supervised.runtime(stack, WEB).pid
      local was_cut = cut(stack, before, CALLS[position], n)
      stack:expect { "ps" }
      local where = ("killed at %s number %d"):format(CALLS[position], n)
      stack:eventually(where .. ": web-0 runs again", function() return supervised.runs_anew(stack, WEB, before) end)
      ok(count_qemus(stack) <= 1, where)
      if not was_cut then break end
      rounds = rounds + 1
    end
  end
  ok(rounds >= (IS_FULL and 8 or 2), ("it was cut %d times"):format(rounds))
end, { timeout_ms = 900000 })
