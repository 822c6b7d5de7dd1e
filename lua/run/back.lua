--- Instances that go back to what they were before the change of their service: the spec of then and, where it was
--- replaced, the disk of then. Effects: stops VMs, renames in the state directory, writes records. The caller holds the
--- project's lock. The record's entry knows how far it came: `previous.is_going_back` = decided; no `previous` = done. What was
--- cut off is planned by the next `up`, see plan/reconcile/unfinished.
local aside = require "holos.run.aside"
local diff = require "holos.plan.diff"
local journal = require "holos.run.journal"
local record_ = require "holos.run.record"
local runtime = require "holos.run.runtime"
local table_ = require "holos.core.table"

local M = {}

--- Writes down that instances go back, before any does.
---@return string[] names  of those that have something to go back to
---@return boolean has_new_disks  whether disks of some are replaced
function M.decide(world, state, record, names)
  local going, has_new_disks = {}, false
  for _, name in ipairs(names) do
    local previous = (record.instances[name] or {}).previous
    if previous then
      going[#going + 1], previous.is_going_back = name, true
      has_new_disks = has_new_disks or previous.has_new_disk == true
    end
  end
  record_.save(world, state, record)
  return going, has_new_disks
end

--- Whether a machine runs as it did before its service was changed: its turn had not come, or it is back already.
function M.is_untouched(world, state, record, name)
  local entry = record.instances[name]
  if entry.previous.has_new_disk and entry.replaced and aside.is_moved(world, state, record, name) then return false end
  local now = runtime.load(world, state, record.name, name)
  local process <close> = runtime.process(world, now)
  local applied = process and runtime.applied(state, record.name, name, now)
  local gravest = applied and diff.gravest(diff.changes(applied, entry.previous.spec))
  return applied ~= nil and applied ~= false and (gravest == nil or gravest == "live")
end

-- The names of the others are told anew at each launch; those of today are in the record.
local function spec_of(previous, hosts_id)
  local spec = table_.copy(previous.spec)
  spec.hosts_id = hosts_id
  return spec
end

--- What the record says of an instance is what it was; so is its disk. Its machine does not run, or is untouched.
function M.restore(world, state, record, name)
  local entry = record.instances[name]
  local previous, hosts_id = entry.previous, entry.spec.hosts_id
  if previous.has_new_disk and entry.replaced then aside.put_back(world, state, record, name) end
  entry.spec, entry.desired, entry.kept, entry.previous = spec_of(previous, hosts_id), previous.desired, previous.kept, nil
  record_.save(world, state, record)
  journal.append(world, state, record.name, { type = "instance.rolled_back", instance = name })
end

return M
