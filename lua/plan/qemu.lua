--- The QEMU command line of one instance, and the descriptors that it is given. Pure.
--- Everything QEMU works on is opened by us and passed as a descriptor: it needs no rights in the file system, no
--- path is too long for a socket, and nothing can be swapped between our check and its open. Generation 1; the order
--- of arguments, node names and ids are kept, so that live changes of later versions find what they expect.
local boot = require "holos.plan.qemu.boot"
local path = require "holos.core.path"
local text = require "holos.core.text"

local M = {}

--- Where passed descriptors start: 0..2 are the standard streams.
local FIRST_FD = 3
--- Directories get numbers that none of our own descriptors has: when it ends, QEMU unlinks its sockets by the names
--- that we bound them with, /proc/self/fd/<our number>/<name>, and must not find a directory of the user's behind
--- that number.
local FIRST_DIRECTORY_FD = 900
--- Free ports for hotplug; adding them later would restart everybody.
M.SPARE_ROOT_PORTS = 4
--- TCG's translation cache; its default grows to 1 GiB (measured: 1.4 GB RSS for a 512 MiB guest).
M.TCG_CACHE_MIB = 128

--- A full host disk pauses the VM instead of failing the guest's write.
local ON_ERROR = ",werror=stop,rerror=report"

local Builder = {}
Builder.__index = Builder

--- A command under construction.
---@param spec table  instance spec
---@param host table  as of M.command
function M.builder(spec, host)
  return setmetatable({ spec = spec, host = host, argv = {}, fds = {}, landlock = {} }, Builder)
end

--- Appends words to argv.
function Builder:add(...)
  for _, word in ipairs { ... } do self.argv[#self.argv + 1] = word end
end

--- Asks for a descriptor and gives the number it will have. `what` tells run/launch how to open it.
function Builder:descriptor(what)
  what.number = (what.role == "directory" and FIRST_DIRECTORY_FD or FIRST_FD) + #self.fds
  self.fds[#self.fds + 1] = what
  return what.number
end

--- A file as an fd set of its own, so that block and character back ends open it by name.
function Builder:fdset(what)
  local number = self:descriptor(what)
  self:add("-add-fd", ("fd=%d,set=%d"):format(number, number))
  return "/dev/fdset/" .. number
end

function M.machine(b)
  local vm, spec = b.spec.vm, b.spec
  b:add("-name", ("guest=%s/%s,debug-threads=on"):format(spec.project, spec.name), "-uuid", spec.uuid)
  b:add("-nodefaults", "-no-user-config", "-display", "none")
  b:add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
  b:add("-machine", vm.machine .. ",memory-backend=ram0,usb=off,vmport=off")
  b:add("-accel", vm.accel == "tcg" and "tcg,tb-size=" .. M.TCG_CACHE_MIB or "kvm")
  b:add("-cpu", vm.cpu_model, "-smp", tostring(vm.vcpu), "-m", tostring(vm.memory_mib))
  b:add("-object", ("memory-backend-memfd,id=ram0,size=%dM,share=on"):format(vm.memory_mib))
  b:add("-smbios", "type=1,serial=" .. spec.instance_id, "-action", "panic=pause")
end

--- Two monitors: one for the supervisor, one for commands; the console with its log; the guest's report.
function M.channels(b)
  for _, name in ipairs { "qmp", "qmp-command" } do
    local fd = b:descriptor { role = "listen", name = name .. ".sock" }
    b:add("-chardev", ("socket,id=%s,fd=%d,server=on,wait=off"):format(name, fd))
    b:add("-mon", ("chardev=%s,mode=control"):format(name))
  end
  local log = b:fdset { role = "append", name = "console.log" }
  local serial = b:descriptor { role = "listen", name = "console.sock" }
  b:add("-chardev", ("socket,id=console,fd=%d,server=on,wait=off,logfile=%s,logappend=on"):format(serial, log))
  b:add("-serial", "chardev:console")
  local report = b:fdset { role = "append", name = "report.log" }
  b:add("-device", "virtio-serial-pci,id=serial-bus")
  b:add("-chardev", ("file,id=report,path=%s,append=on"):format(report))
  b:add("-device", "virtserialport,id=report-port,bus=serial-bus.0,chardev=report,name=org.holos.report")
end

function M.platform(b)
  b:add("-device", "pvpanic-pci,id=panic")
  b:add("-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,id=rng,rng=entropy")
  b:add("-device", "virtio-balloon-pci,id=balloon,free-page-reporting=on")
  for port = 1, M.SPARE_ROOT_PORTS do
    b:add("-device", ("pcie-root-port,id=spare%d,bus=pcie.0,chassis=%d,slot=%d"):format(port, port, port))
  end
end

local function file_node(b, node, file, read_only)
  b:add("-blockdev", ("driver=file,node-name=%s,filename=%s,read-only=%s,auto-read-only=off,discard=unmap")
    :format(node, file, read_only and "on" or "off"))
end

--- A qcow2 node without a backing file, whatever its header says. JSON, for the key=value form knows no null.
local function qcow2_node(b, node, read_only)
  b:add("-blockdev", ('{"driver":"qcow2","node-name":"%s","file":"%s-file","backing":null,"read-only":%s,"discard":"unmap"}')
    :format(node, node, read_only))
end

local function base_nodes(b, image)
  file_node(b, "base-file", b:fdset { role = "read", path = image.path }, true)
  if image.format == "qcow2" then
    qcow2_node(b, "base", true)
  else
    b:add("-blockdev", "driver=raw,node-name=base,file=base-file,read-only=on")
  end
end

--- The overlay over its base; the chain is spelled out, so that no name inside an image is ever followed. A machine
--- without an image has a blank disk.
function M.root_disk(b)
  local image = b.spec.image
  if image.path then base_nodes(b, image) end
  file_node(b, "root-file", b:fdset { role = "write", name = "root.qcow2" }, false)
  if image.path then
    b:add("-blockdev", "driver=qcow2,node-name=root,file=root-file,backing=base,discard=unmap")
  else
    qcow2_node(b, "root", false)
  end
  b:add("-device", ("virtio-blk-pci,id=root-disk,drive=root,serial=root,bootindex=%d"):format(
    boot.root_index(b.spec.cdroms)) .. ON_ERROR)
end

--- The seed: virtio-blk, because Debian's cloud kernel has no AHCI for a CD-ROM.
function M.seed_disk(b)
  file_node(b, "seed-file", b:fdset { role = "read", name = "seed.iso" }, true)
  b:add("-blockdev", "driver=raw,node-name=seed,file=seed-file,read-only=on")
  b:add("-device", "virtio-blk-pci,id=seed-disk,drive=seed,serial=seed")
end

--- The disk of a volume without a name: it lies with its instance, and goes where that goes.
function M.anonymous_file(mount) return ("volume-%s.qcow2"):format(mount.volume) end

-- Each volume once, however many of its directories are mounted; written to when any of them is.
local function volumes_of(spec)
  local volumes, by_serial = {}, {}
  for _, mount in ipairs(spec.mounts) do
    local known = by_serial[mount.serial]
    if mount.kind == "volume" and known then
      known.read_only = known.read_only and mount.read_only
    elseif mount.kind == "volume" then
      by_serial[mount.serial] = { serial = mount.serial, volume = mount.volume, anonymous = mount.anonymous,
        read_only = mount.read_only }
      volumes[#volumes + 1] = by_serial[mount.serial]
    end
  end
  return volumes
end

-- QEMU's limit is 31 bytes; serials have at most 20 and differ.
local function simple(serial) return (serial:gsub("[^%w-]", "-")) end

--- A node's name for a volume: its serial made simple, or as it is where another one would be the same then.
local function volume_node(volumes, volume)
  local node = simple(volume.serial)
  for _, other in ipairs(volumes) do
    if other.serial ~= volume.serial and simple(other.serial) == node then return volume.serial end
  end
  return node
end

function M.volumes(b)
  local volumes = volumes_of(b.spec)
  for _, volume in ipairs(volumes) do
    local node = volume_node(volumes, volume)
    local what = { role = volume.read_only and "read" or "write" }
    if volume.anonymous then
      what.name = M.anonymous_file(volume)
    else
      what.path = path.join(b.host.volumes_directory, volume.volume .. ".qcow2")
    end
    file_node(b, node .. "-file", b:fdset(what), volume.read_only)
    qcow2_node(b, node, volume.read_only or false)
    b:add("-device", ("virtio-blk-pci,id=%s-disk,drive=%s,serial=%s%s"):format(node, node, volume.serial, ON_ERROR))
  end
end

local function share_9p(b, mount)
  local fd = b:descriptor { role = "directory", path = mount.source }
  b.landlock[#b.landlock + 1] = { path = mount.source, access = mount.read_only and "read" or "write" }
  b:add("-fsdev", ("local,id=%s,path=/proc/self/fd/%d,security_model=none,multidevs=remap%s"):format(mount.tag, fd,
    mount.read_only and ",readonly=on" or ""))
  b:add("-device", ("virtio-9p-pci,id=%s-device,fsdev=%s,mount_tag=%s"):format(mount.tag, mount.tag, mount.tag))
end

local function share_virtiofs(b, mount)
  local fd = b:descriptor { role = "virtiofs", tag = mount.tag, path = mount.source, read_only = mount.read_only }
  b:add("-chardev", ("socket,id=%s,fd=%d"):format(mount.tag, fd))
  b:add("-device", ("vhost-user-fs-pci,id=%s-device,chardev=%s,tag=%s,queue-size=1024"):format(mount.tag, mount.tag, mount.tag))
end

function M.shares(b)
  for _, mount in ipairs(b.spec.mounts) do
    if mount.kind == "bind" then
      if mount.driver == "virtiofs" then share_virtiofs(b, mount) else share_9p(b, mount) end
    end
  end
end

--- "hostfwd=tcp:127.0.0.1:8080-:80"; host port 0 lets QEMU's libslirp pick, to be read back.
function M.forward(port)
  return ("hostfwd=%s:%s:%d-:%d"):format(port.protocol, port.host_ip, port.host, port.guest)
end

function M.network(b)
  for number, nic in ipairs(b.spec.nics) do
    local id = "net" .. (number - 1)
    if nic.kind == "user" then
      local words = { "user,id=" .. id .. (nic.restrict and ",restrict=on" or "") }
      for _, port in ipairs(b.host.forwards) do words[#words + 1] = M.forward(port) end
      b:add("-netdev", table.concat(words, ","))
    else
      b:add("-netdev", ("socket,id=%s,mcast=%s:%d,localaddr=127.0.0.1"):format(id, nic.group, nic.port))
    end
    b:add("-device", ("virtio-net-pci,id=nic%d,netdev=%s,mac=%s,romfile="):format(number - 1, id, nic.mac))
  end
end

function M.extra(b) b:add(table.unpack(b.spec.vm.extra_args)) end

--- The sections of a command line, in order; a function, so that a script can add or drop one.
function M.sections(_)
  return { M.machine, M.channels, M.platform, boot.firmware, boot.kernel, M.root_disk, M.seed_disk, M.volumes,
    boot.cdroms, M.shares, M.network, boot.clock, M.extra }
end

--- The whole command of one instance.
---@param host table  {directory, volumes_directory, firmware = {code, vars}?, forwards = ports with leases filled in}
---@return {argv: string[], fds: table[], landlock: table[]} command
function M.command(spec, host)
  local builder = M.builder(spec, host)
  for _, section in ipairs(M.sections(spec)) do section(builder) end
  return { argv = builder.argv, fds = builder.fds, landlock = builder.landlock }
end

--- The command as a person can read and paste it.
function M.show(program, argv)
  local words = { text.shell_quote(program) }
  for i, word in ipairs(argv) do words[i + 1] = text.shell_quote(word) end
  return table.concat(words, " ")
end

return M
