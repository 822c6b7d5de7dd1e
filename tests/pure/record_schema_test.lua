--- plan/record_schema: what is read back from the state directory is held against its types.

local record_schema = require "holos.plan.record_schema"
local tables = require "holos.core.table"

local function sound_spec()
  return {
    generation = 1, project = "shop", service = "web", index = 0, name = "web-0", hostname = "web-0", uuid = "u", user = "root",
    instance_id = "i-1", image = { path = "/i.qcow2", format = "qcow2", os = "plain", size_bytes = 1, mtime_ns = 1, inode = 2 },
    disk_bytes = 512, stop_grace_ms = 0, protect = false, console_login = "none", labels = { a = "b" },
    vm = { vcpu = 1, memory_mib = 64, accel = "tcg", machine = "pc-q35-7.2", machine_wanted = "q35", cpu_model = "max",
      uefi = false, run_as_root = false, extra_args = tables.list { "-s" }, allow_paths = tables.list { "/dev/x" } },
    nics = tables.list { { kind = "user", mac = "52:54:00:00:00:01" }, { kind = "mcast", network = "default",
      mac = "52:54:00:00:00:02", address = "10.10.0.2", prefix = 24, group = "239.192.0.1", port = 5000 } },
    ports = tables.list { { protocol = "tcp", host_ip = "127.0.0.1", host = 0, guest = 80 } },
    mounts = tables.list { { kind = "volume", volume = "data", serial = "vol-data", target = "/data", read_only = false },
      { kind = "bind", source = "/www", target = "/www", tag = "share1", driver = "9p", read_only = true } },
    hosts_id = "1-0123456789abcdef",
    cloud_init = { packages = tables.list { "nginx" }, runcmd = tables.list { "true", tables.list { "a", "b" } },
      write_files = tables.list { { path = "/a", content = "", permissions = "0644", owner = "root:root" } } },
    healthcheck = { test = tables.list { "CMD", "true" }, interval_ms = 1, timeout_ms = 1, retries = 1, start_period_ms = 0 },
    depends_on = tables.list { { service = "db", condition = "auto" } },
  }
end

local function sound_record()
  return {
    schema = { major = 1, minor = 0 }, name = "shop", directory = "/h", files = tables.list { "/h/holos.yaml" },
    leases = { uid = 1900000000, addresses = { ["web-0"] = "10.10.0.2" },
      network = { subnet = "10.10.0.0/24", group = "239.192.0.1", port = 5000 } },
    hosts = tables.list { { address = "10.10.0.2", names = tables.list { "web-0", "web" } } },
    volumes = { data = { size_bytes = 1 << 20, made = true } },
    instances = { ["web-0"] = { spec = sound_spec(), desired = "running", disk_made = true,
      leased = { ssh = 2222, ["tcp:80"] = 3333 } } },
  }
end

local function sound_runtime()
  return { boot_id = "b", pid = 1, start_time = 0, launched_ms = 0, report_from_bytes = 0, console_from_bytes = 0,
    ports = tables.list { { protocol = "tcp", host_ip = "127.0.0.1", host = 2222, guest = 22 } },
    shares = tables.list { { pid = 2, start_time = 3, tag = "share1" } }, health = "healthy", exit = "powered off" }
end

local function complaint_of(rule, value) return record_schema.complaint(record_schema[rule], value) end

--- Calls visit(holder, key, path) for every value in a tree.
local function each_value(tree, path, visit)
  for key, value in tables.sorted_pairs(tree) do
    local here = path .. "." .. tostring(key)
    visit(tree, key, here)
    if type(value) == "table" then each_value(value, here, visit) end
  end
end

for rule, make in pairs { record = sound_record, runtime = sound_runtime, spec = sound_spec } do
  test(rule .. ": a sound one has no complaint", function() equal(complaint_of(rule, make()), nil) end)

  test(rule .. ": no value in it may be of another type", function()
    local places, spoiled = 0, {}
    each_value(make(), "", function(_, _, path) places = places + 1 spoiled[#spoiled + 1] = path end)
    ok(places > 10)
    for _, wrong in ipairs { 7.5, { [1] = { { {} } } }, function() end } do
      for _, wanted in ipairs(spoiled) do
        local tree = make()
        each_value(tree, "", function(holder, key, path)
          if path == wanted then holder[key] = tables.copy(wrong) end
        end)
        ok(complaint_of(rule, tree), wanted .. " may be a " .. type(wrong))
      end
    end
  end)

  test(rule .. ": fields of a later version stay, wherever they are", function()
    local tree = make()
    each_value(make(), "", function(_, _, path)
      each_value(tree, "", function(holder, key, here)
        local is_record = here == path and type(holder[key]) == "table" and not tables.is_list(holder[key])
        local is_free = path:find("labels$") or path:find("addresses$") or path:find("leased$") or path:find("instances$")
          or path:find("volumes$")
        if is_record and not is_free then holder[key].of_tomorrow = { 1, "x" } end
      end)
    end)
    local before = tables.copy(tree)
    equal(complaint_of(rule, tree), nil)
    equal(tree, before)
  end)
end

test("record: what is missing is said with its place", function()
  local record = sound_record()
  record.instances["web-0"].spec.nics[2].mac = nil
  equal(complaint_of("record", record), 'instances.web-0.spec.nics[2]: "mac" is missing')
  record = sound_record()
  record.instances["web-0"].spec.mounts[1].volume = "../../etc"
  ok(complaint_of("record", record):find("spec.mounts[1].volume: expected the name of a volume", 1, true))
end)

test("record: what an instance was before a change is a whole spec and flags", function()
  local function with(key, value)
    local made = sound_record()
    local previous = { spec = sound_spec(), desired = "running", has_new_disk = true, is_going_back = true }
    made.instances["web-0"].previous = previous
    previous[key] = value
    return complaint_of("record", made)
  end
  equal(with("desired", "stopped"), nil)
  for key, value in pairs { desired = 1, has_new_disk = {}, is_going_back = {}, spec = {}, kept = {} } do
    ok((with(key, value) or ""):find("instances.web-0.previous." .. key, 1, true), key)
  end
end)

test("record: an empty list that JSON calls an object is a list", function()
  local record = sound_record()
  record.instances["web-0"].spec.ports = {}
  equal(complaint_of("record", record), nil)
  equal(getmetatable(record.instances["web-0"].spec.ports).__jsontype, "array")
  record.instances["web-0"].spec.ports = { a = 1 }
  ok(complaint_of("record", record):find("expected a list, got a mapping", 1, true))
end)

--- Kinds and states that only a later version knows, each with its place in a spec.
local TOMORROW = {
  ["nics[2].kind"] = function(spec) spec.nics[2].kind = "bridge" end,
  ["vm.accel"] = function(spec) spec.vm.accel = "hvf" end,
  ["image.format"] = function(spec) spec.image.format = "vmdk" end,
  ["ports[1].protocol"] = function(spec) spec.ports[1].protocol = "sctp" end,
  ["mounts[1].kind"] = function(spec) spec.mounts[1].kind = "nbd" end,
  ["mounts[2].driver"] = function(spec) spec.mounts[2].driver = "vhost" end,
}

test("kinds and states of a later minor version are read, and not launched", function()
  equal(complaint_of("launchable", sound_spec()), nil)
  for place, change in tables.sorted_pairs(TOMORROW) do
    local record = sound_record()
    change(record.instances["web-0"].spec)
    equal(complaint_of("record", record), nil, place)
    local complaint = complaint_of("launchable", record.instances["web-0"].spec)
    ok(complaint and complaint:find(place .. ": ", 1, true) == 1, place .. " may be launched: " .. tostring(complaint))
  end
  local record = sound_record()
  record.instances["web-0"].desired, record.volumes.data.desired = "suspended", "archived"
  equal(complaint_of("record", record), nil)
end)

test("record: the directory may be any text; hosts have to be there", function()
  local record = sound_record()
  record.directory = "."
  equal(complaint_of("record", record), nil)
  record.hosts = nil
  equal(complaint_of("record", record), '"hosts" is missing')
end)
