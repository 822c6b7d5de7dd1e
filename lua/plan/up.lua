--- The plan of `up` and `start`: observed and wanted state in, rows to read and a DAG of actions out. Pure.
local diff = require "holos.plan.diff"
local gate = require "holos.plan.gate"
local table_ = require "holos.core.table"

local M = {}

--- What a plan is made of.
---@class holos.Plan
---@field rows     {mark: string, name: string, text: string, where: string?}[]  what will happen, to be read
---@field actions  holos.Action[]     in an order that respects `after`
---@field refusals {instance: string, change: table, cure: string?}[]  changes that need a decision
---@field warnings string[]

---@class holos.Action   plain data
---@field id       string
---@field kind     string    volume.create, disk.create, disk.grow, instance.launch, .resume, .await, .stop or .trash
---@field instance string?
---@field volume   string?
---@field after    string[]  ids of actions that must have ended well
---@field after_any string[]? ids of actions that must have ended, well or not
---@field optional boolean?   its failure keeps those from starting that come after it, and nobody else
---@field because  string

local function add(plan, action)
  plan.actions[#plan.actions + 1] = action
  return action.id
end

local function row(plan, mark, name, text, where)
  plan.rows[#plan.rows + 1] = { mark = mark, name = name, text = text, where = where }
end

local function plan_volumes(plan, context)
  local ids = {}
  for _, name in ipairs(table_.keys(context.volumes)) do
    local volume = context.volumes[name]
    local known = context.observed.volumes[name]
    if not known and (context.record.volumes[name] or {}).made then
      plan.refusals[#plan.refusals + 1] = { instance = "volume " .. name, where = context.where("volumes." .. name),
        change = { name = "its disk", class = "recreate", from = "made", to = "gone" } }
    elseif not known then
      ids[name] = add(plan, { id = "volume/" .. name, kind = "volume.create", volume = name,
        size_bytes = volume.size_bytes, after = {}, because = "does not exist" })
      row(plan, "+", "volume " .. name, context.describe.volume(volume), context.where("volumes." .. name))
    elseif known.size_bytes ~= volume.size_bytes then
      plan.warnings[#plan.warnings + 1] = ("volume %s stays at %s; the file says %s"):format(name,
        context.describe.bytes(known.size_bytes), context.describe.bytes(volume.size_bytes))
    end
  end
  return ids
end

--- The action after which `other` has reached `goal`; nil when it is not touched and nothing is waited for.
local function gate_action(plan, context, other, goal, because)
  if goal == "running" then return context.launched[other.name] end
  local id = ("gate/%s/%s"):format(other.name, goal)
  if not context.gates[id] then
    context.gates[id] = { id = id, kind = "instance.await", instance = other.name, goal = goal,
      after = { context.launched[other.name] }, because = because }
    add(plan, context.gates[id])
  end
  return id
end

--- A launch that does not need its dependency to get there (required: false) still waits until that has been decided.
local function wait_for(plan, context, waits, dependency, other)
  local id = gate_action(plan, context, other, gate.of(other, dependency.condition), "others depend on it")
  if dependency.required ~= false then
    waits.after[#waits.after + 1] = id
  elseif id then
    if context.gates[id] then context.gates[id].optional = true end
    waits.after_any[#waits.after_any + 1] = id
  end
end

--- What a launch of `spec` must come after: its volumes and what its service depends on.
---@return {after: string[], after_any: string[]} waits  after_any: also when these have failed
local function prerequisites(plan, context, spec, volume_ids)
  local waits = { after = {}, after_any = {} }
  for _, mount in ipairs(spec.mounts) do
    if volume_ids[mount.volume] then waits.after[#waits.after + 1] = volume_ids[mount.volume] end
  end
  for _, dependency in ipairs(spec.depends_on) do
    for _, other in ipairs(context.specs) do
      if other.service == dependency.service then wait_for(plan, context, waits, dependency, other) end
    end
  end
  return waits
end

local function launch(plan, context, spec, waits, because)
  local any = waits.after_any
  local id = add(plan, { id = "launch/" .. spec.name, kind = "instance.launch", instance = spec.name, after = waits.after,
    after_any = any and #any > 0 and any or nil, because = because })
  context.launched[spec.name] = id
end

local function first_where(context, spec, changes)
  local change = changes[1]
  return context.where(("services.%s.%s"):format(spec.service, change.key)) or context.where("services." .. spec.service)
end

local function plan_new(plan, context, spec, volume_ids)
  local waits = prerequisites(plan, context, spec, volume_ids)
  waits.after[#waits.after + 1] = add(plan, { id = "disk/" .. spec.name, kind = "disk.create", instance = spec.name, after = {},
    because = "new instance" })
  row(plan, "+", spec.name, context.describe.instance(spec, context.directory),
    context.where("services." .. spec.service))
  launch(plan, context, spec, waits, "new instance")
end

local function change_text(changes)
  local shown = {}
  for i, change in ipairs(changes) do
    local is_same = change.from == change.to
    shown[i] = change.name .. " " .. (is_same and change.to or ("%s → %s"):format(change.from, change.to))
  end
  return table.concat(shown, ", ")
end

local function grow_if_larger(plan, context, spec, after)
  if spec.disk_bytes <= context.observed.instances[spec.name].disk_bytes then return end
  after[#after + 1] = add(plan, { id = "grow/" .. spec.name, kind = "disk.grow", instance = spec.name,
    after = table_.copy(after), because = "disk_size grew" })
end

local function plan_restart(plan, context, spec, volume_ids, changes, running)
  local waits = prerequisites(plan, context, spec, volume_ids)
  local text = #changes > 0 and change_text(changes) or context.observed.instances[spec.name].text
  if running then
    waits = { after = { add(plan, { id = "stop/" .. spec.name, kind = "instance.stop", instance = spec.name,
      after = waits.after, after_any = #waits.after_any > 0 and waits.after_any or nil, because = text }) } }
  end
  grow_if_larger(plan, context, spec, waits.after)
  row(plan, "~", spec.name, ("%s   %s   (disk kept)"):format(running and "restart" or "start", text),
    #changes > 0 and first_where(context, spec, changes) or nil)
  launch(plan, context, spec, waits, running and text or "not running")
end

--- A paused guest goes on where it was.
local function plan_resume(plan, context, spec)
  local text = context.observed.instances[spec.name].text
  row(plan, "~", spec.name, "go on   " .. text)
  context.launched[spec.name] = add(plan, { id = "resume/" .. spec.name, kind = "instance.resume", instance = spec.name,
    after = {}, because = text })
end

--- A disk that was made and is gone is a loss to be told, not to be papered over with a new one; a restore that was cut
--- off leaves it in the trash.
local function refuse_lost_disk(plan, context, spec)
  local batch = context.batch_of(spec.name)
  local cure = batch and ("the trash holds one of %s: holos trash restore %s %s"):format(spec.name, spec.project, batch)
  plan.refusals[#plan.refusals + 1] = { instance = spec.name, cure = cure, where = context.where("services." .. spec.service),
    change = { name = "root disk", class = "recreate", from = "made", to = "gone" } }
end

local function refuse_changes(plan, context, spec, changes, class)
  for _, change in ipairs(changes) do
    if change.class == class then
      plan.refusals[#plan.refusals + 1] = { instance = spec.name, change = change, where = first_where(context, spec,
        { change }) }
    end
  end
end

local function plan_known(plan, context, spec, volume_ids)
  if not context.observed.instances[spec.name].disk then
    if context.record.instances[spec.name].disk_made then return refuse_lost_disk(plan, context, spec) end
    return plan_new(plan, context, spec, volume_ids) -- an `up` was cut off before it came to the disk
  end
  local seen = context.observed.instances[spec.name]
  local changes = diff.changes(seen.applied or context.record.instances[spec.name].spec, spec)
  local gravest, running = diff.gravest(changes), seen.running
  if gravest == "recreate" or gravest == "reprovision" then return refuse_changes(plan, context, spec, changes, gravest) end
  if not running or gravest == "restart" or seen.halt and seen.halt.cure == "restart" then
    return plan_restart(plan, context, spec, volume_ids, changes, running)
  elseif seen.halt and seen.halt.cure == "resume" and not seen.is_cut then
    plan_resume(plan, context, spec)
  elseif seen.is_cut then
    row(plan, "~", spec.name, "finish its launch, which was cut off")
    launch(plan, context, spec, { after = {} }, "its launch was cut off")
  end
  if gravest == "live" then
    row(plan, "~", spec.name, "at its next start   " .. change_text(changes), first_where(context, spec, changes))
  end
end

--- Recorded instances that the file no longer names: surplus replicas go (their disks to the trash), orphans stay.
local function plan_surplus(plan, context, wanted, services)
  for _, name in ipairs(table_.keys(context.record.instances)) do
    local spec = context.record.instances[name].spec
    if not wanted[name] and services[spec.service] and spec.protect then
      plan.refusals[#plan.refusals + 1] = { instance = name, where = context.where("services." .. spec.service .. ".replicas"),
        change = { name = "replicas", class = "recreate", from = "protected", to = "removed" } }
    elseif not wanted[name] and services[spec.service] then
      local stop = add(plan, { id = "stop/" .. name, kind = "instance.stop", instance = name, after = {},
        because = "fewer replicas" })
      add(plan, { id = "trash/" .. name, kind = "instance.trash", instance = name, after = { stop },
        because = "fewer replicas" })
      row(plan, "-", name, "stop; root disk to the trash", context.where("services." .. spec.service .. ".replicas"))
    elseif not wanted[name] and not context.partial then
      plan.warnings[#plan.warnings + 1] = ("%s is recorded but no longer in the file; it is left as it is"):format(name)
    end
  end
end

--- The plan that brings what is observed to what is wanted.
---@param context table
---  specs: wanted instance specs, in start order        record: the project's record
---  observed: {instances = {[name] = {running, text, halt, disk, disk_bytes, applied, is_cut}}, volumes = {[name] = {size_bytes}}}
---  volumes: {[name] = {name, size_bytes}}              where(path): "holos.yaml:14" or nil
---  batch_of(instance): the newest batch of the trash that holds it, or nil
---  describe: {instance(spec), volume(volume), bytes(n)}  goal: what to wait for, nil for the default
---  directory: the project's                                 partial: only some services were asked for, so the
--- others are no orphans
---@return holos.Plan
function M.make(context)
  local plan = { rows = {}, actions = {}, refusals = {}, warnings = {} }
  local wanted, services = {}, {}
  context.launched, context.gates = {}, {}
  local volume_ids = plan_volumes(plan, context)
  for _, spec in ipairs(context.specs) do
    wanted[spec.name], services[spec.service] = true, true
    if context.observed.instances[spec.name] then
      plan_known(plan, context, spec, volume_ids)
    else
      plan_new(plan, context, spec, volume_ids)
    end
  end
  for _, spec in ipairs(context.specs) do
    gate_action(plan, context, spec, gate.goal(spec, context.goal), "up waits for it")
  end
  plan_surplus(plan, context, wanted, services)
  return plan
end

return M
