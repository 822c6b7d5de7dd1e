--- What is to become of each instance that the file wants: from what is recorded, observed and wanted, and from the
--- answers that the user gave. Pure.
local consent = require "holos.plan.consent"
local diff = require "holos.plan.diff"
local table_ = require "holos.core.table"
local unfinished = require "holos.plan.reconcile.unfinished"

local M = {}

---@class holos.Decision
---@field kind    "new"|"lost"|"protected"|"ask"|"recreate"|"return"|"stay"|"tell"|"go"  return: to its old disk; stay: left
---                alone; go: the disk stays, what has to be done follows from `changes`
---@field spec    table     as the instance is to be
---@field intent  holos.Intent?
---@field changes table[]   of plan/diff: what the running machine, else the record, has otherwise
---@field grave   table[]   changes that cost a disk or what is on it
---@field answers string[]? that would settle a question
---@field besides holos.Decision?  what is done whatever is answered: its other changes
---@field verb    "reprovision"|"keep"|nil  what the user has decided
---@field needs_restart boolean?  though no field asks for it
---@field is_asked boolean?  the user wants it to be restarted
---@field follows string?  the service that it depends on and is restarted with, see reconcile/follow
---@field is_done boolean?  it was to switch itself off, and has
---@field returns boolean?  it, or another of its service, goes back to what it was: see reconcile/unfinished
---@field is_left boolean?  it is on its way back, and nobody goes on with that now
---@field is_pending boolean?  a recreation that was begun before

local HARDWARE = { "machine", "machine_wanted", "cpu_model", "cpu_model_wanted" }
local EVERYTHING = { "reprovision", "keep", "recreate" }

local function new(spec, replaced)
  return { kind = "new", spec = spec, changes = {}, grave = {}, intent = { spec = spec, replaced = replaced } }
end

local function recreate(spec, recorded, seen, grave)
  return { kind = "recreate", spec = spec, changes = grave, grave = grave, intent = { spec = spec, is_new_disk = true,
    replaced = { spec = recorded, was_running = seen.running or nil } } }
end

--- The answers that settle some grave changes; a protected disk stays whatever is said.
local function answers_for(grave, is_protected)
  local answers = {}
  for _, answer in ipairs(EVERYTHING) do
    local fits = answer ~= "reprovision" or diff.gravest(grave) == "reprovision"
    if fits and not (answer == "recreate" and is_protected) then answers[#answers + 1] = answer end
  end
  return answers
end

-- The id of a guest that does not run its first steps again: the one it has, however a new one would be made.
local function same_guest(at, spec)
  if at.recorded.instance_id == spec.instance_id then return spec end
  local same = table_.copy(spec)
  same.instance_id = at.recorded.instance_id
  return same
end

--- The machine goes on with its disk, as `spec` says.
local function go(at, spec, verb, more)
  spec = verb == "reprovision" and spec or same_guest(at, spec)
  local seen, applied = at.seen, at.seen.applied or at.recorded
  local intent = more or {}
  intent.spec, intent.replaced = spec, at.replaced
  local changes = diff.changes(applied, spec, seen.applied and seen.runtime)
  return { kind = "go", spec = spec, changes = changes, grave = at.grave, verb = verb, intent = intent,
    needs_restart = seen.running and applied.instance_id ~= spec.instance_id or nil }
end

local function reprovision(context, at, spec)
  local runs = (at.entry.provision_runs or 0) + 1
  local again = table_.copy(spec)
  again.instance_id = context.renew and context.renew(spec, runs) or spec.instance_id
  return go(at, again, "reprovision", { provision_runs = runs })
end

--- Whether the user has declined these very changes before.
local function is_kept(entry, spec)
  return entry.kept ~= nil and #diff.grave(diff.changes(entry.kept, spec)) == 0
end

--- Changes that need a word of the user: what was said, what was said before, or the question.
local function settle(context, at, spec)
  local is_protected = at.recorded.protect
  local answers = answers_for(at.grave, is_protected)
  local answer = consent.answer(context.consent, spec, answers_for(at.grave))
  if answer == "recreate" and is_protected then return { kind = "protected", spec = spec, changes = {}, grave = at.grave } end
  if answer == "recreate" then return recreate(spec, at.recorded, at.seen, at.grave) end
  if answer == "reprovision" then return reprovision(context, at, spec) end
  local kept = go(at, diff.keep(at.recorded, spec), "keep", { kept = spec })
  if answer == "keep" or is_kept(at.entry, spec) then return kept end
  return { kind = "ask", spec = spec, changes = {}, grave = at.grave, answers = answers, besides = kept }
end

--- A recreation that was written down and not begun, and is still what is wanted.
local function is_pending(replaced, entry, spec)
  return replaced ~= nil and not replaced.is_moved and #diff.grave(diff.changes(entry.spec, spec)) == 0
end

local function without_disk(context, at, spec)
  if not at.entry.disk_made then return new(spec, at.replaced) end -- an `up` was cut off before it came to the disk
  if consent.answer(context.consent, spec, { "recreate" }) and not at.recorded.protect then
    return recreate(spec, at.recorded, at.seen, {})
  end
  return { kind = "lost", spec = spec, changes = {}, grave = {} }
end

--- As it is recorded, but for the names of the others: what was decided on it stays decided.
---@param renews boolean?  but for its hardware, too
local function leave(at, spec, renews)
  local same = table_.copy(at.recorded)
  if renews then
    same.generation = spec.generation
    for _, key in ipairs(HARDWARE) do same.vm[key] = spec.vm[key] end
  end
  same.hosts_id, at.grave = spec.hosts_id, {}
  return go(at, same, nil, { kept = at.entry.kept })
end

local function of_recorded(context, at, spec)
  at.grave = diff.grave(diff.changes(at.recorded, spec))
  if not at.seen.disk or at.seen.lost then return without_disk(context, at, spec) end
  if context.leave_known then return leave(at, spec, context.renews) end
  local is_unreadable = at.seen.problem and consent.answer(context.consent, spec, EVERYTHING) == "recreate"
  if is_unreadable or consent.is_forced(context.consent, spec) then
    if at.recorded.protect then return { kind = "protected", spec = spec, changes = {}, grave = at.grave } end
    return recreate(spec, at.recorded, at.seen, at.grave)
  end
  if #at.grave > 0 then return settle(context, at, spec) end
  local has_failed = at.seen.running and at.seen.state == "failed"
  if has_failed and consent.answer(context.consent, spec, EVERYTHING) == "reprovision" then
    return reprovision(context, at, spec)
  end
  return go(at, spec)
end

-- Of a service that goes back each is what it was, or is; what the file says otherwise comes later.
local function go_back(context, entry, seen, spec)
  local target = unfinished.target(entry)
  local at = { entry = target, seen = seen, recorded = target.spec, replaced = target.replaced }
  if target.has_old_disk then
    local same = table_.copy(target.spec)
    same.hosts_id = spec.hosts_id
    return { kind = "return", spec = same, changes = {}, grave = {}, returns = true,
      intent = unfinished.intent(entry, target, same) }
  elseif not seen.disk or seen.lost then
    at.entry, at.grave = entry, {}
    return without_disk(context, at, target.spec)
  end
  local decision = leave(at, spec)
  decision.returns, decision.intent.previous = true, target.previous
  return decision
end

-- Where nobody carries it out, what goes back is what it is: started for the disk that it has, and otherwise left alone.
local function stand(context, entry, seen)
  local spec = unfinished.in_place(entry)
  if context.no_start then return { kind = "stay", spec = spec, changes = {}, grave = {} } end
  if not seen.disk or seen.lost then return { kind = "lost", spec = spec, changes = {}, grave = {}, is_left = true } end
  local is_left = seen.running and not (context.restarts and context.restarts[spec.name])
  spec = is_left and seen.applied or spec
  return go({ entry = entry, seen = seen, recorded = spec, grave = {} }, spec)
end

--- An instance that the command is not about: when it runs, it is told the names of the others. nil when that is not needed.
---@return holos.Decision?
function M.of_other(context, spec)
  local entry, seen = context.record.instances[spec.name], context.observed.instances[spec.name]
  local applied = entry and seen and seen.running and not seen.is_cut and seen.applied
  if not applied or applied.hosts_id == spec.hosts_id or entry.replaced then return nil end
  local decision = leave({ entry = entry, seen = seen, recorded = entry.spec }, spec)
  decision.kind, decision.intent.desired, decision.intent.provision_runs = "tell", entry.desired, entry.provision_runs
  decision.intent.previous = entry.previous
  decision.changes = table_.filter(decision.changes, function(change) return change.name == "hosts" end)
  return decision
end

--- What is to become of the instance of `spec`.
---@param context table  {record, observed, consent: holos.Consent, renew(spec, runs): the id of a guest that runs its first
---                      steps again, restarts: instances that are to be restarted whatever has changed}
---@return holos.Decision
function M.of(context, spec)
  local entry, seen = context.record.instances[spec.name], context.observed.instances[spec.name]
  if not seen then return new(spec) end
  local decision = M.of_known(context, spec, entry, seen)
  decision.is_asked = decision.kind == "go" and context.restarts and context.restarts[spec.name] or nil
  if decision.intent then decision.intent.provision_runs = decision.intent.provision_runs or entry.provision_runs end
  return decision
end

-- The first steps were to run again, that did not come about, and it is not wanted any more: what runs is what is wanted.
local function was_not_begun(entry, seen, spec)
  local runs = seen.running and seen.applied
  return runs and #diff.grave(diff.changes(entry.spec, spec)) > 0 and #diff.grave(diff.changes(seen.applied, spec)) == 0
end

--- The same of an instance that is recorded.
function M.of_known(context, spec, entry, seen)
  if context.returning[spec.service] then return go_back(context, entry, seen, spec) end
  if unfinished.is_due(entry) then return stand(context, entry, seen) end
  local at = { entry = entry, seen = seen, recorded = entry.spec, replaced = entry.replaced }
  if is_pending(entry.replaced, entry, spec) then
    return { kind = "recreate", spec = spec, changes = {}, grave = {}, is_pending = true,
      intent = { spec = spec, is_new_disk = true, replaced = entry.replaced } }
  elseif entry.replaced and not entry.replaced.is_moved then
    at.recorded, at.replaced = entry.replaced.spec, nil
  elseif was_not_begun(entry, seen, spec) then
    at.recorded = seen.applied
  end
  return of_recorded(context, at, spec)
end

-- An old disk that waits in the trash comes back only while this command makes the new one: what a machine has written on
-- a disk since then is worth more. Once that has served, nothing waits any more.
local function note_replaced(context, decision)
  local name = decision.spec.name
  if not decision.intent or not decision.intent.replaced or decision.kind == "return" then return end
  local is_made_now = decision.kind == "recreate" or decision.kind == "new"
  context.undo[name] = is_made_now or nil
  context.settles[name] = not is_made_now and context.observed.instances[name].has_served and "served" or "waits"
end

--- What is to become of each; context.specs are as they are to be then. Decisions come first: what a launch waits for is an
--- instance as it is to be.
---@return holos.Decision[]
function M.all(plan, context)
  local decisions, specs = {}, {}
  unfinished.mark(context)
  for position, spec in ipairs(context.specs) do
    decisions[position] = M.of(context, spec)
    specs[position] = decisions[position].spec
    note_replaced(context, decisions[position])
  end
  unfinished.tell(plan, context, decisions, context.specs)
  context.specs = specs
  return decisions
end

return M
