--- Recorded instances that the file does not want: surplus replicas go, their disks to the trash; orphans stay unless the user says
--- otherwise. Pure.
local announce = require "holos.plan.reconcile.announce"
local sheet = require "holos.plan.reconcile.sheet"
local table_ = require "holos.core.table"

local M = {}

local function refuse_protected(plan, name, where)
  sheet.refuse(plan, { instance = name, where = where,
    change = { name = "protect", class = "recreate", from = "protected", to = "removed" } })
end

local function remove(plan, context, spec, because, where)
  local name = spec.name
  if spec.protect then return refuse_protected(plan, name, where) end
  local stop = sheet.add(plan, { id = "stop/" .. name, kind = "instance.stop", instance = name, after = {}, because = because,
    optional = spec.pre_stop and true or nil })
  context.removed[name] = sheet.add(plan, { id = "trash/" .. name, kind = "instance.trash", instance = name, after = { stop },
    because = because })
  sheet.row(plan, "-", name, ("stop; root disk to the trash   %s"):format(because), where)
  announce.stop(plan, context, spec)
end

local function warn(plan, name)
  sheet.warn(plan, ("%s is recorded but no longer in the file; it is left as it is (up --remove-orphans takes it away)")
    :format(name))
end

--- Plans what becomes of recorded instances that are not wanted.
---@param context table  managed: {[service] = true}, services whose replicas are counted, nil for none; declared: {[service]
---                      = true}, all that the file names, nil when orphans are not looked for; remove_orphans
---@param wanted table<string, boolean>
function M.plan(plan, context, wanted)
  for _, name in ipairs(table_.keys(context.record.instances)) do
    local spec = context.record.instances[name].spec
    if not wanted[name] and context.managed and context.managed[spec.service] then
      remove(plan, context, spec, "fewer replicas", context.where("services." .. spec.service .. ".replicas"))
    elseif not wanted[name] and context.declared and not context.declared[spec.service] then
      if context.remove_orphans then remove(plan, context, spec, "no longer in the file") else warn(plan, name) end
    end
  end
end

return M
