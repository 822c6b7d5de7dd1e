-- What a machine is made of and starts from: the spec, the record that keeps it, QEMU's arguments.
local boot = require "holos.plan.qemu.boot"
local instance = require "holos.plan.instance"
local made = require "tests.support.project"
local ports = require "holos.plan.ports"
local qemu = require "holos.plan.qemu"
local record_schema = require "holos.plan.record_schema"
local seed = require "holos.plan.seed"

local function spec_of(project, facts)
  local result, findings = instance.specs(project, made.record(), facts or made.facts())
  return result and result.specs[1], made.messages(findings)
end

local function command_of(spec, forwards)
  return qemu.command(spec, { directory = "/state/instances/shop/" .. spec.name, volumes_directory = "/state/volumes/shop",
    forwards = forwards or {}, firmware = { code = "/fw/CODE.fd", vars = "/fw/VARS.fd" } })
end

-- The value behind an option, for each time it is there.
local function values_of(command, option)
  local values = {}
  for position, word in ipairs(command.argv) do
    if word == option then values[#values + 1] = command.argv[position + 1] end
  end
  return values
end

local function has(list, wanted)
  for _, item in ipairs(list) do
    if item:find(wanted, 1, true) then return true end
  end
  return false
end

test("a machine with everything: its spec is sound in a record, its arguments are these", function()
  local project, facts = made.whole()
  local spec, message = spec_of(project, facts)
  ok(spec, message)
  equal(record_schema.complaint(record_schema.spec, spec), nil)
  local shown = qemu.show("qemu-system-x86_64", command_of(spec, { { protocol = "tcp", host_ip = "127.0.0.1", host = 0,
    guest = 22 } }).argv)
  golden("language/everything.argv", (shown:gsub(" %-", " \\\n  -")) .. "\n")
end)

test("a kernel is handed over as a descriptor that QEMU may open again, and nothing else of its directory", function()
  local project, facts = made.whole()
  local command = command_of(spec_of(project, facts))
  local number = values_of(command, "-kernel")[1]:match("^/proc/self/fd/(%d+)$")
  local what
  for _, fd in ipairs(command.fds) do
    if tostring(fd.number) == number then what = fd end
  end
  equal({ what.role, what.path }, { "read", "/boot/vmlinuz" })
  equal(command.landlock[1], { path = "/boot/vmlinuz", access = "read" })
  equal(command.landlock[2], { path = "/boot/initrd.img", access = "read" })
  equal(values_of(command, "-append"), { "root=LABEL=root console=ttyS0,115200" })
end)

test("a kernel that QEMU could not read without root's rights is refused with what to do", function()
  local project, facts = made.whole()
  facts.files["/boot/vmlinuz"].mode = tonumber("600", 8)
  ok(spec_of(project, facts))
  facts.uid = 0
  local _, message = spec_of(project, facts)
  equal(message, "app: boot.kernel: /boot/vmlinuz: not everybody may read it, and QEMU runs without root's rights")
  project.services.app.vm.run_as_root = true
  ok(spec_of(project, facts))
end)

test("files that are not there, and directories in their place, are told together", function()
  local project, facts = made.whole()
  facts.files["/isos/install.iso"] = { error = "/isos/install.iso: No such file or directory" }
  facts.files["/boot/initrd.img"] = { type = "directory", mode = tonumber("755", 8) }
  local _, message = spec_of(project, facts)
  equal(message, "app: boot.initrd: /boot/initrd.img: is a directory, not a file\n"
    .. "app: cdrom: /isos/install.iso: No such file or directory")
end)

test("the root disk is started from after the CD-ROMs that have a number, before the others", function()
  equal(boot.root_index(nil), 1)
  equal(boot.root_index { { path = "/a" } }, 1)
  equal(boot.root_index { { path = "/a", boot_index = 0 } }, 1)
  equal(boot.root_index { { path = "/a", boot_index = 7 }, { path = "/b", boot_index = 2 } }, 8)
  local project, facts = made.whole()
  local devices = values_of(command_of(spec_of(project, facts)), "-device")
  ok(has(devices, "drive=root,serial=root,bootindex=2"))
  ok(has(devices, "scsi-cd,id=cdrom0-drive,bus=scsi.0,drive=cdrom0,bootindex=3"))
  ok(has(devices, "scsi-cd,id=cdrom1-drive,bus=scsi.0,drive=cdrom1,bootindex=1"))
end)

test("firmware by path is a flash of its own; bios and uefi are words", function()
  local project = made.project { made.service("a", { boot = { firmware = "/fw/own.fd" } }) }
  local facts = made.facts { files = { ["/fw/own.fd"] = { type = "file", mode = tonumber("600", 8) } }, uid = 0 }
  local spec = spec_of(project, facts)
  equal(spec.boot, { firmware = "/fw/own.fd" })
  local command = command_of(spec)
  equal(values_of(command, "-machine")[2], "pflash0=firmware")
  ok(has(values_of(command, "-blockdev"), "node-name=firmware-file,filename=/dev/fdset/"))
  project.services.a.boot.firmware = "uefi"
  local _, message = spec_of(project, made.facts())
  ok(message:find("no UEFI firmware on this host", 1, true))
  spec = spec_of(project, made.facts { firmware = { code = "/c", vars = "/v" } })
  equal({ spec.vm.uefi, spec.boot }, { true, nil })
  project.services.a.boot.firmware, project.services.a.vm.uefi = "bios", true
  spec = spec_of(project, made.facts())
  equal(spec.vm.uefi, false)
end)

test("without an image there is a blank disk of its own, and an ISO that installs on it comes after it", function()
  local service = made.service("a", { cdroms = { { path = "/i.iso", boot_index = 0, is_iso = true } } })
  service.image = nil
  local spec = spec_of(made.project { service }, made.facts { files = { ["/i.iso"] = { type = "file", mode = 0 } } })
  equal(spec.disk_bytes, 20 << 30)
  equal(record_schema.complaint(record_schema.spec, spec), nil)
  local command = command_of(spec)
  ok(not has(values_of(command, "-blockdev"), "node-name=base"))
  ok(has(values_of(command, "-blockdev"), '"node-name":"root","file":"root-file","backing":null,"read-only":false'))
  ok(has(values_of(command, "-device"), "drive=root,serial=root,bootindex=1"))
  ok(has(values_of(command, "-device"), "drive=cdrom0,bootindex=2"))
end)

test("internal networks close the user-mode card; no network leaves none", function()
  local project = made.project({ made.service("a", { networks = { { network = "n", aliases = {} } } }) },
    { networks = { n = { key = "n", internal = true } } })
  equal(values_of(command_of(spec_of(project)), "-netdev")[1], "user,id=net0,restrict=on")
  project = made.project { made.service("a", { network_mode = "none" }) }
  equal(values_of(command_of(spec_of(project)), "-netdev"), {})
end)

test("a machine without an image may have shared directories", function()
  local service = made.service("web", { mounts = { { kind = "bind", source = "/www", target = "/srv" } } })
  service.image = nil
  local spec, message = spec_of(made.project { service })
  ok(spec, message)
  equal({ spec.mounts[1].driver, spec.image.os }, { "9p", "plain" })
end)

test("an anonymous volume lies with its instance", function()
  local project, facts = made.whole()
  local spec = spec_of(project, facts)
  local names = {}
  for _, fd in ipairs(command_of(spec).fds) do names[fd.name or fd.path] = fd.role end
  equal({ names["volume-app-1a2b3c4d.qcow2"], names["/state/volumes/shop/data.qcow2"] }, { "write", "write" })
end)

test("replicas count up from a fixed port, and share a range", function()
  local service = made.service("a", { ports = { { host_ip = "127.0.0.1", host = 8080, guest = 80, protocol = "tcp" },
    { host_ip = "127.0.0.1", host = 9000, host_to = 9009, guest = 90, protocol = "tcp" },
    { host_ip = "127.0.0.1", host = 0, guest = 53, protocol = "udp", app_protocol = "dns" } } })
  local second = ports.of_instance(service, 1)
  equal({ second[1].host, second[2].host, second[2].host_to, second[3].host }, { 8081, 9000, 9009, 0 })
  equal(second[3].app_protocol, nil)
end)

test("another architecture than the host's is refused by name", function()
  local project = made.project { made.service("a", { platform = { os = "linux", architecture = "aarch64" } }) }
  local _, message = spec_of(project)
  ok(message:find("platform asks for aarch64, and this host is x86_64", 1, true), message)
end)

test("a secret is root's alone unless the file says otherwise, a config everybody's; nobody writes", function()
  local project, facts = made.whole()
  local spec = spec_of(project, facts)
  equal({ spec.secrets[1].mode, spec.secrets[2].mode, spec.configs[1].mode }, { 256, 256, 292 })
  equal({ spec.secrets[1].uid, spec.secrets[2].uid, spec.configs[1].gid }, { "0", "app", "nogroup" })
  equal({ spec.secrets[1].digest, spec.configs[1].digest }, { "5ec2e7", "c0ffee" })
end)

test("what a guest finds its disks and shares by fits the devices: 20 bytes, and 31 for tags", function()
  local mounts, volumes, seen = {}, { kept = { name = ("kept-"):rep(12), size_bytes = 1 } }, {}
  for number = 1, 40 do
    local name = ("a-name-of-many-letters-%d"):format(number)
    mounts[#mounts + 1] = { kind = "volume", volume = name, target = "/v/" .. number, read_only = false }
    mounts[#mounts + 1] = { kind = "bind", source = ("/"):rep(3) .. ("long"):rep(30) .. number, target = "/b/" .. number }
    volumes[name] = { name = name, size_bytes = 1 }
  end
  mounts[#mounts + 1] = { kind = "volume", volume = "kept", target = "/kept", read_only = false }
  local whole = made.project({ made.service("web", { mounts = mounts }) }, { volumes = volumes })
  for _, mount in ipairs(assert(instance.specs(whole, made.record(), made.facts())).specs[1].mounts) do
    local name = mount.serial or mount.tag
    ok(not seen[name] and #name <= (mount.serial and 20 or 31), name)
    seen[name] = true
    if mount.target == "/kept" then equal(mount.volume, volumes.kept.name) end
  end
end)

test("a watchdog is one option more, in a place of its own: no other device of the machine moves", function()
  local project, facts = made.whole()
  local text = table.concat(command_of((spec_of(project, facts))).argv, "\n")
  project.services.app.vm.watchdog = nil
  local without = table.concat(command_of((spec_of(project, facts))).argv, "\n")
  local left = text:gsub("%-device\ni6300esb,id=watchdog,bus=pcie%.0,addr=0x1d\n%-action\nwatchdog=reset\n", "")
  equal({ left == without, text == without }, { true, false })
end)

test("an image whose boot loader wants one gets a graphics card, in a place of its own", function()
  local project, facts = made.whole()
  local without = table.concat(command_of((spec_of(project, facts))).argv, "\n")
  project.services.app.image.quirks = { needs_vga = true }
  local text = table.concat(command_of((spec_of(project, facts))).argv, "\n")
  local left = text:gsub("%-device\nVGA,id=vga,bus=pcie%.0,addr=0x1e\n", "")
  equal({ left == without, text == without }, { true, false })
end)

test("who has a stuck guest paused and nothing that restarts it is told", function()
  local function warned(action, restart)
    return seed.warnings { name = "app", vm = { watchdog = action }, restart = restart }[1]
  end
  equal(warned("pause"), "app: a guest that its watchdog pauses stays paused, as nothing restarts it: set restart: on-failure, "
    .. "or vm.watchdog: reset")
  equal(warned("pause", { policy = "no" }), warned("pause"))
  equal({ warned("pause", { policy = "always" }), warned("reset"), warned(nil) }, {})
end)
