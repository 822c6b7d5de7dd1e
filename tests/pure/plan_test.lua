local accel = require "holos.plan.accel"
local capacity = require "holos.plan.capacity"
local diff = require "holos.plan.diff"
local down = require "holos.plan.down"
local gate = require "holos.plan.gate"
local identity = require "holos.plan.identity"
local lease = require "holos.plan.lease"
local builder_ = require "holos.plan.qemu.builder"
local disks = require "holos.plan.qemu.disks"
local up = require "holos.plan.up"
local volume = require "holos.plan.reconcile.volume"

-- Not a hash to trust, but one that differs with its text: plans only need that.
local function fake_sha256(text)
  local words, state = {}, 0x811c9dc5
  for round = 1, 8 do
    for i = 1, #text do state = ((state ~ text:byte(i)) * 0x01000193 + round) & 0xffffffff end
    words[round] = ("%08x"):format(state)
  end
  return table.concat(words)
end

test("KVM is used where it is usable, refused without permission, and replaced with a warning otherwise", function()
  equal(accel.resolve("auto", { usable = true }), "kvm")
  local chosen, warning = accel.resolve("auto", { usable = false, reason = "no vmx or svm" })
  equal(chosen, "tcg")
  ok(warning:find("no vmx or svm", 1, true))
  local none, message, hint = accel.resolve("auto", { usable = false, code = "EACCES" })
  equal(none, nil)
  ok(message:find("permission denied", 1, true) and hint:find("usermod", 1, true))
  equal(accel.resolve("kvm", { usable = false, reason = "none" }), nil)
  equal(accel.resolve("tcg", { usable = true }), "tcg")
  equal(accel.cpu_model(nil, "kvm"), "host")
  equal(accel.cpu_model("host", "tcg"), "max")
end)

test("a subnet that a route of the host overlaps is passed over, and said", function()
  local routes = { { destination = "0.0.0.0", prefix = 0, interface = "eth0" },
    { destination = "10.10.0.0", prefix = 16, interface = "vpn0" }, { destination = "10.11.0.128", prefix = 25, interface = "x" } }
  local subnet, notice = lease.subnet(routes)
  equal(subnet, "10.12.0.0/24")
  ok(notice:find("vpn0", 1, true))
  equal(lease.subnet { { destination = "10.0.0.0", prefix = 8, interface = "corp" } }, nil)
end)

test("addresses stay, new ones fill the gaps, and a full subnet is refused", function()
  equal(lease.addresses({ "db-0", "web-0", "web-1" }, {}, "10.10.0.0/24"),
    { ["db-0"] = "10.10.0.2", ["web-0"] = "10.10.0.3", ["web-1"] = "10.10.0.4" })
  equal(lease.addresses({ "db-0", "web-0" }, { ["web-0"] = "10.10.0.2" }, "10.10.0.0/24"),
    { ["db-0"] = "10.10.0.3", ["web-0"] = "10.10.0.2" })
  local names = {}
  for i = 1, 254 do names[i] = "a-" .. i end
  local none, message = lease.addresses(names, {}, "10.10.0.0/24")
  equal(none, nil)
  equal(message, "a-254: no address is free in 10.10.0.0/24 (253 instances fit)")
end)

test("multicast groups are allocated, not hashed alone: a taken one is never given twice", function()
  local records = {}
  for i = 1, 60 do
    local group, port = lease.multicast(fake_sha256, "same", records)
    for _, other in pairs(records) do
      ok(other.leases.network.group ~= group or other.leases.network.port ~= port)
    end
    ok(group:match("^239%.19[2-5]%.") and port >= 5000 and port <= 9999)
    records["p" .. i] = { leases = { network = { group = group, port = port } } }
  end
end)

test("identities are stable and serials fit their 20 bytes", function()
  equal(identity.mac(fake_sha256, "p", "web-0", 0), identity.mac(fake_sha256, "p", "web-0", 0))
  ok(identity.mac(fake_sha256, "p", "web-0", 0) ~= identity.mac(fake_sha256, "p", "web-0", 1))
  ok(identity.mac(fake_sha256, "p", "web-0", 1):match("^52:54:11:%x%x:%x%x:%x%x$"))
  ok(identity.uuid(fake_sha256, "p", "web-0"):match("^%x+%-%x%x%x%x%-8%x%x%x%-a%x%x%x%-%x+$"))
  equal(identity.volume_serial(fake_sha256, "pgdata"), "vol-pgdata")
  local long = identity.volume_serial(fake_sha256, ("x"):rep(40))
  equal(#long, 20)
  ok(long ~= identity.volume_serial(fake_sha256, ("x"):rep(41)))
end)

-- -- up ---------------------------------------------------------------------------------------------------------------

local function spec(name, changes)
  local made = { name = name, service = name:match("^(.*)%-"), image = { path = "/i.qcow2", format = "qcow2", os = "plain" },
    vm = { memory_mib = 512, vcpu = 1, machine = "pc-q35-7.2", cpu_model = "max", accel = "tcg", extra_args = {},
      allow_paths = {} },
    disk_bytes = 1 << 30, ports = {}, mounts = {}, nics = {}, hosts_id = "1-a", depends_on = {}, stop_grace_ms = 30000, labels = {},
    cloud_init = {}, uuid = "u-" .. name }
  for key, value in pairs(changes or {}) do
    if key == "memory_mib" then made.vm.memory_mib = value else made[key] = value end
  end
  return made
end

local DESCRIBE = { instance = function(s) return s.name end, volume = function(v) return v.name end, bytes = tostring }

local function make(specs, recorded, running, volumes, lost)
  local record, observed = { instances = {}, volumes = {} }, { instances = {}, volumes = {} }
  for _, known in ipairs(recorded or {}) do
    record.instances[known.name] = { spec = known, desired = "running" }
    observed.instances[known.name] = { running = running[known.name] or false, text = "stopped", disk = true,
      disk_bytes = known.disk_bytes }
  end
  for name, made in pairs(lost or {}) do
    observed.instances[name].disk, record.instances[name].disk_made = false, made
  end
  local services = {}
  for _, wanted in ipairs(specs) do services[wanted.service] = true end
  return up.make { specs = specs, record = record, observed = observed, volumes = volumes or {}, describe = DESCRIBE,
    managed = services, declared = services,
    where = function(path) return "holos.yaml:" .. #path end, batch_of = function() end }
end

local function ids(plan)
  local list = {}
  for i, action in ipairs(plan.actions) do
    list[i] = action.id .. (#action.after > 0 and " < " .. table.concat(action.after, ",") or "")
  end
  return list
end

test("a first up makes disks and volumes, launches, and waits; a healthy gate holds back the dependent", function()
  local db = spec("db-0", { healthcheck = { test = { "CMD", "true" } }, mounts = { { kind = "volume", volume = "data" } } })
  local web = spec("web-0", { depends_on = { { service = "db", condition = "auto" } } })
  local plan = make({ db, web }, {}, {}, { data = { name = "data", size_bytes = 1 } })
  equal(ids(plan), { "volume/data", "disk/db-0", "launch/db-0 < volume/data,disk/db-0", "gate/db-0/healthy < launch/db-0",
    "disk/web-0", "launch/web-0 < gate/db-0/healthy,disk/web-0", "gate/web-0/provisioned < launch/web-0" })
  equal(#plan.rows, 3)
end)

test("a volume that gets another name is a new one; the plan says that the old one stays", function()
  equal(volume.kept { volumes = { data = { name = "new", size_bytes = 513 }, logs = { size_bytes = 512, fs = "xfs" } } },
    { new = { key = "data", size_bytes = 1024 }, logs = { key = "logs", size_bytes = 512, fs = "xfs" } })
  local function plan_with(observed, volumes)
    local record = { instances = {}, volumes = volumes or {} }
    return up.make { specs = {}, record = record, observed = { instances = {}, volumes = observed },
      volumes = { data = { name = "new", size_bytes = 1 } }, describe = DESCRIBE, where = function(path) return path end,
      batch_of = function() end }
  end
  local plan = plan_with { data = { size_bytes = 1 } }
  equal({ ids(plan), plan.rows[1].name, plan.rows[1].where }, { { "volume/new" }, "volume data (new)", "volumes.data" })
  equal(plan.warnings, { "volume data is no longer in the file; it stays as it is, with all that is in it" })
  equal(plan_with({ copy = { size_bytes = 1 } }, { copy = { is_copied = true } }).warnings,
    { "volume copy is not in the file; it stays as it is, with all that is in it" })
  equal(plan_with({ data = { size_bytes = 1 }, new = { size_bytes = 1 } }).warnings, {})
end)

test("a dependency that is not required holds a launch back until it has succeeded or failed, and no longer", function()
  local db = spec("db-0", { healthcheck = { test = { "CMD", "true" } } })
  local web = spec("web-0", { depends_on = { { service = "db", condition = "healthy", required = false } } })
  local api = spec("api-0", { depends_on = { { service = "db", condition = "ready" }, { service = "gone", condition = "auto",
    required = false } } })
  local plan = make({ db, web, api }, {}, {})
  local by_id = {}
  for _, action in ipairs(plan.actions) do by_id[action.id] = action end
  equal(by_id["gate/db-0/healthy"].optional, true)
  equal(by_id["launch/web-0"].after_any, { "gate/db-0/healthy" })
  equal(by_id["launch/web-0"].after, { "disk/web-0" })
  equal(by_id["launch/api-0"].after, { "gate/db-0/ready", "disk/api-0" })
  equal(by_id["gate/db-0/ready"].optional, nil)
  equal({ by_id["launch/db-0"].optional, by_id["launch/web-0"].optional }, { true })
end)

test("what is waited for: the command line, then the service's word, then health, then what the guest can tell", function()
  equal(gate.goal(spec("a-0")), "provisioned")
  equal(gate.goal(spec("a-0", { healthcheck = {} })), "healthy")
  equal(gate.goal(spec("a-0", { healthcheck = {}, ready = "running" })), "running")
  equal(gate.goal(spec("a-0", { ready = "running" }), "ready"), "ready")
  equal(gate.goal(spec("a-0", { boot = { kernel = "/k" } })), "running")
  equal(gate.goal(spec("a-0", { boot = { firmware = "/f" } })), "provisioned")
  equal(gate.goal(spec("a-0", { image = { os = "plain" } })), "running")
  for condition, goal in pairs { auto = "running", started = "running", service_started = "running", ready = "ready",
    provisioned = "provisioned", service_healthy = "healthy" } do equal(gate.of(spec "a-0", condition), goal, condition) end
end)

test("an up of what runs unchanged plans no row, only looks whether all is provisioned", function()
  local plan = make({ spec("web-0") }, { spec("web-0") }, { ["web-0"] = true })
  equal(plan.rows, {})
  equal(ids(plan), { "gate/web-0/provisioned" })
end)

test("a paused guest goes on, a panicked one is started anew; what waits for it comes after", function()
  local record = { ["web-0"] = { spec = spec("web-0") } }
  local function plan_with(cure, changes)
    return up.make { specs = { spec("web-0", changes) }, record = { instances = record, volumes = {} }, volumes = {},
      describe = DESCRIBE,
      where = function() end, observed = { volumes = {}, instances = { ["web-0"] = { running = true, disk = true,
        disk_bytes = 1 << 30, text = "paused: so", halt = { cure = cure } } } } }
  end
  equal(ids(plan_with "resume"), { "resume/web-0", "gate/web-0/provisioned < resume/web-0" })
  equal(ids(plan_with "restart"), { "stop/web-0", "launch/web-0 < stop/web-0", "gate/web-0/provisioned < launch/web-0" })
  equal(ids(plan_with(nil)), { "gate/web-0/provisioned" })
  local rows = plan_with("resume", { stop_grace_ms = 1000 }).rows
  equal({ #rows, rows[1].text, (rows[2].text:gsub("   .*", "")) }, { 2, "go on   paused: so", "at its next start" })
end)

test("VMs to be started that ask for more memory than is free are warned of, those that run are not counted", function()
  local plan = make({ spec("a-0"), spec("b-0"), spec("c-0") }, { spec("c-0") }, { ["c-0"] = true })
  local specs = { spec("a-0"), spec("b-0", { memory_mib = 1024 }), spec("c-0") }
  local seen = {}
  local function warning(mib, group)
    return capacity.memory_warning(plan.actions, specs, seen, { available_bytes = mib << 20, group = group })
  end
  equal(warning(1536), nil)
  equal(warning(1535), "2 VMs are to be started with 1.5 GiB of memory; 1.5 GiB is free")
  equal(warning(512, "/sys/fs/cgroup/x"),
    "2 VMs are to be started with 1.5 GiB of memory; 512 MiB is free (limited by /sys/fs/cgroup/x)")
  seen["b-0"] = { running = true, applied = spec("b-0") } -- restarted: it grows by 512 MiB
  equal(warning(1024), nil)
  equal(warning(1023), "2 VMs are to be started with 1 GiB of memory more than now; 1023 MiB is free")
  seen["a-0"] = { running = true, is_cut = true, applied = spec("a-0") }
  equal(warning(511), "1 VM is to be started with 512 MiB of memory more than now; 511 MiB is free")
end)

test("as many VMs are launched at a time as cores and free memory can take, one at least", function()
  local specs = { spec("a-0"), spec("b-0", { memory_mib = 1024 }) }
  equal({ capacity.parallel(1, specs, { available_bytes = 64 << 30 }), capacity.parallel(8, specs, { available_bytes = 64 << 30 }),
    capacity.parallel(8, specs, { available_bytes = 3 << 30 }), capacity.parallel(8, specs, { available_bytes = 1 << 20 }) },
    { 16, 64, 3, 1 })
end)

test("more memory restarts the running one and says where the file asks for it; its sibling is not touched", function()
  local plan = make({ spec("web-0", { memory_mib = 1024 }), spec("web-1") }, { spec("web-0"), spec("web-1") },
    { ["web-0"] = true, ["web-1"] = true })
  equal(#plan.rows, 1)
  equal(plan.rows[1].mark .. plan.rows[1].name, "~web-0")
  ok(plan.rows[1].text:find("memory 512 MiB → 1 GiB", 1, true) and plan.rows[1].where)
  equal(ids(plan)[1], "stop/web-0")
  equal(ids(plan)[2], "launch/web-0 < stop/web-0")
end)

test("another image and other first steps are asked about, never carried out unasked", function()
  local plan = make({ spec("a-0", { image = { path = "/other.qcow2", format = "qcow2", os = "plain" } }),
    spec("b-0", { cloud_init = { runcmd = { "true" } } }) }, { spec("a-0"), spec("b-0") }, {})
  equal(#plan.questions, 2)
  equal(plan.questions[1].answers, { "keep", "recreate" })
  equal(plan.questions[2].answers, { "reprovision", "keep", "recreate" })
  equal(plan.actions, {})
end)

test("what a change needs is what the compose schema says, for every key of a service", function()
  local schema, service = require "holos.core.schema", require "holos.compose.schema.service"
  local compared = {}
  for _, field in ipairs(diff.FIELDS) do compared[field.key] = diff.class_of end
  local elsewhere = { replicas = true, depends_on = true, image_format = true, networks = true, services = true }
  -- What is settled before there is a plan, what is kept for readers, what names an instance, and what up waits for.
  for word in ("extends profiles expose annotations platform container_name ready " ..
    "deploy.update_config deploy.rollback_config pull_policy pull_refresh_after"):gmatch("%S+") do
    elsewhere[word] = true
  end
  -- What is compared together with another key.
  local with = { iso = "cdrom", env_file = "environment", network_mode = "networks", mac_address = "networks",
    host_access = "networks", dockerfile = "build", domainname = "hostname", tmpfs = "volumes" }
  for word in ("deploy.restart_policy restart_on_unhealthy"):gmatch("%S+") do with[word] = "restart" end
  for word in ("entrypoint working_dir user group_add ulimits pids_limit stop_signal deploy.resources.limits.pids")
    :gmatch("%S+") do
    with[word] = "command"
  end
  for _, entry in ipairs(schema.fields(service)) do
    local group, other = entry.path:match("^([%w_]+)[.%[]"), with[entry.path] or entry.field.same_as
    local is_compared = compared[entry.path] or compared[group] or elsewhere[group] or compared[other] or elsewhere[other]
    local around = service.fields[group]
    local works = entry.field.class == "works" and (not around or around.class == "works")
    if works and entry.field.change and not elsewhere[entry.path] then ok(is_compared, entry.path .. " is compared nowhere") end
    if entry.field.change and compared[entry.path] then equal(diff.class_of(entry.path), entry.field.change) end
  end
  equal({ diff.class_of "cloud_init", diff.class_of "cloud_init.bootcmd", diff.class_of "healthcheck", diff.class_of "image" },
    { "reprovision", "restart", "live", "recreate" })
  raises("no kind of change", diff.class_of, "colour")
end)

test("a smaller disk is another disk, a larger one grows", function()
  equal(make({ spec("a-0", { disk_bytes = 1 << 20 }) }, { spec("a-0") }, {}).questions[1].answers, { "keep", "recreate" })
  local plan = make({ spec("a-0", { disk_bytes = 1 << 31 }) }, { spec("a-0") }, {})
  equal(ids(plan)[1], "grow/a-0")
end)

test("a disk that was never made is made; one that was made and is gone is refused", function()
  equal(ids(make({ spec("a-0") }, { spec("a-0") }, {}, {}, { ["a-0"] = false }))[1], "disk/a-0")
  local lost = make({ spec("a-0") }, { spec("a-0") }, {}, {}, { ["a-0"] = true })
  equal(lost.refusals[1].change.to, "gone")
  equal(#lost.rows, 0)
end)

test("a change of every field there is can be shown", function()
  local recorded = spec("a-0")
  local changed = spec("a-0", { generation = 2,
    image = { path = "/other.raw", format = "raw", os = "openrc" }, disk_bytes = 1 << 31,
    ports = { { host_ip = "127.0.0.1", host = 1, guest = 2, protocol = "tcp" } },
    mounts = { { kind = "bind", source = "/a", target = "/b", read_only = true } }, nics = { {}, { address = "10.10.0.2" } },
    hosts_id = "2-b", healthcheck = { test = { "CMD", "true" } }, stop_grace_ms = 1, labels = { a = "b" }, protect = true,
    console_login = "none", memory_mib = 1024,
    cloud_init = { bootcmd = { "true" }, runcmd = { "true" }, user = "anna", packages = { "nginx" },
      write_files = { { path = "/etc/motd", content = "hi" } }, ssh_authorized_keys = { "ssh-rsa AAAA anna" },
      user_data = "#cloud-config", extra = { ntp = {} } },
    boot = { kernel = "/k" }, cdroms = { { path = "/c.iso" } }, rtc = "utc", hostname = "h", environment = { A = "1" },
    configs = { { key = "c", target = "/c", digest = "1" } }, secrets = { { key = "s", target = "/s", digest = "1" } },
    dns = { "9.9.9.9" }, dns_search = { "lan" }, dns_options = { "rotate" }, sysctls = { ["net.core.somaxconn"] = "1" },
    shm_size_bytes = 1 << 26, app = { argv = { "/bin/app" } }, extra_hosts = { { name = "a", address = "1.2.3.4" } },
    restart = { policy = "always" }, logging = { max_bytes = 1 << 20 }, post_start = { { command = { "true" } } },
    pre_stop = { { command = { "sync" }, user = "anna" } },
    build = { digest = "b", steps = { { kind = "run", title = "RUN true" } } } })
  changed.vm = { memory_mib = 1024, vcpu = 2, machine = "pc-q35-8.0", cpu_model = "host", accel = "kvm", uefi = true,
    extra_args = { "-x" }, allow_paths = { "/x" }, run_as_root = true, cpu_quota = 1.5,
    watchdog = "pause", vga = true }
  local shown = {}
  for _, change in ipairs(diff.changes(recorded, changed)) do
    shown[change.name] = true
    ok(#change.from > 0 and #change.to > 0, change.name)
  end
  for _, field in ipairs(diff.FIELDS) do ok(shown[field.name], field.name .. " is not changed by this test") end
end)

test("values that may be secret are not shown, only that they changed", function()
  local function told(before, now) return diff.changes(spec("a-0", before), spec("a-0", now))[1] end
  local change = told({ environment = { KEPT = "1", OLD = "x", PASSWORD = "first" } },
    { environment = { KEPT = "1", NEW = "y", PASSWORD = "second" } })
  equal({ change.class, change.from, change.to }, { "restart", change.to, "NEW added, OLD removed, PASSWORD changed" })
  change = told({ secrets = { { key = "db", target = "/run/secrets/db", digest = "aa" } } },
    { secrets = { { key = "db", target = "/run/secrets/db", digest = "bb" } } })
  equal(change.to, "db (/run/secrets/db) changed")
  local plan = make({ spec("a-0", { environment = { PASSWORD = "hunter2" } }) }, { spec("a-0") }, { ["a-0"] = true })
  equal(plan.rows[1].text, "restart   environment PASSWORD added   (disk kept)")
end)

test("fewer replicas stop and go to the trash; an orphan is left alone and named", function()
  local plan = make({ spec("web-0") }, { spec("web-0"), spec("web-1"), spec("old-0") }, { ["web-0"] = true })
  equal(plan.rows[1].mark .. plan.rows[1].name, "-web-1")
  ok(plan.warnings[1]:find("old-0", 1, true))
  for _, action in ipairs(plan.actions) do ok(action.instance ~= "old-0") end
end)

test("down takes dependents first", function()
  local record = { instances = { ["db-0"] = { spec = spec("db-0") },
    ["web-0"] = { spec = spec("web-0", { depends_on = { { service = "db", condition = "auto" } } }) } } }
  local actions = down.make(record, { ["db-0"] = true, ["web-0"] = true }, true)
  local after = {}
  for _, action in ipairs(actions) do after[action.id] = table.concat(action.after, ",") end
  equal(after, { ["stop/db-0"] = "stop/web-0", ["stop/web-0"] = "", ["trash/db-0"] = "stop/db-0", ["trash/web-0"] = "stop/web-0" })
end)

test("down takes dependents first also where one between them is not meant", function()
  local function needing(name, service)
    return { spec = spec(name, { depends_on = { { service = service, condition = "auto" } } }) }
  end
  local record = { instances = { ["db-0"] = { spec = spec("db-0") }, ["api-0"] = needing("api-0", "db"),
    ["web-0"] = needing("web-0", "api"), ["web-1"] = needing("web-1", "api") } }
  local actions = down.make(record, { ["db-0"] = true, ["web-0"] = true, ["web-1"] = true }, false)
  local after = {}
  for _, action in ipairs(actions) do after[action.id] = table.concat(action.after, ",") end
  equal(after, { ["stop/db-0"] = "stop/web-0,stop/web-1", ["stop/web-0"] = "", ["stop/web-1"] = "" })
end)

test("volumes whose names differ by a dot have nodes that differ; others keep their simple ones", function()
  local mounts = {}
  for i, name in ipairs { "a.b", "a_b", "c_d" } do
    mounts[i] = { kind = "volume", volume = name, serial = identity.volume_serial(fake_sha256, name) }
  end
  local builder = builder_.new({ mounts = mounts }, { volumes_directory = "/v" })
  disks.volumes(builder)
  local words = table.concat(builder.argv, " ")
  local nodes = {}
  for node in words:gmatch "id=(%S-)%-disk" do nodes[#nodes + 1] = node end
  equal(nodes, { "vol-a.b", "vol-a_b", "vol-c-d" })
end)
