--- Going back that a command was killed at: it is written down (`previous.is_going_back`, `replaced.is_put_back`), and the next
--- `up` carries it out. Commands that work from the record leave it alone. Pure.
local diff = require "holos.plan.diff"
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

--- Whether it was decided that an instance goes back, and that is not done.
---@param entry table  of a record
---@return boolean
function M.is_due(entry)
  return entry.previous ~= nil and entry.previous.is_going_back == true
    or entry.replaced ~= nil and entry.replaced.is_put_back == true
end

--- The spec that an instance's disk in its place was made for, as far as the record knows.
function M.in_place(entry)
  return entry.replaced and not entry.replaced.is_moved and entry.replaced.spec or entry.spec
end

--- Notes the services that have somebody to go back; that comes first, for all of their instances.
---@param context table  finishes: the command carries out what was begun
function M.mark(context)
  context.returning = {}
  if not context.finishes or context.no_start then return end
  for _, entry in pairs(context.record.instances) do
    if M.is_due(entry) then context.returning[entry.spec.service] = true end
  end
end

-- Its old disk is in the trash, and is to take the place of the new one.
local function comes_back(entry)
  local previous, replaced = entry.previous, entry.replaced
  return replaced ~= nil and replaced.is_moved == true and (replaced.is_put_back or previous.has_new_disk) == true
end

--- What an instance of such a service is to be: what it was, if it is one of those that go back; else what it is.
---@return {spec: table, kept: table?, replaced: table?, previous: table?, has_old_disk: boolean?} target
---        has_old_disk: from the trash; the others are parts of what the record is to say
function M.target(entry)
  local previous, replaced = entry.previous, entry.replaced
  local waiting = replaced and replaced.is_moved and replaced or nil
  if not M.is_due(entry) then
    return { spec = M.in_place(entry), kept = entry.kept, replaced = waiting, previous = previous }
  end
  local kept = previous and previous.kept
  if comes_back(entry) then
    return { spec = (previous and previous.has_new_disk and previous or replaced).spec, kept = kept, has_old_disk = true }
  end
  return { spec = previous.has_new_disk and M.in_place(entry) or previous.spec, kept = kept, replaced = waiting }
end

--- What is written down of one whose old disk comes back. What runs until then is what is recorded.
---@param spec table  as it is to be, on its old disk
---@return holos.Intent
function M.intent(entry, target, spec)
  return { spec = entry.spec, kept = entry.kept, replaced = entry.replaced,
    previous = { spec = spec, desired = "running", kept = target.kept, has_new_disk = true, is_going_back = true } }
end

local function is_other(spec, wanted)
  return #table_.filter(diff.changes(spec, wanted), function(change) return change.name ~= "hosts" end) > 0
end

--- Says what waits because of it: what the file says otherwise, and those that the command is not about.
---@param wanted table[]  specs, as the file has them
function M.tell(plan, context, decisions, wanted)
  local told = {}
  for position, decision in ipairs(decisions) do
    local service = decision.spec.service
    if decision.returns and not told[service] and is_other(decision.spec, wanted[position]) then
      told[service] = true
      sheet.warn(plan, ("%s goes back first, as was decided before; what the file says otherwise waits for the next up")
        :format(service))
    end
  end
  for _, spec in ipairs(context.finishes and context.others or {}) do
    local entry = context.record.instances[spec.name]
    if entry and M.is_due(entry) then M.tell_left(plan, spec.name) end
  end
end

--- Says of one that it is left as it is.
function M.tell_left(plan, name)
  sheet.warn(plan, name .. " is on its way back to what it was, and left as it is; go on with: holos up")
end

return M
