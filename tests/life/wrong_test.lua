-- Run wrong on purpose: one clear sentence each, the right exit status, and nothing created.
local files = require "tests.support.files"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

local GOOD = "name: one\nservices:\n  vm: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}\n"

local function stack_of(yaml, settings) return stack_.on_fake(yaml or GOOD, settings) end

local MOST_LINES = 4 -- warning or place, sentence, "nothing was changed", next step

local function line_count(text) return select(2, text:gsub("\n", "")) end

--- What a refused `up` must not have made: records, disks, volumes, keys.
local function things_made(stack)
  local made = {}
  for _, file in ipairs(files.below(stack.state, "")) do
    local name = file:sub(#stack.state + 2)
    if not name:find("^locks/") and not name:find("^probes/") then made[#made + 1] = name end
  end
  return made
end

--- `up` ends with `status` and a sentence that holds `words`, and nothing came to be.
local function refused(stack, status, words, arguments)
  local result = stack:run { "up", table.unpack(arguments or {}) }
  equal({ result.status, result.stderr:find(words, 1, true) and words or result.stderr }, { status, words })
  ok(line_count(result.stderr) <= MOST_LINES, result.stderr)
  equal({ result.stdout, #stack:pids(), things_made(stack) }, { "", 0, {} })
  return result
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
    equal(fs.lstat(stack.state), nil)
  end)
end

test("a disk smaller than its image: qcow2 by what is in it, raw by the length of the file", function()
  local stack <close> = stack_of((GOOD:gsub("image_os", "vm: {disk_size: 2M}, image_os")))
  local image = stack.directory .. "/image.qcow2"
  assert(fs.remove(image))
  assert(qcow2.create(image, { size_bytes = 3 << 20 }))
  refused(stack, 2, "holos.yaml:3:35: services.vm.vm.disk_size: 2 MiB is smaller than the image, whose disk has 3 MiB")
  stack:write((GOOD:gsub("image.qcow2", "image.img, image_format: raw, vm: {disk: 2M}")))
  files.write(stack.directory .. "/image.img", ("\0"):rep((2 << 20) + 512))
  refused(stack, 2, "services.vm.vm.disk: 2 MiB is smaller than the image, whose disk has")
end)

test("keys without effect so far: validate tells, plan and up refuse them with their places", function()
  local stack <close> = stack_of((GOOD:gsub("image_os: plain", "image_os: plain, attach: false, cpuset: '0'")))
  refused(stack, 2, "holos.yaml:3:62: services.vm.cpuset: not available yet")
  local validate = stack:run { "validate", "-q" }
  equal({ validate.status, validate.stderr }, { 0,
    "warning: holos.yaml:3:47: services.vm.attach: not available yet; up refuses it\n"
    .. "warning: holos.yaml:3:62: services.vm.cpuset: not available yet; up refuses it\n" })
  equal(stack:run({ "plan" }).status, 2)
end)

test("keys of containers can be tried", function()
  local stack <close> = stack_of((GOOD:gsub("image_os: plain", "image_os: plain, ipc: host")))
  refused(stack, 2, "holos.yaml:3:47: services.vm.ipc: not for VMs")
  local validate = stack:run { "validate", "-q", "--compat" }
  equal({ validate.status, validate.stderr:match("^[^;]*") }, { 0, "warning: holos.yaml:3:47: services.vm.ipc: has no effect: "
    .. "not for VMs: containers share a kernel, VMs do not\n" })
end)

test("no file at all", function()
  local stack <close> = stack_of()
  assert(fs.remove(stack.directory .. "/holos.yaml"))
  refused(stack, 2, "no holos.yaml")
  refused(stack, 2, "other.yaml: No such file or directory", { "-f", "other.yaml" })
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
  refused(stack, 2, "holos.yaml:3:8: services.vm.image: ")
  refused(stack, 2, "has the backing file /etc/passwd")
end)

test("an image that is no image, or is cut off", function()
  local stack <close> = stack_of()
  for _, bytes in ipairs { "", "QFI\xfb", "QFI\xfb" .. ("\0"):rep(100), ("text\n"):rep(1000) } do
    assert(fs.write_atomic(stack.directory .. "/image.qcow2", bytes, { mode = 384 }))
    refused(stack, 2, "image.qcow2")
  end
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

test("a file that is no program is told as such, and its probe leaves no socket", function()
  local stack <close> = stack_of(GOOD)
  assert(fs.write_atomic(stack.qemu, "no program\n", { mode = tonumber("755", 8) }))
  refused(stack, 1, stack.qemu .. ": ")
  equal(#fs.list(stack.state .. "/probes"), 1)
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

test("host ports that somebody else has, all of them, before anything is made", function()
  local net = require "sys.net"
  local one <close> = assert(net.listen_tcp("127.0.0.1", 0))
  local other <close> = assert(net.listen_tcp("127.0.0.1", 0))
  local ports = { assert(net.bound_port(one)), assert(net.bound_port(other)) }
  local stack <close> = stack_of((GOOD:gsub("image_os: plain", ('image_os: plain, ports: ["%d:80", "%d:81"]')
    :format(table.unpack(ports)))))
  for _, port in ipairs(ports) do refused(stack, 1, ("host port 127.0.0.1:%d/tcp cannot be used"):format(port)) end
  one:close()
  other:close()
  stack:expect { "up" }
  stack:write((GOOD:gsub("image_os: plain", ('image_os: plain, ports: ["%d:80", "%d:81"], labels: {a: b}')
    :format(table.unpack(ports)))))
  stack:expect { "up" } -- they are our own now
end)

test("a port that somebody else has is told before a restart stops the VM, and before a start", function()
  local net = require "sys.net"
  local tcp <close> = assert(net.reserve_port("tcp", "127.0.0.1", 0))
  local free = assert(net.bound_port(tcp))
  tcp:close()
  local function with_ports(...)
    return (GOOD:gsub("image_os: plain", ("image_os: plain, ports: [%s]"):format(table.concat({ ... }, ", "))))
  end
  local function port(host_ip, host, protocol) return ('"%s:%d:80/%s"'):format(host_ip, host, protocol) end
  local other <close> = stack_of(with_ports(port("127.0.0.1", free, "udp"))) -- the number of a port of ours, and another port
  other:expect { "up" }
  local stack <close> = stack_of(with_ports(port("127.0.0.1", free, "tcp")))
  stack:expect { "up" }
  local pids = stack:pids()
  stack:write(with_ports(port("127.0.0.1", free, "tcp"), port("127.0.0.1", free, "udp")))
  local told = ("host port 127.0.0.1:%d/udp cannot be used"):format(free)
  local function is_refused(...)
    local result = stack:expect({ ... }, 1)
    ok(result.stderr:find(told, 1, true), result.stderr)
  end
  is_refused "up"
  equal(stack:pids(), pids)
  stack:write(with_ports(port("0.0.0.0", free, "tcp"))) -- its own VM has it at another address
  stack:expect { "up" }
  equal(#stack:pids(), 1)
  stack:expect { "stop" }
  local foreign <close> = assert(net.listen_tcp("127.0.0.1", free))
  told = ("host port 0.0.0.0:%d/tcp cannot be used"):format(free)
  is_refused "start"
  foreign:close()
  stack:expect { "start" }
end)

test("a port of two projects: validate and plan say whose it is, up refuses while he has it", function()
  local net = require "sys.net"
  local tcp <close> = assert(net.reserve_port("tcp", "127.0.0.1", 0))
  local port = assert(net.bound_port(tcp))
  tcp:close()
  local text = GOOD:gsub("image_os: plain", ('image_os: plain, ports: ["%d:80"]'):format(port))
  local one <close> = stack_of(text)
  local other <close> = stack_of((text:gsub("name: one", "name: other")))
  other.state = one.state
  one:expect { "up" }
  local owner = ("host port 127.0.0.1:%d/tcp is also that of vm-0 of project one: only one of them can run"):format(port)
  local validated = other:expect { "validate" }
  ok(validated.stderr:find(owner, 1, true), validated.stderr)
  for _, verb in ipairs { "plan", "up" } do
    local result = other:expect({ verb }, 1)
    ok(result.stderr:find("cannot be used: vm-0 of project one has it", 1, true), result.stderr)
  end
  one:expect { "stop" }
  local started = other:expect { "up" }
  ok(started.stderr:find(owner, 1, true), started.stderr)
  local refused_start = one:expect({ "start" }, 1)
  ok(refused_start.stderr:find("cannot be used: vm-0 of project other has it", 1, true), refused_start.stderr)
end)

-- -- full disks ------------------------------------------------------------------------------------------------------------

--- A small file system in place of the state directory, until the scope is left.
local function small_state(stack, kib)
  assert(fs.mkdir_all(stack.state, 448))
  local mounted = run_tool { "mount", "-t", "tmpfs", "-o", ("size=%dk,mode=700"):format(kib), "holos-test", stack.state }
  if mounted.status ~= 0 then skip("no right to mount a small file system: " .. mounted.stderr) end
  return setmetatable({}, { __close = function() run_tool { "umount", "--lazy", stack.state } end })
end

local function make_room(stack)
  equal(run_tool({ "mount", "-o", "remount,size=64m", stack.state }).status, 0)
end

--- `up` on a disk of so many KiB, then on one that has room. Whether it was too small.
local function grow_out_of(kib)
  local stack = stack_of()
  local _mounted <close> = small_state(stack, kib)
  local _taken_down <close> = stack
  local result = stack:run { "up" }
  if result.status == 0 then
    make_room(stack) -- it may have fitted so narrowly that `down` does not
    return false
  end
  equal({ result.status, #stack:pids() }, { 1, 0 }, ("%d KiB: %s"):format(kib, result.stderr))
  ok(result.stderr:find("No space left on device", 1, true) and not result.stderr:find("internal error", 1, true),
    ("%d KiB: %s"):format(kib, result.stderr))
  equal(files.below(stack.state, "%.tmp$"), {})
  make_room(stack)
  stack:expect { "up" }
  equal(#stack:pids(), 1)
  stack:expect { "down" }
  return true
end

test("a disk that gets full at any point of up is told; with room again, up finishes", function()
  local kib = 4
  while grow_out_of(kib) do kib = kib + (kib < 64 and 4 or 32) end
  ok(kib > 64, "up needs more than 64 KiB")
end)

test("exec that cannot try is exit 125, whatever the reason; a wrong command line is 64", function()
  local stack <close> = stack_of()
  local function status(...) return stack:run({ "exec", ... }).status end
  equal(status("vm", "true"), 125) -- no such project
  stack:expect { "up" }
  equal({ status("nobody", "true"), status("-p", "nobody", "vm", "true"), status("-f", "none.yaml", "vm", "true") },
    { 125, 125, 125 })
  equal({ status(), status("--nonsense", "vm") }, { 64, 64 })
  stack:expect { "stop" }
  equal(status("vm", "true"), 125)
  assert(fs.write_atomic(stack.state .. "/projects/one.json", "{", { mode = 384 }))
  equal(status("vm", "true"), 125)
  assert(fs.remove(stack.directory .. "/holos.yaml"))
  equal(status("vm", "true"), 125) -- no file, and no project of the name "vm"
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
