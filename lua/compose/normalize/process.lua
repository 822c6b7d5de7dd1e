--- What runs in the guest of a service: command line, user, limits, kernel parameters. Pure.
local sizes = require "holos.compose.normalize.sizes"
local tables = require "holos.core.table"

local M = {}

local function present(list)
  return list and tables.filter(list, function(item) return item end)
end

-- One table for all keys that speak of the program, made when the first of them is met.
local function app(made, _, context, service)
  if made.app then return end
  local argv = tables.list {}
  tables.extend(argv, present(service.entrypoint or {}))
  tables.extend(argv, present(service.command or {}))
  made.app = {
    argv = argv, working_dir = service.working_dir, user = service.user, group_add = present(service.group_add) or tables.list {},
    ulimits = service.ulimits or {}, pids_limit = sizes.find(context, made.name, service, "pids"),
    stop_signal = service.stop_signal,
  }
end

local fillers = {}

for _, key in ipairs { "command", "entrypoint", "working_dir", "user", "group_add", "ulimits", "pids_limit", "stop_signal" } do
  fillers[key] = app
end

-- The defaults are Swarm's.
local function update_of(update, back)
  return { parallelism = update.parallelism or 1, delay_ms = update.delay or 0, monitor_ms = update.monitor or 0,
    failure_action = update.failure_action or "pause", max_failure_ratio = update.max_failure_ratio or 0,
    back = { parallelism = back.parallelism or 1, delay_ms = back.delay or 0 } }
end

function fillers.deploy(made, deploy, context, service)
  made.update_config = deploy.update_config and update_of(deploy.update_config, deploy.rollback_config or {})
  local limits = deploy.resources and deploy.resources.limits
  if limits and limits.pids then app(made, nil, context, service) end
end

-- Variables without a value get theirs in compose/variables.
local function hooks_of(hooks)
  return tables.list(tables.map(present(hooks), function(hook)
    return { command = hook.command and tables.list(present(hook.command)), user = hook.user, working_dir = hook.working_dir,
      environment = hook.environment }
  end))
end

function fillers.post_start(made, hooks) made.post_start = hooks_of(hooks) end
function fillers.pre_stop(made, hooks) made.pre_stop = hooks_of(hooks) end

function fillers.sysctls(made, sysctls) made.sysctls = sysctls end
function fillers.shm_size(made, bytes) made.shm_size_bytes = bytes end

--- By key of the service: function(made, value, context, service).
M.fillers = fillers

return M
