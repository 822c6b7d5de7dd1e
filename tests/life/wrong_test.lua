-- Run wrong on purpose: one clear sentence each, the right exit status, and nothing created.
local fake_qemu = require "tests.support.fake_qemu"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

local GOOD = "name: one\nservices:\n  vm: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}\n"

local function stack_of(yaml, settings)
  local stack = stack_.new { yaml = yaml or GOOD }
  stack.qemu = fake_qemu.install(settings)
  assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  return stack
end

--- `up` ends with `status`, its standard error holds `words`, and no instance came to be.
local function refused(stack, status, words)
  local result = stack:run { "up" }
  equal({ result.status, result.stderr:find(words, 1, true) and words or result.stderr }, { status, words })
  equal(result.stdout, "")
  equal(#stack:pids(), 0)
  equal(#(fs.list(stack.state .. "/instances/one") or {}), 0)
end

local FILES = {
  ["a YAML error"] = { "name: one\nservices: [\n", "holos.yaml:3:1" },
  ["an unknown key"] = { GOOD:gsub("image_os", "image_oss"), 'did you mean "image_os"?' },
  ["a wrong type"] = { GOOD:gsub("image_os: plain", "replicas: many"), "replicas" },
  ["a bad port"] = { GOOD:gsub("image_os: plain", 'ports: ["99999:80"]'), "99999" },
  ["a missing image"] = { GOOD:gsub("image.qcow2", "other.qcow2"), "other.qcow2" },
  ["a cycle"] = { "name: one\nservices:\n  a: {image: ./image.qcow2, depends_on: [b]}\n"
    .. "  b: {image: ./image.qcow2, depends_on: [a]}\n", "a → b → a" },
}

for name, case in pairs(FILES) do
  test(name .. " is a finding with its place, exit 2", function()
    local stack <close> = stack_of(case[1])
    refused(stack, 2, case[2])
  end)
end

test("no file at all", function()
  local stack <close> = stack_of()
  assert(fs.remove(stack.directory .. "/holos.yaml"))
  refused(stack, 2, "no holos.yaml")
end)

test("a directory as image", function()
  local stack <close> = stack_of()
  assert(fs.remove(stack.directory .. "/image.qcow2"))
  assert(fs.mkdir_all(stack.directory .. "/image.qcow2", 493))
  refused(stack, 2, "image.qcow2")
end)

test("an image whose backing file would leak a file of the host", function()
  local stack <close> = stack_of()
  assert(fs.remove(stack.directory .. "/image.qcow2"))
  assert(qcow2.create(stack.directory .. "/image.qcow2",
    { size_bytes = 1 << 20, backing = "/etc/passwd", backing_format = "raw" }))
  refused(stack, 1, "backing file")
end)

test("no QEMU", function()
  local stack <close> = stack_of()
  stack.qemu = "/nonexistent/qemu-system-x86_64"
  refused(stack, 1, "/nonexistent/qemu-system-x86_64")
end)

test("a QEMU that cannot run here is told with its last words, and its probe leaves no socket", function()
  local stack <close> = stack_of(GOOD, { "fail=libpixman-1.so.0: cannot open shared object file" })
  refused(stack, 1, stack.qemu .. " does not work: qemu-system-x86_64: libpixman-1.so.0: cannot open shared object file")
  local names = {}
  for i, entry in ipairs(fs.list(stack.state .. "/probes")) do names[i] = entry.name end
  equal(names, { "probe.log" })
end)

test("KVM asked for where it cannot be used", function()
  if require("sys.qemu").kvm_status().usable then skip("KVM can be used here") end
  local stack <close> = stack_of((GOOD:gsub("image_os: plain", "image_os: plain, vm: {accel: kvm}")))
  refused(stack, 1, "vm.accel: auto")
end)

test("a state directory that cannot be written", function()
  local stack <close> = stack_of()
  assert(fs.write_atomic(stack.directory .. "/file", "", { mode = 384 }))
  stack.state = stack.directory .. "/file/state"
  refused(stack, 1, "state directory")
end)

test("a host port that somebody else has", function()
  local net = require "sys.net"
  local taken <close> = assert(net.listen_tcp("127.0.0.1", 0))
  local port = assert(net.bound_port(taken))
  local stack <close> = stack_of((GOOD:gsub("image_os: plain", ('image_os: plain, ports: ["%d:80"]'):format(port))))
  local result = stack:run { "up" }
  equal(result.status, 1)
  ok(result.stderr:find(("host port 127.0.0.1:%d/tcp cannot be used"):format(port), 1, true), result.stderr)
  equal(#stack:pids(), 0)
end)

test("a full disk", function()
  local stack <close> = stack_of()
  assert(fs.mkdir_all(stack.state, 448))
  local mounted = run_tool { "mount", "-t", "tmpfs", "-o", "size=64k", "holos-test", stack.state }
  if mounted.status ~= 0 then skip("no right to mount a small file system") end
  local result = stack:run { "up" }
  run_tool { "umount", stack.state }
  equal(result.status, 1)
  ok(result.stderr:find("No space left on device", 1, true), result.stderr)
end)

test("a wrong command line is exit 64 with a near miss", function()
  local stack <close> = stack_of()
  equal(stack:run({ "upp" }).status, 64)
  local result = stack:run { "up", "--detatch" }
  equal(result.status, 64)
  ok(result.stderr:find("--detach", 1, true), result.stderr)
  equal(stack:run({ "exec" }).status, 64)
  equal(stack:run({}).status, 64)
end)

test("up starts nothing but QEMU", function()
  local stack <close> = stack_of(GOOD, { "exit_after_ms=1500" }) -- strace stays until the last of them has ended
  local env = stack:environment()
  local log = stack.directory .. "/execve"
  local traced = run_tool({ "strace", "-f", "-e", "trace=execve", "-o", log, require("sys.host").executable(), "up", "-d" },
    { directory = stack.directory, env = env })
  if traced.status ~= 0 then skip("strace cannot trace here: " .. traced.stderr) end
  local programs = {}
  for program in assert(fs.read(log, { max_bytes = 1 << 20 })):gmatch('execve%("([^"]*)"') do programs[program] = true end
  equal(programs, { [require("sys.host").executable()] = true, [stack.qemu] = true })
end)
