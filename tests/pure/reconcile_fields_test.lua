--- The reconcile table, second part: each field that can change, hosts and machines in every trouble, volumes, other words of
--- the user's; and whatever was planned and carried out leaves nothing to do.
local consent = require "holos.plan.consent"
local diff = require "holos.plan.diff"
local reconcile = require "tests.support.reconcile"
local runstate = require "holos.plan.runstate"
local table_ = require "holos.core.table"

local spec, entry, state, stopped = reconcile.spec, reconcile.entry, reconcile.state, reconcile.stopped
local RUNS = reconcile.RUNS

--- A case as plan text, and again when it was carried out.
local function text_of(title, case, lines)
  lines[#lines + 1] = title
  lines[#lines + 1] = reconcile.text(reconcile.plan(case))
end

local GRANT = { { key = "conf", target = "/etc/conf", digest = "d" } }
-- For each field of plan/diff, by its name, a spec that has it otherwise.
local CHANGED = {
  image = { image = { path = "/images/fedora.qcow2", format = "qcow2", os = "systemd", mtime_ns = 1, inode = 1 } },
  image_os = { image = { path = "/images/debian.qcow2", format = "qcow2", os = "openrc", mtime_ns = 1, inode = 1 } },
  memory = { ["vm.memory_mib"] = 2048 }, vcpu = { ["vm.vcpu"] = 2 }, disk = { disk_bytes = 30 << 30 },
  machine = { ["vm.machine"] = "pc-q35-9.0" }, ["argv generation"] = { generation = 2 },
  ["cpu model"] = { ["vm.cpu_model"] = "host" },
  accelerator = { ["vm.accel"] = "kvm" }, uefi = { ["vm.uefi"] = true }, extra_args = { ["vm.extra_args"] = { "-S" } },
  allow_paths = { ["vm.allow_paths"] = { "/srv" } }, run_as_root = { ["vm.run_as_root"] = true },
  watchdog = { ["vm.watchdog"] = "reset" }, ["graphics card"] = { ["vm.vga"] = true },
  ports = { ports = { { host_ip = "127.0.0.1", host = 80, guest = 80, protocol = "tcp" } } },
  volumes = { mounts = { { kind = "bind", source = "/srv/www", target = "/www", read_only = true, driver = "9p" } } },
  network = { nics = { { kind = "mcast", network = "default", address = "10.10.0.2", prefix = 24 } } },
  bootcmd = { cloud_init = { bootcmd = { "true" } } }, console_login = { console_login = "autologin" },
  hosts = { hosts_id = "2-b" },
  healthcheck = { healthcheck = { test = { "CMD", "true" } } }, stop_grace_period = { stop_grace_ms = 1000 },
  labels = { labels = { a = "b" } }, protect = { protect = true }, boot = { boot = { kernel = "/k" } },
  cdrom = { cdroms = { { path = "/x.iso" } } }, rtc = { rtc = "2026-01-01T00:00:00" }, hostname = { hostname = "box" },
  environment = { environment = { A = "b" } }, configs = { configs = GRANT }, secrets = { secrets = GRANT },
  dns = { dns = { "9.9.9.9" } }, dns_search = { dns_search = { "example.com" } }, dns_opt = { dns_options = { "rotate" } },
  sysctls = { sysctls = { ["net.core.somaxconn"] = "1024" } }, shm_size = { shm_size_bytes = 1 << 20 },
  command = { app = { argv = { "/bin/app" } } }, extra_hosts = { extra_hosts = { { name = "a", address = "192.0.2.1" } } },
  logging = { logging = { max_bytes = 1 << 20 } }, restart = { restart = { policy = "always" } },
  post_start = { post_start = { { command = { "true" } } } }, pre_stop = { pre_stop = { { command = { "true" } } } },
  cpus = { ["vm.cpu_quota"] = 1.5 },
  ["cloud_init.user"] = { cloud_init = { user = "anna" } }, ["cloud_init.packages"] = { cloud_init = { packages = { "nginx" } } },
  ["cloud_init.write_files"] = { cloud_init = { write_files = { { path = "/a", content = "b" } } } },
  ["cloud_init.runcmd"] = { cloud_init = { runcmd = { "true" } } },
  ["cloud_init.ssh_authorized_keys"] = { cloud_init = { ssh_authorized_keys = { "ssh-rsa AAAA me" } } },
  ["cloud_init.user_data"] = { cloud_init = { user_data = "#cloud-config" } },
  cloud_init = { cloud_init = { extra = { ntp = {} } } },
  build = { build = { digest = "b", steps = { { kind = "run", title = "RUN true" } } } },
}

test("the plan for a change of each field, of a machine that runs and of one that does not", function()
  local lines, left = {}, table_.copy(CHANGED)
  for _, field in ipairs(diff.FIELDS) do
    local changed = ok(CHANGED[field.name], "no case for " .. field.name)
    left[field.name] = nil
    for _, seen in ipairs { RUNS, stopped() } do
      text_of(("%s, %s"):format(field.name, seen.running and "runs" or "stopped"), { wanted = { spec("a-0", changed) },
        recorded = { ["a-0"] = entry() }, seen = { ["a-0"] = seen } }, lines)
    end
  end
  equal(left, {})
  golden("reconcile/fields.txt", table.concat(lines, "\n") .. "\n")
end)

local function halted(status, blocks)
  local halt = ok(runstate.halt(status, blocks))
  return state { halt = halt, text = halt.word }
end

local FULL = { { ["io-status"] = "nospace", inserted = { ["node-name"] = "root" } } }
-- What a host and a guest can come to.
local TROUBLES = {
  { "the host was rebooted", stopped { is_rebooted = true, text = "stopped (host rebooted)", state = "stopped" } },
  { "its pid is somebody else's by now", stopped { runtime = { pid = 1, start_time = 1 } } },
  { "its process is a zombie", stopped { text = "exited (crashed)" } },
  { "the host's disk is full", halted("io-error", FULL) }, { "a disk of the host failed", halted "io-error" },
  { "somebody paused it", halted "paused" }, { "its kernel panicked", halted "guest-panicked" },
  { "KVM gave up", halted "internal-error" }, { "its watchdog bit", halted "watchdog" }, { "it sleeps", halted "suspended" },
  { "it boots", state { state = "booting", text = "booting" } },
  { "it is unhealthy", state { state = "unhealthy", text = "unhealthy" } },
  { "its launch was cut off", state { is_cut = true } },
  { "its launch was cut off, and it has ended", stopped { is_cut = true } },
  { "its root disk is gone", stopped { disk = false } }, { "its root disk is gone while it runs", state { disk = false } },
  { "the disk of a volume without a name is gone", stopped { lost = "volume scratch" } },
  { "it runs as an older file said", state { applied = spec("a-0", { ["vm.memory_mib"] = 256 }) } },
  { "it runs as an older file said, first steps too", state { applied = spec("a-0", { instance_id = "i-0" }) } },
  { "its runtime holds no spec", table_.merge(stopped(), { running = true, state = "ready", text = "ready" }) },
  { "its disk is larger than the file says", state { disk_bytes = 40 << 30 } },
}
-- What may have been recorded of it: up is to run what the file says, whatever was to become of it before.
local RECORDED = { entry(), entry { desired = "stopped" }, entry { desired = "removed" } }

test("the plan for each trouble of a host and a machine, whatever was to become of it", function()
  local lines = {}
  for _, trouble in ipairs(TROUBLES) do
    local texts = table_.map(RECORDED, function(recorded)
      return reconcile.text(reconcile.plan { wanted = { spec "a-0" }, recorded = { ["a-0"] = recorded },
        seen = { ["a-0"] = trouble[2] } })
    end)
    equal({ texts[2], texts[3] }, { texts[1], texts[1] }, trouble[1])
    lines[#lines + 1], lines[#lines + 2] = trouble[1], texts[1]
  end
  golden("reconcile/troubles.txt", table.concat(lines, "\n") .. "\n")
end)

local DATA = { data = { size_bytes = 1 << 30, is_sized = true } }
local WITH_DATA = { mounts = { { kind = "volume", volume = "data", serial = "vol-data", target = "/data" } } }

local READ_ONLY = { mounts = { { kind = "volume", volume = "data", serial = "vol-data", target = "/data", read_only = true } } }
local SMALL = { data = { size_bytes = 512 << 20 } }

local function volume_case(over)
  return { wanted = { spec("a-0", WITH_DATA) }, recorded = { ["a-0"] = entry { spec = spec("a-0", WITH_DATA) } },
    seen = { ["a-0"] = over.seen or stopped() }, volumes = over.volumes or DATA, disks = over.disks, made = over.made }
end

local OTHERS = {
  { "a volume that is not there yet", volume_case {} }, { "a volume that is there", volume_case { disks = DATA } },
  { "a volume that was made and is gone", volume_case { made = { data = { made = true } } } },
  { "a volume that is larger than the file says", volume_case { disks = { data = { size_bytes = 2 << 30 } } } },
  { "a volume that is larger than the default, where the file says no size", volume_case { volumes = { data = { size_bytes =
    1 << 30 } }, disks = { data = { size_bytes = 2 << 30 } } } },
  { "a volume that is smaller than the file says", volume_case { disks = SMALL } },
  { "a volume that is smaller, of a machine that runs", volume_case { disks = SMALL, seen = state { applied =
    spec("a-0", WITH_DATA) } } },
  { "a volume that is smaller, and read only", volume_case { disks = SMALL, seen = state { applied = spec("a-0", READ_ONLY) } } },
  { "a volume that has grown, whose guest was not told", volume_case { disks = DATA, made = { data = { made = true,
    is_growing = true } }, seen = state { applied = spec("a-0", WITH_DATA) } } },
  { "a volume that has grown, whose guest was not told and has ended", volume_case { disks = DATA, made = { data = { made = true,
    is_growing = true } } } },
  { "another file system than the volume has", volume_case { disks = DATA, volumes = { data = { size_bytes = 1 << 30,
    fs = "xfs" } }, made = { data = { made = true } } } },
  { "a volume under another name", volume_case { volumes = { new = { size_bytes = 1 << 30 } }, disks = DATA } },
  { "a service under another name", { wanted = { spec "shop-0" }, recorded = { ["web-0"] = { spec = spec "web-0", leased = {},
    desired = "running", disk_made = true } }, seen = { ["web-0"] = state { applied = spec "web-0" } } } },
  { "restart asked for", { wanted = { spec "a-0" }, recorded = { ["a-0"] = entry() }, seen = { ["a-0"] = RUNS },
    more = { restarts = { ["a-0"] = true }, managed = false, declared = false } } },
  { "restart asked for of what is stopped", { wanted = { spec "a-0" }, recorded = { ["a-0"] = entry() },
    seen = { ["a-0"] = stopped() }, more = { restarts = { ["a-0"] = true }, managed = false, declared = false } } },
  { "hardware of today asked for", { wanted = { spec("a-0", { ["vm.machine"] = "pc-q35-9.0", generation = 2,
    cloud_init = { packages = { "nginx" } } }) }, recorded = { ["a-0"] = entry() }, seen = { ["a-0"] = RUNS },
    more = { renews = true, leave_known = true } } },
  { "hardware of today asked for, and it is that already", { wanted = { spec "a-0" }, recorded = { ["a-0"] = entry() },
    seen = { ["a-0"] = RUNS }, more = { renews = true, leave_known = true } } },
}

test("the plan for volumes, other names, restarts and hardware", function()
  local lines = {}
  for _, case in ipairs(OTHERS) do text_of(case[1], case[2], lines) end
  golden("reconcile/others.txt", table.concat(lines, "\n") .. "\n")
end)

-- What is recorded and seen of a-0 once a plan was carried out.
local function carried_out(plan, case)
  local recorded, seen = table_.copy(case.recorded), table_.copy(case.seen)
  for name, intent in pairs(plan.intents) do
    recorded[name] = { spec = intent.spec, desired = intent.desired or "running", disk_made = true, leased = {}, kept = intent.kept,
      provision_runs = intent.provision_runs }
    seen[name] = state { applied = intent.spec, disk_bytes = intent.spec.disk_bytes,
      runtime = { post_start = { done = #(intent.spec.post_start or {}) } } }
  end
  return { wanted = case.wanted, recorded = recorded, seen = seen }
end

local ANSWERS = { {}, { keep = { "" } }, { recreate = { "" } }, { reprovision = { "" } } }

test("whatever was planned, once it is carried out the next up finds nothing to do and asks nothing", function()
  local count = 0
  for name, changed in pairs(CHANGED) do
    for _, seen in ipairs { RUNS, stopped(), stopped { disk = false } } do
      for _, options in ipairs(ANSWERS) do
        local case = { wanted = { spec("a-0", changed) }, recorded = { ["a-0"] = entry { disk_made = seen.disk } },
          seen = { ["a-0"] = seen }, more = { consent = consent.read(options, { a = true }, {}) } }
        local plan = reconcile.plan(case)
        if #plan.questions + #plan.refusals == 0 then
          local again = reconcile.plan(carried_out(plan, case))
          equal({ again.rows, again.questions, again.refusals }, { {}, {}, {} }, name)
          for _, action in ipairs(again.actions) do equal(action.kind, "instance.await", name) end
          count = count + 1
        end
      end
    end
  end
  ok(count > 300, count .. " plans were carried out")
end)
