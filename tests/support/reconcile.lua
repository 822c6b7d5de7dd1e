--- Observed and wanted machines to plan from, in few words, and plans as text.
local table_ = require "holos.core.table"
local up = require "holos.plan.up"

local M = {}

--- A spec of instance `name`, with `changes` laid over it; "vm.memory_mib" lies deeper.
function M.spec(name, changes)
  local made = { name = name, service = name:match("^(.*)%-"), project = "p", index = math.tointeger(tonumber(name:match("%d+$"))),
    image = { path = "/images/debian.qcow2", format = "qcow2", os = "systemd", mtime_ns = 1, inode = 1 }, uuid = "u-" .. name,
    instance_id = "i-1", user = "debian", disk_bytes = 20 << 30, vm = { memory_mib = 512, vcpu = 1, machine = "pc-q35-7.2",
      cpu_model = "max", accel = "tcg", extra_args = {}, allow_paths = {} }, ports = {}, mounts = {}, nics = {},
    hosts_id = "1-a", depends_on = {}, stop_grace_ms = 30000, labels = {}, cloud_init = {} }
  for key, value in pairs(changes or {}) do
    local group, field = key:match("^(%w+)%.(.+)$")
    if group then made[group][field] = value else made[key] = value end
  end
  return made
end

--- What is seen of instance a-0 while it runs and does its work.
M.RUNS = { running = true, disk = true, disk_bytes = 20 << 30, text = "provisioned", state = "provisioned",
  applied = M.spec "a-0" }

--- The same, with something else.
function M.state(over)
  local seen = table_.copy(M.RUNS)
  for key, value in pairs(over) do seen[key] = value end
  return seen
end

--- What is seen of one that does not run.
function M.stopped(over)
  local seen = M.state { running = false, text = "exited", state = "exited" }
  seen.applied = nil
  for key, value in pairs(over or {}) do seen[key] = value end
  return seen
end

--- What is recorded of a-0.
function M.entry(over)
  return table_.merge({ spec = M.spec "a-0", desired = "running", disk_made = true, leased = {} }, over or {})
end

local DESCRIBE = { instance = function(spec) return spec.image.path:match("[^/]+$") end,
  volume = function(volume) return volume.name end, bytes = function(count) return ("%d GiB"):format(count >> 30) end,
  volume_name = function(name) return name end }

--- Plans `wanted` over what is recorded and seen.
---@param case {wanted: table[], recorded: table<string, table>?, seen: table<string, table>?, volumes: table?, disks: table?}
---       recorded: entries of a record by instance, seen: as of run/observe; what else is there goes to plan/up
function M.plan(case)
  local context = { specs = case.wanted, record = { instances = case.recorded or {}, volumes = case.made or {} },
    observed = { instances = case.seen or {}, volumes = case.disks or {} }, volumes = case.volumes or {}, describe = DESCRIBE,
    where = function(path) return path end, batch_of = function() end, managed = {}, declared = {},
    renew = function(_, runs) return "i-1+" .. runs end }
  for _, spec in ipairs(case.wanted) do context.managed[spec.service], context.declared[spec.service] = true, true end
  for key, value in pairs(case.more or {}) do context[key] = value end
  return up.make(context)
end

-- What becomes of the others when an action fails.
local function borne_text(action)
  local counted = action.rollout
  if not counted then return action.optional and " (optional)" or "" end
  local what = counted.goes_back and "goes back" or "pauses"
  return counted.may_fail == 0 and (" (%s)"):format(what) or (" (%s after %d)"):format(what, counted.may_fail)
end

local function action_line(action)
  local after = #action.after > 0 and " < " .. table.concat(action.after, ", ") or ""
  local any = action.after_any and #action.after_any > 0 and " ~ " .. table.concat(action.after_any, ", ") or ""
  return ("    %s%s%s%s%s"):format(action.id, after, any, action.undo and " (undo)" or "", borne_text(action))
end

--- A plan as text: what a user reads, then the actions, each with what it comes after.
function M.text(plan)
  local lines = {}
  local function line(...) lines[#lines + 1] = (...):format(select(2, ...)) end
  for _, row in ipairs(plan.rows) do line("  %s %s  %s  @%s", row.mark, row.name, row.text, row.where or "-") end
  for _, kept in ipairs(plan.kept) do line("  = %s  %s", kept.name, kept.text) end
  for _, question in ipairs(plan.questions) do
    line("  ? %s  %s  [%s]%s", table.concat(question.instances, ", "), question.text, table.concat(question.answers, " "),
      question.besides and "  anyhow " .. question.besides or "")
  end
  for _, refusal in ipairs(plan.refusals) do
    line("  ! %s  %s: %s → %s", refusal.instance, refusal.change.name, refusal.change.from, refusal.change.to)
  end
  for _, promise in ipairs(plan.promises) do line("  %s  @%s", promise.text, promise.where or "-") end
  for _, warning in ipairs(plan.warnings) do line("  warning: %s", warning) end
  for _, action in ipairs(plan.actions) do lines[#lines + 1] = action_line(action) end
  for name, intent in table_.sorted_pairs(plan.intents) do
    local replaced = intent.replaced
    if replaced or intent.kept or intent.provision_runs then
      line("    %s: %s%s%s", name, replaced and (replaced.is_moved and "replaced, old in trash " or "to be replaced ") or "",
        intent.kept and "kept " or "", intent.provision_runs and "id " .. intent.spec.instance_id or "")
    end
  end
  return #lines > 0 and table.concat(lines, "\n") or "  nothing"
end

return M
