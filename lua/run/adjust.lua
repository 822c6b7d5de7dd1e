--- What a running VM takes over: ports over QMP, names over SSH, the rest by writing it down. Effects: QEMU, the guest,
--- runtime.json. The caller holds the instance's lock. Each step may be done again.
local diff = require "holos.plan.diff"
local err = require "holos.core.err"
local inside = require "holos.run.inside"
local monitor = require "holos.run.monitor"
local names = require "holos.plan.seed.names"
local plan_ports = require "holos.plan.ports"
local ports = require "holos.run.ports"
local runtime = require "holos.run.runtime"

local M = {}

local CONNECT_MS, TELL_MS = 5000, 10000
local function connect(world, at)
  return err.check(at.spec.name, monitor.try_connect(world, at.state:instance(at.spec.project, at.spec.name), CONNECT_MS))
end

local function save(world, at) runtime.save(world, at.state, at.spec.project, at.spec.name, at.now) end

--- Takes away the ports that are no longer wanted.
---@param at table  {state, spec: as wanted, now: its runtime, with the spec that it was launched with}
function M.close_ports(world, at)
  local now, kept, kept_ports = at.now, {}, { at.now.ports[1] }
  local session <close> = connect(world, at)
  for position, port in ipairs(now.spec.ports) do
    if plan_ports.has(at.spec.ports, port) then
      kept[#kept + 1], kept_ports[#kept_ports + 1] = port, now.ports[position + 1]
    else
      monitor.remove_forward(session, now.ports[position + 1])
    end
  end
  now.spec.ports, now.ports = kept, kept_ports
  save(world, at)
end

-- What is asked for and not forwarded; what an earlier try has opened and not written down is there.
local function missing(session, asked)
  local forwards, left = monitor.forwards(session), {}
  for _, is_any in ipairs { false, true } do
    for _, port in ipairs(asked) do
      if (port.host == 0) == is_any and not monitor.take_match(forwards, port) then left[#left + 1] = port end
    end
  end
  return left
end

local function open_ports(world, at)
  local asked = ports.wanted(at.spec, at.entry.leased or {})
  local session <close> = connect(world, at)
  local left = missing(session, asked)
  do
    local reserved <close> = setmetatable({}, { __close = function(list)
      for _, fd in ipairs(list) do fd:close() end
    end })
    ports.reserve(world, { spec = at.spec, ports = left, claimed = at.claimed, warn = at.warn }, reserved)
  end
  for _, port in ipairs(left) do monitor.add_forward(session, port, at.spec.name) end
  at.now.ports = monitor.host_ports(session, asked, at.spec.name)
end

--- Gives a guest the names of the others as they are now.
---@return boolean told
---@return string? reason
function M.tell_names(world, at) return inside.as_root(world, at, names.update(at.spec, at.hosts), TELL_MS) end

--- Lets a VM take over what is wanted of it and can be had while it runs.
---@param at table  {state, spec: as wanted, now: its runtime, entry: of the record, hosts, claimed, warn(text)}
function M.apply(world, at)
  local now, wanted = at.now, at.spec
  local taken = diff.taken_over(now.spec, wanted)
  if #plan_ports.without(wanted.ports, now.spec.ports) > 0 then open_ports(world, at) end
  if now.spec.hosts_id ~= wanted.hosts_id then
    local told, reason = M.tell_names(world, at)
    if not told then
      taken.hosts_id = now.spec.hosts_id
      at.warn(("%s: could not be told the names of the others, the next up tries again: %s"):format(wanted.name, reason))
    end
  end
  now.spec = taken
  save(world, at)
  if now.ports[1] then at.entry.leased = runtime.leased(now.spec, now.ports) end
end

return M
