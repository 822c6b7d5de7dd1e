-- Machines that end while there is no supervisor: what they have left says why, and policies go by that.
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"

local YAML = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, restart: POLICY}
]]

--- A stack whose web-0 has ended unheard, after `text` was written to one of its logs; and its pid before.
local function ended(policy, file, text)
  local stack = stack_.on_fake((YAML:gsub("POLICY", policy)))
  stack:expect { "up" }
  supervised.kill(supervised.supervisor(stack))
  local runtime = supervised.runtime(stack, "web-0")
  if file then assert(fs.append(("%s/instances/pair/web-0/%s"):format(stack.state, file), text, { mode = 384 })) end
  supervised.kill(runtime.pid)
  stack:expect { "ps" }
  stack:eventually("its end is told", function() return supervised.events(stack, "instance.exited")[1] end)
  return stack, runtime.pid
end

local POWER_DOWN = "[   61.5] systemd-shutdown[1]: Powering off.\r\n[   61.9] reboot: Power down\r\n"

test("a guest whose console says that it powered off has not failed", function()
  local stack <close> = ended("on-failure", "console.log", POWER_DOWN)
  stack:eventually("it is shown", function() return stack:ps()["web-0"].status == "exited (powered off)" end)
  equal(supervised.events(stack, "instance.exited")[1].text,
    "the guest powered off while nobody listened: so its console says")
  stack:eventually("the supervisor ends", function() return #stack:supervisors() == 0 end)
end)

test("what is to run always is started again, however it ended", function()
  for _, policy in ipairs { "always", "unless-stopped" } do
    local stack <close>, pid = ended(policy, "console.log", POWER_DOWN)
    stack:eventually("it runs again", function() return supervised.runs_anew(stack, "web-0", pid) end)
  end
end)

test("one whose log says that a signal ended it has failed", function()
  local stack <close>, pid = ended("on-failure", "qemu.log", "qemu-system-x86_64: terminating on signal 15 from pid 7 (kill)\n")
  stack:eventually("it runs again", function() return supervised.runs_anew(stack, "web-0", pid) end)
  equal(supervised.events(stack, "instance.exited")[1].how, "terminated")
end)

test("where nothing tells why, it counts as a failure and is called so", function()
  local stack <close>, pid = ended("on-failure")
  stack:eventually("it runs again", function() return supervised.runs_anew(stack, "web-0", pid) end)
  local exited = supervised.events(stack, "instance.exited")[1]
  equal({ exited.how, exited.text }, { "ended", "it ended while nobody listened, so why is not known" })
end)
