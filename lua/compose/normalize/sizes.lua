--- Numbers that several keys can say: instances, CPUs, memory, disk, processes. Pure.
--
-- Each has a list of places; those that are written must agree.
local lazy = require "holos.core.lazy"
local units = lazy "holos.core.units"

local M = {}

local function same(value) return value end

local function show_bytes(bytes) return units.format_bytes(bytes) end

local function mib(bytes) return (bytes + (1 << 20) - 1) >> 20 end

--- The places of each number, the one that wins first; `get` brings what is written there into one unit, `show` shows it
--- as it is written.
M.places = {
  replicas = { { "replicas" }, { "scale" }, { "deploy", "replicas" }, get = same, show = tostring },
  cpus = { { "cpus" }, { "deploy", "resources", "limits", "cpus" }, get = same, show = tostring },
  vcpu = { { "vm", "vcpu" }, { "cpu_count" }, { "cpus" }, { "deploy", "resources", "limits", "cpus" }, get = math.ceil,
    show = tostring },
  memory = { { "vm", "memory_mb" }, { "vm", "memory" }, { "memory" }, { "mem_limit" },
    { "deploy", "resources", "limits", "memory" }, get = mib, show = show_bytes },
  disk = { { "vm", "disk_size" }, { "vm", "disk" }, { "storage_opt", "size" }, get = same, show = show_bytes },
  pids = { { "pids_limit" }, { "deploy", "resources", "limits", "pids" }, get = same, show = tostring },
  reservation = { { "mem_reservation" }, { "deploy", "resources", "reservations", "memory" }, get = mib,
    show = show_bytes },
}

local function value_at(service, place, get)
  local value = service
  for _, key in ipairs(place) do
    value = value and value[key]
  end
  if value == nil then return nil end
  if place[2] == "memory_mb" then return value, value << 20 end
  return get(value), value
end

local function keys_of(name, place)
  return { "services", name, table.unpack(place) }
end

local function report(context, name, kind, first, other)
  local message = ("says %s, and %s (%s) says %s"):format(kind.show(other.written), table.concat(first.place, "."),
    context.place(keys_of(name, first.place)), kind.show(first.written))
  context.report(keys_of(name, other.place), message, "keep one of them")
end

--- The number that a service says; nil when it does not. Contradictions are reported.
---@param which string  a key of `places`
---@return integer|number|nil value
---@return table? place  where it is written
function M.find(context, name, service, which)
  local kind, first = M.places[which], nil
  for _, place in ipairs(kind) do
    local value, written = value_at(service, place, kind.get)
    if value ~= nil and first and value ~= first.value then
      report(context, name, kind, first, { place = place, written = written })
    elseif value ~= nil and not first then
      first = { place = place, value = value, written = written }
    end
  end
  if first then return first.value, first.place end
end

--- The keys by which a service of the checked tree says a number; nil when it does not.
---@param which string  a key of `places`
---@return table? keys  {"services", "db", "vm", "disk_size"}
function M.written(name, service, which)
  for _, place in ipairs(M.places[which]) do
    if value_at(service, place, same) ~= nil then return keys_of(name, place) end
  end
end

-- Whether a service says any of it elsewhere than in `vm` and `replicas`: most do not.
local function is_simple(service)
  local vm = service.vm
  return not (service.deploy or service.cpus or service.mem_limit or service.memory or service.storage_opt
    or service.scale or service.cpu_count or service.mem_reservation or vm.memory or vm.disk)
end

local function quota(context, name, service, vm)
  local cpus, place = M.find(context, name, service, "cpus")
  if not cpus or cpus == math.ceil(cpus) then return end
  vm.cpu_quota = cpus
  context.warn(keys_of(name, place), ("%s of a CPU's time is not enforced yet: each VM gets %d vCPU%s, and all of their time")
    :format(("%g"):format(cpus), vm.vcpu, vm.vcpu == 1 and "" or "s"))
end

--- The number of instances, with the sizes laid into `vm`: vcpu, cpu_quota, memory_mib, disk_bytes.
---@return integer replicas
function M.fill(context, name, service, vm)
  local wanted = service.vm
  if is_simple(service) then
    vm.vcpu, vm.memory_mib, vm.disk_bytes = wanted.vcpu or 1, wanted.memory_mb, wanted.disk_size
    return service.replicas or 1
  end
  vm.vcpu = M.find(context, name, service, "vcpu") or 1
  vm.memory_mib = M.find(context, name, service, "memory") or M.find(context, name, service, "reservation")
  vm.disk_bytes = M.find(context, name, service, "disk")
  quota(context, name, service, vm)
  return M.find(context, name, service, "replicas") or 1
end

return M
