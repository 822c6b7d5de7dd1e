--- Projects as the loader makes them (version 2), built by hand for tests of what comes after it. Pure.
local tables = require "holos.core.table"

local M = {}

--- Not a hash to trust, but one that differs with its text: plans only need that.
function M.sha256(text)
  local words, state = {}, 0x811c9dc5
  for round = 1, 8 do
    for i = 1, #text do state = ((state ~ text:byte(i)) * 0x01000193 + round) & 0xffffffff end
    words[round] = ("%08x"):format(state)
  end
  return table.concat(words)
end

M.IMAGE = "/images/tiny.qcow2"

--- A service with nothing but an image; `changes` are laid over it.
function M.service(name, changes)
  return tables.merge({
    name = name, replicas = 1, image = { path = M.IMAGE, format = "qcow2", os = "plain" },
    vm = { vcpu = 1, machine = "q35", accel = "tcg", uefi = false, extra_args = {}, allow_paths = {}, run_as_root = false },
    ports = {}, mounts = {}, depends_on = {}, cloud_init = {}, stop_grace_ms = 30000, labels = {}, protect = false,
    console_login = "none",
  }, changes or {})
end

--- A service that says something about everything.
function M.everything(os)
  return M.service("app", {
    image = { os = os or "systemd" }, hostname = "box", domainname = "example.com",
    vm = { vcpu = 2, memory_mib = 1024, cpu_quota = 1.5, uefi = false, watchdog = "reset" },
    environment = { PLAIN = "yes", ["QUOTED"] = "it's \"so\" $HOME `id` 100%\\n", LINES = "one\ntwo\n", EMPTY = "",
      ["discovery.type"] = "single-node" },
    networks = { { network = "front", aliases = { "www" }, address = "10.5.0.9", interface_name = "lan0" },
      { network = "back", aliases = {} } }, mac = "52:54:00:aa:bb:cc",
    dns = { "9.9.9.9", "1.1.1.1" }, dns_search = { "example.com" }, dns_options = { "rotate", "ndots:2" },
    extra_hosts = { { name = "gateway", address = "host-gateway" }, { name = "printer", address = "192.0.2.7" } },
    configs = { { key = "conf", target = "/etc/app/conf, with comma", uid = 0, gid = "nogroup", mode = 420 } },
    secrets = { { key = "pin", target = "/run/secrets/pin" }, { key = "pin", target = "/etc/app/pin", uid = "app", mode = 256 } },
    mounts = { { kind = "volume", volume = "data", target = "/srv/data", read_only = false },
      { kind = "volume", volume = "app-1a2b3c4d", anonymous = true, target = "/srv/scratch", read_only = false },
      { kind = "bind", source = "/home/anna/www", target = "/srv/www", read_only = true, create_host_path = true },
      { kind = "tmpfs", target = "/srv/tmp dir", size_bytes = 1 << 20, mode = 448 } },
    app = { argv = { "/usr/bin/app", "--name=it's 100% $HOME", "two\nlines", "" }, working_dir = "/srv/my app",
      user = "app:staff", group_add = { "dialout", "20" }, ulimits = { nofile = { soft = 1024, hard = 4096 },
        memlock = { soft = -1, hard = -1 } }, pids_limit = 100, stop_signal = "SIGINT" },
    sysctls = { ["net.core.somaxconn"] = "1024", ["net.ipv4.ip_local_port_range"] = "1024 65000" },
    shm_size_bytes = 128 << 20,
    boot = { kernel = "/boot/vmlinuz", initrd = "/boot/initrd.img", cmdline = "root=LABEL=root console=ttyS0,115200" },
    cdroms = { { path = "/isos/tools, new.iso" }, { path = "/isos/install.iso", boot_index = 1 } }, rtc = "2026-01-01T00:00:00",
    ports = { { host_ip = "127.0.0.1", host = 8000, host_to = 8010, guest = 80, protocol = "tcp" },
      { host_ip = "127.0.0.1", host = 0, guest = 53, protocol = "udp", name = "dns" } },
    depends_on = tables.list { { service = "app", condition = "started", required = false } }, ready = "provisioned",
  })
end

--- A project of one such service, and the facts that it rests on.
---@return table project
---@return table facts
function M.whole(os)
  local project = M.project({ M.everything(os) }, {
    networks = { front = { key = "front", subnet = "10.5.0.0/24" }, back = { key = "back", internal = true } },
    configs = { conf = { key = "conf", source = { kind = "content", text = "a = 1\n" } } },
    secrets = { pin = { key = "pin", source = { kind = "environment", variable = "PIN" } } } })
  local file = { type = "file", mode = tonumber("644", 8) }
  return project, M.facts { digests = { configs = { conf = "c0ffee" }, secrets = { pin = "5ec2e7" } }, files = {
    ["/boot/vmlinuz"] = file, ["/boot/initrd.img"] = file, ["/isos/tools, new.iso"] = file, ["/isos/install.iso"] = file } }
end

--- A project of services, in the order that they are given in.
---@param services table[]
---@param changes table?
function M.project(services, changes)
  local project = { name = "shop", directory = "/home/anna/shop", files = {}, order = {}, services = {}, volumes = {}, marks = {} }
  for position, service in ipairs(services) do
    project.order[position], project.services[service.name] = service.name, service
  end
  return tables.merge(project, changes or {})
end

--- Facts about a host that has all that is needed.
function M.facts(changes)
  return tables.merge({
    sha256 = M.sha256, uid = 1000, records = {}, routes = {}, kvm = { usable = false, reason = "no vmx" },
    images = { [M.IMAGE] = { path = M.IMAGE, format = "qcow2", size_bytes = 1 << 30, mtime_ns = 1, inode = 2 } },
    qemu = { program = "/usr/bin/qemu-system-x86_64", version = "7.2.0", machines = { q35 = "pc-q35-7.2" } },
    architecture = "x86_64", files = {}, digests = { configs = {}, secrets = {} },
  }, changes or {})
end

--- The record of a project that nothing was done with yet.
function M.record() return { name = "shop", instances = {}, volumes = {}, leases = { addresses = {} } } end

--- The record as `up` leaves it when it has made these specs.
function M.recorded(result, lease)
  local record = M.record()
  for _, spec in ipairs(result.specs) do record.instances[spec.name] = { spec = spec, leased = {}, desired = "running" } end
  lease.remember(record, result.leases)
  record.hosts = result.hosts
  return record
end

--- The messages of findings, one a line.
function M.messages(findings)
  local lines = {}
  for i, finding in ipairs(findings or {}) do lines[i] = finding.message end
  return table.concat(lines, "\n")
end

return M
