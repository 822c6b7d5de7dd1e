--- The QEMU command line of one instance, and the descriptors that it is given. Pure.
--- Everything QEMU works on is opened by us and passed as a descriptor: it needs no rights in the file system, no
--- path is too long for a socket, and nothing can be swapped between our check and its open. Generation 1; the order
--- of arguments, node names and ids are kept, so that live changes of later versions find what they expect.
local boot = require "holos.plan.qemu.boot"
local builder_ = require "holos.plan.qemu.builder"
local cause = require "holos.plan.qemu.cause"
local disks = require "holos.plan.qemu.disks"
local text = require "holos.core.text"

local M = {}

--- Free ports for hotplug; adding them later would restart everybody.
M.SPARE_ROOT_PORTS = 4
--- TCG's translation cache; its default grows to 1 GiB (measured: 1.4 GB RSS for a 512 MiB guest).
M.TCG_CACHE_MIB = 128

local function identity(b)
  local spec = b.spec
  b:option({ cause.holos "what the process is called, in ps and in logs",
    cause.key("container_name", "the service's name and a number") }, "-name",
    ("guest=%s/%s,debug-threads=on"):format(spec.project, spec.name))
  b:option(cause.holos "made of the names of project and instance, kept in the record", "-uuid", spec.uuid)
end

local function nothing_unasked(b)
  b:option(cause.holos "no device that is not named here", "-nodefaults")
  b:option(cause.holos "no configuration of the host's users", "-no-user-config")
  b:option(cause.holos "no window", "-display", "none")
  b:option(cause.holos "QEMU itself may start no program and gain no rights", "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
end

--- The machine itself: identity, sandbox, type, accelerator, CPU, memory.
function M.machine(b)
  local vm, spec = b.spec.vm, b.spec
  identity(b)
  nothing_unasked(b)
  b:option(cause.key("vm.machine", "q35 of this host's QEMU when the machine was made, and kept"), "-machine",
    vm.machine .. ",memory-backend=ram0,usb=off,vmport=off")
  b:option(cause.key("vm.accel", vm.accel == "tcg" and "KVM cannot be used here, so it is emulated" or "KVM can be used here"),
    "-accel", vm.accel == "tcg" and "tcg,tb-size=" .. M.TCG_CACHE_MIB or "kvm")
  b:option(cause.key("vm.cpu_model", "host with KVM, max without"), "-cpu", vm.cpu_model)
  b:option(cause.number("vcpu", "one, unless the file asks for more"), "-smp", tostring(vm.vcpu))
  local memory = cause.number("memory", "512 MiB, unless the file asks for more")
  b:option(memory, "-m", tostring(vm.memory_mib))
  b:option({ memory, cause.holos "memory that can be shared with virtiofsd" }, "-object",
    ("memory-backend-memfd,id=ram0,size=%dM,share=on"):format(vm.memory_mib))
  b:option(cause.holos "cloud-init's instance-id: changes with the first part of the seed", "-smbios",
    "type=1,serial=" .. spec.instance_id)
  b:option(cause.holos "a guest that panics stays, to be looked at", "-action", "panic=pause")
end

local function monitors(b)
  for _, name in ipairs { "qmp", "qmp-command" } do
    local why = cause.holos(name == "qmp" and "the supervisor's monitor" or "the monitor of commands")
    local fd = b:descriptor { role = "listen", name = name .. ".sock" }
    b:option(why, "-chardev", ("socket,id=%s,fd=%d,server=on,wait=off"):format(name, fd))
    b:option(why, "-mon", ("chardev=%s,mode=control"):format(name))
  end
end

--- Two monitors: one for the supervisor, one for commands; the console with its log; the guest's report.
function M.channels(b)
  monitors(b)
  local console = cause.holos "the serial console: holos console, holos logs"
  local log = b:fdset({ role = "append", name = "console.log" }, console)
  local serial = b:descriptor { role = "listen", name = "console.sock" }
  b:option(console, "-chardev", ("socket,id=console,fd=%d,server=on,wait=off,logfile=%s,logappend=on"):format(serial, log))
  b:option(console, "-serial", "chardev:console")
  local report = cause.holos "what the guest reports of its start: holos ps"
  local file = b:fdset({ role = "append", name = "report.log" }, report)
  b:option(report, "-device", "virtio-serial-pci,id=serial-bus")
  b:option(report, "-chardev", ("file,id=report,path=%s,append=on"):format(file))
  b:option(report, "-device", "virtserialport,id=report-port,bus=serial-bus.0,chardev=report,name=org.holos.report")
end

--- What every machine has, whatever its file says.
function M.platform(b)
  b:option(cause.holos "tells when the guest's kernel panics", "-device", "pvpanic-pci,id=panic")
  local entropy = cause.holos "random numbers from the host, so that keys are made at once"
  b:option(entropy, "-object", "rng-random,id=entropy,filename=/dev/urandom")
  b:option(entropy, "-device", "virtio-rng-pci,id=rng,rng=entropy")
  b:option(cause.holos "gives memory that the guest has freed back to the host", "-device",
    "virtio-balloon-pci,id=balloon,free-page-reporting=on")
  for port = 1, M.SPARE_ROOT_PORTS do
    b:option(cause.holos "a free slot, for devices that are added while it runs", "-device",
      ("pcie-root-port,id=spare%d,bus=pcie.0,chassis=%d,slot=%d"):format(port, port, port))
  end
end

--- A watchdog, where the file wants one. It has a place of its own on the bus, so that no other device moves with it.
function M.watchdog(b)
  local action = b.spec.vm.watchdog
  if not action then return end
  b:option(cause.key "vm.watchdog", "-device", "i6300esb,id=watchdog,bus=pcie.0,addr=0x1d")
  b:option(cause.key "vm.watchdog", "-action", "watchdog=" .. action)
end

--- A graphics card that nobody looks at, for guests whose boot loader stops without one. It too has a place of its own.
function M.graphics(b)
  if not b.spec.vm.vga then return end
  b:option(cause.key("image", "its boot loader stops where there is no graphics card"), "-device",
    "VGA,id=vga,bus=pcie.0,addr=0x1e")
end

local function share_9p(b, mount, why)
  local fd = b:descriptor { role = "directory", path = mount.source }
  b.landlock[#b.landlock + 1] = { path = mount.source, access = mount.read_only and "read" or "write" }
  b:option(why, "-fsdev", ("local,id=%s,path=/proc/self/fd/%d,security_model=none,multidevs=remap%s"):format(mount.tag, fd,
    mount.read_only and ",readonly=on" or ""))
  b:option(why, "-device", ("virtio-9p-pci,id=%s-device,fsdev=%s,mount_tag=%s"):format(mount.tag, mount.tag, mount.tag))
end

local function share_virtiofs(b, mount, why)
  local fd = b:descriptor { role = "virtiofs", tag = mount.tag, path = mount.source, read_only = mount.read_only }
  b:option(why, "-chardev", ("socket,id=%s,fd=%d"):format(mount.tag, fd))
  b:option(why, "-device", ("vhost-user-fs-pci,id=%s-device,chardev=%s,tag=%s,queue-size=1024"):format(mount.tag, mount.tag,
    mount.tag))
end

--- Directories of the host.
function M.shares(b)
  for position, mount in ipairs(b.spec.mounts) do
    if mount.kind == "bind" then
      local share = mount.driver == "virtiofs" and share_virtiofs or share_9p
      share(b, mount, cause.items("volumes", { position }))
    end
  end
end

--- "hostfwd=tcp:127.0.0.1:8080-:80"; host port 0 lets QEMU's libslirp pick, to be read back.
function M.forward(port)
  return ("hostfwd=%s:%s:%d-:%d"):format(port.protocol, port.host_ip, port.host, port.guest)
end

-- The first port is sshd's, the others are those of the spec in their order.
local function user_card(b, id, nic)
  local words, why = { "user,id=" .. id }, { cause.holos "the way out, and in: SSH for exec and health checks" }
  if nic.restrict then
    words[1] = words[1] .. ",restrict=on"
    for _, other in ipairs(b.spec.nics) do
      if other.network then why[#why + 1] = cause.network({ ("networks.%s.internal"):format(other.network) }) end
    end
  end
  for position, port in ipairs(b.host.forwards) do
    words[#words + 1] = M.forward(port)
    if position > 1 then why[#why + 1] = cause.key(("ports[%d]"):format(position - 1)) end
  end
  b:option(why, "-netdev", table.concat(words, ","))
end

local function mac_cause(nic, number)
  if nic.kind == "user" then return cause.holos "the card to the outside; its MAC is made of project and instance" end
  local keys = { ("networks.%s.mac_address"):format(nic.network) }
  if number == 2 then keys[2] = "mac_address" end
  return cause.key(keys, "its MAC is made of project, instance and network")
end

--- Cards: the user-mode one, then one for each network.
function M.network(b)
  for number, nic in ipairs(b.spec.nics) do
    local id = "net" .. (number - 1)
    if nic.kind == "user" then
      user_card(b, id, nic)
    else
      local key = "networks." .. (nic.network or "default")
      b:option({ cause.key({ key }, "in the default network, as the service names none"),
        cause.holos "its group and port are leased to the network, and kept" }, "-netdev",
        ("socket,id=%s,mcast=%s:%d,localaddr=127.0.0.1"):format(id, nic.group, nic.port))
    end
    b:option(mac_cause(nic, number), "-device", ("virtio-net-pci,id=nic%d,netdev=%s,mac=%s,romfile="):format(number - 1, id,
      nic.mac))
  end
end

--- What the file wants to be passed as it is: an option for each word that begins with a dash, with those behind it.
function M.extra(b)
  local words, why
  for position, word in ipairs(b.spec.vm.extra_args) do
    if words and word:sub(1, 1) == "-" then
      b:option(why, table.unpack(words))
      words = nil
    end
    words, why = words or {}, words and why or cause.key(("vm.extra_args[%d]"):format(position))
    words[#words + 1] = word
  end
  if words then b:option(why, table.unpack(words)) end
end

--- The sections of a command line, in order; a function, so that a script can add or drop one.
function M.sections(_)
  return { M.machine, M.channels, M.platform, M.watchdog, M.graphics, boot.firmware, boot.kernel, disks.root, disks.seed,
    disks.volumes, boot.cdroms, M.shares, M.network, boot.clock, disks.context, M.extra }
end

--- The whole command of one instance.
---@param host table  {directory, volumes_directory, contents_directory,
---                     firmware = {code, vars}?, forwards = ports with leases filled in}
---@return {argv: string[], options: {words: string[], causes: holos.Cause[]}[], fds: table[], landlock: table[]} command
function M.command(spec, host)
  local builder = builder_.new(spec, host)
  for _, section in ipairs(M.sections(spec)) do section(builder) end
  return { argv = builder.argv, options = builder.options, fds = builder.fds, landlock = builder.landlock }
end

--- The command as a person can read and paste it.
function M.show(program, argv)
  local words = { text.shell_quote(program) }
  for i, word in ipairs(argv) do words[i + 1] = text.shell_quote(word) end
  return table.concat(words, " ")
end

return M
