--- What goes back when the change of a service fails: to which state each of its instances, and what a user reads of that
--- before anything is done. Pure.
local image = require "holos.plan.image"
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

--- What an instance was before its service was changed; in the record until the change has succeeded.
---@class holos.Previous
---@field spec    table
---@field desired string
---@field kept    table?
---@field has_new_disk boolean?   its disk is replaced, too: see `replaced`
---@field is_going_back boolean?  it was decided that it goes back; whoever holds the project's lock sees to that

local MANY = 3

--- What an instance was before a change of an earlier command that has not succeeded; nil when its disk was replaced since:
--- what a machine has written there is worth more.
---@return holos.Previous?
function M.unsettled(entry)
  local previous = entry.previous
  return previous and not previous.has_new_disk and previous or nil
end

-- The machine that runs tells best what it was.
local function previous_of(decision, entry, seen)
  local replaced, unsettled = decision.intent.replaced, decision.kind == "go" and M.unsettled(entry)
  if unsettled then return { spec = unsettled.spec, desired = unsettled.desired, kept = unsettled.kept } end
  local begun = decision.kind ~= "go" and replaced == entry.replaced and entry.previous or entry -- an earlier up began with it
  local spec = decision.kind ~= "go" and replaced.spec or seen.running and seen.applied
    or (entry.replaced and not entry.replaced.is_moved and entry.replaced or entry).spec
  return { spec = spec, desired = begun.desired, kept = begun.kept, has_new_disk = decision.kind ~= "go" or nil }
end

--- Notes where an instance goes back to. What first steps have done to a disk cannot be taken back: who runs them again
--- stays as he is; so does what is on its way back by now.
---@param roll holos.Roll
function M.note(context, roll, decision)
  if decision.verb == "reprovision" or decision.returns then return end
  local name = decision.spec.name
  roll.returns[#roll.returns + 1] = name
  decision.intent.previous = previous_of(decision, context.record.instances[name], context.observed.instances[name])
end

-- "web-0, web-1", "web-0 … web-9"
local function names_text(names)
  if #names <= MANY then return table.concat(names, ", ") end
  return ("%s … %s"):format(names[1], names[#names])
end

-- "on failure: web-0, web-1 go back to their old disks, from debian.qcow2 (the new ones go to the trash)"
local function promise_text(plan, roll, most)
  local disks, restarted, images = {}, {}, {}
  for _, name in ipairs(roll.returns) do
    local previous = plan.intents[name].previous
    local list = previous.has_new_disk and disks or restarted
    list[#list + 1] = name
    if previous.has_new_disk then images[image.name(previous.spec.image) or "nothing"] = true end
  end
  local parts = {}
  if #disks > 0 then
    parts[1] = ("%s: back to the old disks, from %s (the new ones go to the trash)"):format(names_text(disks),
      table.concat(table_.keys(images), ", "))
  end
  if #restarted > 0 then parts[#parts + 1] = names_text(restarted) .. ": started again as before (disks kept)" end
  local when = most > 0 and ("when more than %d of %d fail"):format(most, #roll.changed) or "on failure"
  return ("%s  %s"):format(when, table.concat(parts, "; "))
end

local function settle(plan, roll, name)
  sheet.add(plan, { id = "settled/" .. name, kind = "rollout.settle", instance = name,
    after = { roll.done }, because = "all of " .. roll.service .. " serve" })
end

--- Adds what follows on success, on failure, and the words on it.
---@param most integer  so many may fail
function M.add(plan, context, roll, most)
  if #roll.returns == 0 then return end
  local ends = {}
  for _, name in ipairs(roll.returns) do settle(plan, roll, name) end
  for _, action in ipairs(plan.actions) do
    if action.rollout and action.rollout.service == roll.service then ends[#ends + 1] = action.id end
  end
  local back = roll.rollout.back or {}
  sheet.add(plan, { id = "back/" .. roll.service, kind = "rollout.back", service = roll.service, after = {}, after_any = ends,
    instances = table_.list(table_.copy(roll.returns)), parallelism = back.parallelism or 1, delay_ms = back.delay_ms or 0,
    is_for_failure = true, because = "update_config" })
  plan.promises[#plan.promises + 1] = { text = promise_text(plan, roll, most),
    where = context.where(("services.%s.deploy.update_config"):format(roll.service)) }
end

return M
