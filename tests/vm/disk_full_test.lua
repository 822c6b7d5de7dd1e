-- The host's disk fills up under a running guest: it pauses, is said, and goes on as if nothing had been.
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local stack_ = require "tests.support.stack"

local YAML = [[
name: full
services:
  vm:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    cloud_init:
      runcmd: ["dd if=/dev/urandom of=/root/big bs=1M count=20 && sync && sha256sum /root/big > /root/sum"]
]]

if files.environment("HOLOS_TESTS") ~= "all" then skip "only with HOLOS_TESTS=all: a guest that boots and writes for a minute" end
if host.uid() ~= 0 then skip "only root can mount a small file system" end

test("a guest whose host has no space left is paused, shown, and finishes its writes when there is space", function()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  assert(fs.mkdir_all(stack.state, 448))
  if run_tool({ "mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", stack.state }).status ~= 0 then skip "no tmpfs" end
  local _unmounted <close> = setmetatable({}, { __close = function()
    stack:close()
    run_tool({ "umount", stack.state })
  end })

  local failed = stack:expect({ "up" }, 4)
  ok(failed.stderr:find("vm-0: io-error: paused, as the host's disk is full (writing root)", 1, true), failed.stderr)
  ok(failed.stderr:find("free space, then: holos start -p full vm-0", 1, true), failed.stderr)
  local paused = stack:ps()["vm-0"]
  equal({ paused.state, paused.running }, { "io-error", true })

  equal(run_tool({ "mount", "-o", "remount,size=128m", stack.state }).status, 0)
  stack:expect { "start", "-p", "full", "vm-0" }
  local after = stack:ps()["vm-0"]
  equal({ after.state, after.pid }, { "provisioned", paused.pid })
  equal(stack:expect({ "exec", "vm", "--", "sh", "-c", "sha256sum -c /root/sum" }).stdout, "/root/big: OK\n")
  equal(stack:run({ "exec", "vm", "--", "sh", "-c", "dmesg | grep -c 'I/O error'" }).stdout, "0\n")
end, { timeout_ms = 600000 })
