-- The host's disk fills up under a running guest: it pauses, is said, and goes on as if nothing had been.
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local stack_ = require "tests.support.stack"
local tool = require "tests.support.tool"

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

local PATIENCE_MS = 120000
local WRITE_MORE = "dd if=/dev/urandom of=/root/more bs=1M count=110 && sync && sha256sum /root/more >>/root/sum && "
  .. "touch /root/written"
local ROOT_PARTITION = "?offset=34603008" -- of the tiny guest, as tests/vm/build-tiny lays it out

local function mount(stack, options)
  return run_tool({ "mount", "-t", "tmpfs", "-o", options, "tmpfs", stack.state }).status == 0
end

local function paused(stack)
  local row = stack:ps()["vm-0"]
  equal({ row.state, row.running }, { "io-error", true })
  return row.pid
end

local function guest(stack, script) return stack:expect({ "exec", "vm", "--", "sh", "-c", script }).stdout end

local function has_no_errors(stack)
  equal(guest(stack, "sha256sum -c /root/sum"), "/root/big: OK\n/root/more: OK\n")
  equal(guest(stack, "dmesg | grep -i -e 'I/O error' -e 'EXT4-fs (.*): [ew]' -e 'EXT4-fs error' -e remount || true"), "")
end

-- Somebody who does not know the guest looks at its disk once it is off.
local function its_file_system_is_clean(stack)
  local raw = stack.directory .. "/raw"
  equal(run_tool({ "qemu-img", "convert", "-O", "raw", stack.state .. "/instances/full/vm-0/root.qcow2", raw }).stderr, "")
  local checked = run_tool { tool.find("e2fsck") or "/sbin/e2fsck", "-fn", raw .. ROOT_PARTITION }
  equal(checked.status, 0, checked.stdout .. checked.stderr)
end

-- Nobody says anything this time: the supervisor looks for space.
local function again_without_a_command(stack, pid)
  guest(stack, "setsid sh -c '" .. WRITE_MORE .. "' </dev/null >/dev/null 2>&1 &")
  stack:eventually("it is paused", function() return stack:ps()["vm-0"].state == "io-error" end, PATIENCE_MS)
  equal(paused(stack), pid)
  ok(mount(stack, "remount,size=512m"))
  stack:eventually("it goes on", function() return stack:ps()["vm-0"].state == "provisioned" end, PATIENCE_MS)
  guest(stack, "tries=1200; until [ -e /root/written ] || [ $tries = 0 ]; do usleep 100000; tries=$((tries - 1)); done")
end

test("a guest whose host has no space left is paused, shown, and finishes its writes when there is space", function()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  assert(fs.mkdir_all(stack.state, 448))
  if not mount(stack, "size=16m") then skip "no tmpfs" end
  local _unmounted <close> = setmetatable({}, { __close = function()
    stack:close()
    run_tool({ "umount", stack.state })
  end })

  local failed = stack:expect({ "up" }, 4)
  ok(failed.stderr:find("vm-0: io-error: paused, as the host's disk is full (writing root)", 1, true), failed.stderr)
  ok(failed.stderr:find("free space, then: holos start -p full vm-0", 1, true), failed.stderr)
  local pid = paused(stack)

  ok(mount(stack, "remount,size=128m"))
  stack:expect { "start", "-p", "full", "vm-0" }
  local after = stack:ps()["vm-0"]
  equal({ after.state, after.pid }, { "provisioned", pid })
  again_without_a_command(stack, pid)
  has_no_errors(stack)
  stack:expect { "stop" }
  its_file_system_is_clean(stack)
end, { timeout_ms = 600000 })
