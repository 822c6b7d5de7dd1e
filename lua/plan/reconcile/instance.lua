--- From a decision on an instance to the actions that carry it out, and the rows that say so. Pure.
local diff = require "holos.plan.diff"
local image = require "holos.plan.image"
local live = require "holos.plan.reconcile.live"
local order = require "holos.plan.reconcile.order"
local rollout = require "holos.plan.reconcile.rollout"
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"
local unfinished = require "holos.plan.reconcile.unfinished"

local M = {}

local function create_disk(plan, context, spec, after, because)
  return sheet.add(plan, { id = "disk/" .. spec.name, kind = "disk.create", instance = spec.name, after = after,
    undo = context.undo[spec.name], because = because })
end

local function new(plan, context, decision)
  local spec = decision.spec
  local waits = order.prerequisites(plan, context, spec)
  waits.after[#waits.after + 1] = create_disk(plan, context, spec, {}, "new instance")
  sheet.row(plan, "+", spec.name, context.describe.instance(spec, context.directory),
    context.where("services." .. spec.service))
  order.launch(plan, context, spec, waits, "new instance")
end

--- A disk that was made and is gone is a loss to be told, not to be papered over with a new one; a restore that was cut
--- off leaves it in the trash.
local function lost(plan, context, decision)
  local spec, other = decision.spec, context.observed.instances[decision.spec.name].lost
  local batch = not other and context.batch_of(spec.name)
  local cure = decision.is_left and "it was on its way back to its old disk; go on with: holos up" or batch
    and ("the trash holds one of %s: holos trash restore %s %s"):format(spec.name, spec.project, batch)
    or other and ("put it back, or have the machine made anew: holos up --recreate=%s"):format(spec.service)
  sheet.refuse(plan, { instance = spec.name, cure = cure, where = context.where("services." .. spec.service),
    change = { name = other or "root disk", class = "recreate", from = "made", to = "gone" } })
end

local function protected(plan, context, decision)
  local spec = decision.spec
  sheet.refuse(plan, { instance = spec.name, where = context.where("services." .. spec.service),
    cure = ("take `protect` out of the file and run `holos up` first, then recreate %s"):format(spec.name),
    change = { name = "root disk", class = "recreate", from = "protected", to = "new" } })
end

-- What becomes of a machine that a question is about, whatever is answered.
local function besides(context, decision)
  local seen, changes = context.observed.instances[decision.spec.name], decision.besides.changes
  if context.no_start or seen.running and #changes == 0 then return nil end
  local verb = not seen.running and "started" or M.needs_restart(decision.besides, seen) and "restarted" or "changed while it runs"
  return #changes > 0 and verb .. ": " .. sheet.change_text(changes) or verb
end

local function ask(plan, context, decision)
  sheet.ask(plan, context, decision, besides(context, decision))
end

local function recreate(plan, context, decision)
  local spec, seen = decision.spec, context.observed.instances[decision.spec.name]
  local waits = order.prerequisites(plan, context, spec)
  local because = #decision.grave > 0 and sheet.change_text(decision.grave)
    or decision.is_pending and "as it was begun before" or "as it was asked for"
  rollout.wait_turn(plan, context, spec, waits)
  sheet.row(plan, "~", spec.name, ("recreate   %s   (new disk; the old one goes to the trash)"):format(because),
    sheet.where_of(context, spec, decision.grave))
  if seen.running then waits = order.stop(plan, spec, waits, because) end
  local aside = sheet.add(plan, { id = "set_aside/" .. spec.name, kind = "instance.set_aside", instance = spec.name,
    after = table_.copy(waits.after), after_any = waits.after_any, undo = true, because = because })
  waits.after[#waits.after + 1] = create_disk(plan, context, spec, { aside }, because)
  order.launch(plan, context, spec, waits, because)
end

local function go_back(plan, context, decision)
  local spec, seen = decision.spec, context.observed.instances[decision.spec.name]
  local waits, because = order.prerequisites(plan, context, spec), "its change was given up"
  rollout.wait_turn(plan, context, spec, waits)
  sheet.row(plan, "~", spec.name, ("go back   to its old disk, from %s; %s   (the new disk goes to the trash)"):format(
    image.name(spec.image) or "nothing", because), context.where("services." .. spec.service))
  if seen.running then waits = order.stop(plan, spec, waits, because) end
  waits.after = { sheet.add(plan, { id = "go_back/" .. spec.name, kind = "instance.go_back", instance = spec.name,
    after = table_.copy(waits.after), after_any = waits.after_any, because = because }) }
  if context.renews and not seen.running then
    decision.intent.desired, decision.intent.previous.desired, context.untouched[spec.name] = "stopped", "stopped", true
  else
    order.launch(plan, context, spec, { after = waits.after }, because)
  end
end

local function grow_if_larger(plan, context, spec, after)
  local has_bytes = context.observed.instances[spec.name].disk_bytes
  if not has_bytes or spec.disk_bytes <= has_bytes then return end
  after[#after + 1] = sheet.add(plan, { id = "grow/" .. spec.name, kind = "disk.grow", instance = spec.name,
    after = table_.copy(after), because = "disk_size grew" })
end

--- What the row says that is done: "restart   memory 512 MiB → 1 GiB   (disk kept)".
local function restart_row(plan, context, decision, running, text)
  local verb = decision.verb == "reprovision" and "reprovision" or running and "restart" or "start"
  sheet.row(plan, "~", decision.spec.name, ("%s   %s   (disk kept)"):format(verb, text),
    #decision.changes > 0 and sheet.where_of(context, decision.spec, decision.changes) or nil)
end

-- Why a machine is started anew: how it stands, where that alone is a reason, and what has changed.
local function cause_of(decision, seen)
  local causes = {}
  if not seen.running or seen.halt then causes[1] = seen.text end
  if #decision.changes > 0 then
    causes[#causes + 1] = sheet.change_text(decision.changes)
  elseif decision.needs_restart then
    causes[#causes + 1] = "its first steps run again"
  end
  if decision.returns then causes[#causes + 1] = "the change of it was given up" end
  if decision.is_asked and seen.running then causes[#causes + 1] = "as it was asked for" end
  if decision.follows then causes[#causes + 1] = decision.follows .. " is restarted" end
  return table.concat(causes, "; ")
end

local function restart(plan, context, decision)
  local spec, seen = decision.spec, context.observed.instances[decision.spec.name]
  local waits = order.prerequisites(plan, context, spec)
  local text = cause_of(decision, seen)
  rollout.wait_turn(plan, context, spec, waits)
  if seen.running then waits = order.stop(plan, spec, waits, text) end
  grow_if_larger(plan, context, spec, waits.after)
  restart_row(plan, context, decision, seen.running, text)
  order.launch(plan, context, spec, waits, seen.running and text or "not running")
end

--- A paused guest goes on where it was.
local function resume(plan, context, spec, text)
  sheet.row(plan, "~", spec.name, "go on   " .. text)
  context.launched[spec.name] = sheet.add(plan, { id = "resume/" .. spec.name, kind = "instance.resume",
    instance = spec.name, after = {}, because = text })
end

--- Whether a machine has to be launched for a decision to keep its disk, anew or at all.
function M.needs_restart(decision, seen)
  if decision.is_asked then return true end
  if decision.is_done then return false end
  local gravest = diff.gravest(decision.changes)
  return decision.follows ~= nil or not seen.running or decision.needs_restart or gravest ~= nil and gravest ~= "live"
    or seen.halt and seen.halt.cure == "restart"
end

--- Where nothing is to be started, nothing that runs is stopped either.
local function leave(plan, decision, seen)
  decision.intent.desired = seen.running and "running" or "stopped"
  if seen.running and M.needs_restart(decision, seen) then
    sheet.warn(plan, decision.spec.name .. " runs on as it is; its changes wait for its next start")
  end
end

--- A machine that does not run gets its hardware when it is started, and nobody starts it now.
local function note(plan, context, decision)
  decision.intent.desired, context.untouched[decision.spec.name] = "stopped", true
  if #decision.changes == 0 then return end
  sheet.row(plan, "~", decision.spec.name, "at its next start   " .. sheet.change_text(decision.changes),
    sheet.where_of(context, decision.spec, decision.changes))
end

local function go(plan, context, decision)
  local spec, seen = decision.spec, context.observed.instances[decision.spec.name]
  if decision.verb == "keep" then
    plan.kept[#plan.kept + 1] = { name = spec.name, text = sheet.change_text(decision.grave),
      where = sheet.where_of(context, spec, decision.grave) }
  end
  if context.no_start then return leave(plan, decision, seen) end
  if context.renews and not seen.running then return note(plan, context, decision) end
  if M.needs_restart(decision, seen) then return restart(plan, context, decision) end
  if seen.halt and seen.halt.cure == "resume" and not seen.is_cut then
    resume(plan, context, spec, seen.text)
  elseif seen.is_cut then
    sheet.row(plan, "~", spec.name, "finish its launch, which was cut off")
    order.launch(plan, context, spec, { after = {} }, "its launch was cut off")
  end
  if #decision.changes > 0 and live.is_possible(decision, seen) then
    live.apply(plan, context, decision)
  elseif #decision.changes > 0 then
    local when = seen.is_cut and "with the next up   " or "at its next start   "
    sheet.row(plan, "~", spec.name, when .. sheet.change_text(decision.changes),
      sheet.where_of(context, spec, decision.changes))
  end
end

-- Only the names of the others have changed.
local function tell(plan, context, decision) live.apply(plan, context, decision) end

local function stay(plan, _, decision) unfinished.tell_left(plan, decision.spec.name) end

local CARRY_OUT = { tell = tell, stay = stay, ["return"] = go_back, new = new, lost = lost, protected = protected, ask = ask,
  recreate = recreate, go = go }

--- Writes what a decision comes to on the plan.
---@param decision holos.Decision
function M.carry_out(plan, context, decision)
  if decision.intent and context.no_start then decision.intent.desired = "stopped" end
  plan.intents[decision.spec.name] = decision.intent
  CARRY_OUT[decision.kind](plan, context, decision)
end

-- -- root disks that cannot be read: no machine is launched from one, all others are as they would be

local MAKES_DISK = { "disk/", "go_back/" }

-- Whether an instance is launched with the disk that it has.
local function keeps_disk(actions, name)
  for _, prefix in ipairs(MAKES_DISK) do
    if actions[prefix .. name] then return false end
  end
  return actions["launch/" .. name] ~= nil
end

local function refuse_unreadable(plan, context, spec, problem)
  local cure = spec.protect and "%s cannot start with it: put a copy of it back"
    or "%s cannot start with it: put a copy of it back, or have the machine made anew: holos up --recreate=%s"
  sheet.refuse(plan, { instance = spec.name, where = context.where("services." .. spec.service),
    cure = cure:format(spec.name, spec.name),
    change = { name = "its root disk is damaged", class = "recreate", from = problem, to = problem } })
end

--- Refuses what a plan would launch from a disk that cannot be read, and warns of the others; when all actions are there.
function M.settle_damage(plan, context)
  local actions, specs = {}, {}
  for _, action in ipairs(plan.actions) do actions[action.id] = action end
  for _, spec in ipairs(plan.specs) do specs[spec.name] = spec end
  for name, seen in table_.sorted_pairs(context.observed.instances) do
    if seen.problem and specs[name] and keeps_disk(actions, name) then
      refuse_unreadable(plan, context, specs[name], seen.problem)
    elseif seen.problem and not (actions["set_aside/" .. name] or actions["trash/" .. name]) then
      sheet.warn(plan, ("the root disk of %s is damaged: %s"):format(name, seen.problem))
    end
  end
end

return M
