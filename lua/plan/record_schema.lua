--- What a project's record and an instance's runtime.json must hold: what is read back is believed, so it is held
--- against this first. Fields that this version does not know are kept as they are. Pure.
local check = require "holos.core.schema.check"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

local ADDRESS = "%d%d?%d?%.%d%d?%d?%.%d%d?%d?%.%d%d?%d?"
-- "web-0", or what the file calls a container: a file name in its own directory.
local INSTANCE = "[%w][%w_.-]*"

local text, line = schema.text { empty = true }, schema.text {}
local flag, any = schema.boolean {}, schema.any {}
local address = schema.text { pattern = ADDRESS, wanted = "an IPv4 address" }
local instance_name = schema.text { pattern = INSTANCE, wanted = "the name of an instance" }
-- Names and tags become parts of paths and of QEMU's options.
local volume_name = schema.text { pattern = "[%w][%w_.-]*", wanted = "the name of a volume" }
-- What the compose language lets users call networks and cards.
local free_name = schema.text { pattern = "[%w][%w_.-]*", wanted = "a name" }
local word = schema.text { pattern = "[%w_-]+", wanted = "a word" }
local path = schema.text { pattern = "/.*", wanted = "an absolute path" }
local port = schema.integer { least = 1, most = 65535 }
local count = schema.integer { least = 0 }
local number = schema.parsed { accepts = { integer = true, number = true }, parse = function(value) return value end }
local id = schema.integer { least = 1 }
local digest = schema.text { pattern = "sha256:" .. ("%x"):rep(64), wanted = "a digest" }

--- A list; JSON made of an empty Lua table that nobody called a list is one too.
local function list(of)
  return schema.either { list = schema.list { of = of }, map = schema.parsed { accepts = { map = true },
    parse = function(value)
      if next(value) == nil then return tables.list {} end
      return nil, "expected a list, got a mapping"
    end } }
end

local function map(of, key) return schema.map { of = of, key = key } end

--- {name = rule, …}: absent fields are no damage. Those of `must` have to be there.
local function record(must, may)
  local fields = {}
  for name, rule in tables.sorted_pairs(must) do fields[#fields + 1] = { name, rule, required = true } end
  for name, rule in tables.sorted_pairs(may or {}) do fields[#fields + 1] = { name, rule } end
  return schema.record(fields, { open = true })
end

-- Whatever a later minor version may say there. To stop and to remove an instance nobody needs to understand it; who
-- launches one holds its spec against M.launchable.
local function open() return word end
local function closed(values) return schema.choice { values = values } end

local function forward_rule(choice)
  return record({ protocol = choice { "tcp", "udp" }, host_ip = address, guest = port,
    host = schema.integer { least = 0, most = 65535 } }, { host_to = port })
end

local function vm_rule(choice)
  return record({ vcpu = id, memory_mib = id, accel = choice { "kvm", "tcg" }, machine = line, cpu_model = line,
    extra_args = list(line), allow_paths = list(path) },
    { uefi = flag, run_as_root = flag, machine_wanted = line, cpu_model_wanted = line, cpu_quota = number,
      watchdog = choice { "pause", "reset", "poweroff" }, vga = flag })
end

local function nic_rule(choice)
  return record({ kind = choice { "user", "mcast" },
    mac = schema.text { pattern = ("%x%x:"):rep(5) .. "%x%x", wanted = "a MAC address" } },
    { network = free_name, address = address, group = address, port = port, prefix = schema.integer { least = 1, most = 32 },
      restrict = flag, interface_name = free_name })
end

-- What a guest knows a disk by.
local serial = schema.text { pattern = "[%w_.-]+", most = 20 }

local function mount_rule(choice)
  return record({ kind = choice { "volume", "bind", "tmpfs" }, target = path },
    { volume = volume_name, source = path, serial = serial, tag = word,
      driver = choice { "9p", "virtiofs" }, read_only = flag, anonymous = flag, nocopy = flag, subpath = line,
      create_host_path = flag, size_bytes = count, mode = count, options = line, fs = choice { "ext4", "xfs" }, is_copied = flag,
      is_moving = flag, disk = record { path = path, kind = choice { "device", "file" }, format = choice { "raw", "qcow2" } } })
end

local boot = record({}, { kernel = path, initrd = path, cmdline = line, firmware = path })
local cdrom = record({ path = path }, { boot_index = count })

-- What the boot part sets up.
local grant = record { key = line, target = path, uid = line, gid = line, mode = count,
  digest = schema.text { pattern = "%x+", wanted = "a digest" } }
local ulimit = record { soft = schema.integer {}, hard = schema.integer {} }
local app = record({ argv = list(text) }, { working_dir = path, user = line, group_add = list(line), ulimits = map(ulimit),
  pids_limit = schema.integer {}, stop_signal = line })

local commands = list(schema.either { text = text, list = schema.list { of = text } })

local hooks = list(record({ command = list(text) }, { user = line, working_dir = path, environment = map(text) }))

local cloud_init = record({}, { user = line, ssh_authorized_keys = list(text), packages = list(line), bootcmd = commands,
  runcmd = commands, extra = map(any), user_data = text,
  write_files = list(record({ path = path, content = text, permissions = line, owner = line }, { defer = flag })) })

local hex_digest = schema.text { pattern = ("%x"):rep(64), wanted = "a digest" }
local remote = record({ kind = line, url = line }, { name = line, ref = line, subdir = line, shown = line, unpack = flag })
local step_mount = record({ type = line }, { target = path, source = text, id = text, mode = count, uid = count, gid = count,
  ro = flag, rw = flag, size_bytes = count, sharing = line, number = count })
local variable = record { name = line, value = text }
local build = record({ digest = hex_digest, steps = list(record({ kind = line, title = text }, { line = count, argv = list(text),
  shell = list(text), script = text, program = text, env = list(variable), user = line, workdir = path, mounts = list(step_mount),
  network = line, number = count,
  target = path, is_directory = flag, chown = line, chmod = line, archives = list(record { name = text, kind = line }),
  remotes = list(remote), checksum = line, keep_git_dir = flag, path = path,
  files = map(count) })) }, { context = hex_digest, listed = id })

local healthcheck = record({ test = list(text), interval_ms = count, timeout_ms = count, retries = id,
  start_period_ms = count }, { start_interval_ms = count })

local function restart_rule(choice)
  return record({ policy = choice { "no", "always", "on-failure", "unless-stopped" } },
    { max_attempts = count, delay_ms = count, window_ms = count, on_unhealthy = flag, max_unhealthy = count })
end

local function spec_rule(choice)
  -- Without a path: a blank disk.
  local image = record({ os = line }, { path = path, format = choice { "qcow2", "raw" }, size_bytes = count,
    mtime_ns = schema.integer {}, inode = schema.integer {}, name = line, digest = digest, family = line })
  return record({
    project = line, service = line, index = count, name = instance_name, hostname = line, uuid = line, instance_id = line,
    user = line, image = image, disk_bytes = id, vm = vm_rule(choice), nics = list(nic_rule(choice)),
    ports = list(forward_rule(choice)), mounts = list(mount_rule(choice)), cloud_init = cloud_init, stop_grace_ms = count,
    depends_on = list(record { service = line, condition = line }), labels = map(text),
  }, { generation = id, healthcheck = healthcheck, restart = restart_rule(choice),
    logging = record({}, { max_bytes = id, max_files = id }),
    protect = flag, console_login = word, hosts_id = word, ready = word, boot = boot,
    cdroms = list(cdrom), rtc = line, domainname = line, environment = map(text), configs = list(grant),
    secrets = list(grant), dns = list(line), dns_search = list(line), dns_options = list(line), sysctls = map(text),
    shm_size_bytes = count, extra_hosts = list(record { name = line, address = line }), app = app,
    post_start = hooks, pre_stop = hooks, build = build })
end

--- A spec as it is read back.
M.spec = schema.lazy(function() return spec_rule(open) end)
--- A spec as QEMU's options are made of it: with nothing that this version does not know.
M.launchable = schema.lazy(function() return spec_rule(closed) end)

-- What is kept of an instance while its disk is being replaced.
local replaced = record({ spec = M.spec, batch = line }, { is_moved = flag, is_put_back = flag, was_running = flag,
  inode = count })

-- What an instance was before its service was changed, until that has succeeded.
local previous = record({ spec = M.spec, desired = word }, { kept = M.spec, has_new_disk = flag, is_going_back = flag })

local entry = record({ spec = M.spec, desired = word },
  { leased = map(port), disk_made = flag, kept = M.spec, provision_runs = count, replaced = replaced,
    previous = previous, anonymous = list(volume_name) })

-- is_growing: its disk has grown, and perhaps not the file system of the guest that has it. is_copied: its content is not ours.
local volume = record({}, { size_bytes = id, made = flag, desired = word, fs = word, is_growing = flag,
  is_external = flag, is_copied = flag })

local network = record({ subnet = schema.text { pattern = ADDRESS .. "/%d%d?", wanted = "a subnet" }, group = address,
  port = port }, { name = line, internal = flag })

local networks = record({ subnet = schema.text { pattern = ADDRESS .. "/%d%d?", wanted = "a subnet" }, group = address,
  port = port, addresses = map(address, instance_name) }, { name = line, internal = flag })

--- projects/<p>.json
M.record = record({
  schema = record { major = id, minor = count }, name = line, directory = line,
  instances = map(entry, instance_name), volumes = map(volume, volume_name),
  leases = record({}, { network = network, uid = id, addresses = map(address, instance_name), networks = map(networks) }),
  hosts = list(record({ address = address, names = list(line) }, { network = free_name, aliases = list(line) })),
}, { files = list(path) })

--- The parts of a spec and of a record that lists of instances show. Who looks at these looks at nothing else.
M.glanced_spec = record({ project = line, service = line, name = instance_name, image = record({}, { path = path, name = line }),
  vm = record { accel = word, vcpu = id, memory_mib = id }, nics = list(record({}, { address = address })) },
  { restart = restart_rule(open), post_start = hooks })
M.glanced = record { schema = record { major = id, minor = count }, name = line,
  instances = map(record { spec = M.glanced_spec, desired = word }, instance_name) }

--- runtime.json. Its spec is most of it and seldom asked for: that is held against M.spec when it is.
M.runtime = record({ boot_id = line }, {
  pid = id, start_time = count, launched_ms = count, report_from_bytes = count, console_from_bytes = count,
  shares = list(record({ pid = id, start_time = count }, { tag = word })), ports = list(forward_rule(open)), spec = any,
  health = word, exit = line, is_proven = flag, ending = record({ how = line, cause = word }, { text = text }),
  post_start = record({ done = count }, { failed = record({ why = text }, { log = list(text) }) }),
  attached = list(record({ serial = serial, port = count }, { set = count, is_there = flag })),
  restarts = record({ total = count, row = count, unhealthy = count }, { delay_ms = count, next_ms = count, gave_up = flag }),
})

--- What is wrong with `value`, nil when nothing is. Brings empty lists into their form.
---@return string? complaint  "instances.web-0.spec.nics[2].port: expected a whole number from 1 to 65535, got 0"
function M.complaint(rule, value)
  local at = check.new()
  check.value(rule, value, at)
  local first = at.findings[1]
  if not first then return nil end
  local more = #at.findings > 1 and (" (and %d more)"):format(#at.findings - 1) or ""
  return (first.path ~= "" and first.path .. ": " or "") .. first.message .. more
end

return M
