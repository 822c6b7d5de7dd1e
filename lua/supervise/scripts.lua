--- What scripts hear of what a supervisor sees happen. Where nobody has loaded scripts, nothing of them is loaded here, and
--- nobody waits for anything. Effects: runs handlers of scripts.
local err = require "holos.core.err"
local task = require "holos.core.task"

local M = {}

--- A handler is given up after so long, or after so many instructions: nobody else gets a turn while it computes.
M.HANDLER_MS, M.INSTRUCTIONS = 30000, 50000000
--- Events that wait for handlers; more are dropped, and that is written down.
M.MOST_WAITING = 256

-- The scripts of this process; who has some has loaded their API.
local function loaded() return package.loaded["holos.script.api"] end

local function too_long()
  err.raise { message = ("the handler has computed for too long (%d instructions)"):format(M.INSTRUCTIONS), code = "EHANDLER" }
end

local unlimited = setmetatable({}, { __close = function() debug.sethook() end })

local function hear(api, payload)
  local _limit <close> = unlimited
  debug.sethook(too_long, "", M.INSTRUCTIONS)
  api.emit(payload.type, payload)
end

local function trouble(project, event, problem)
  project:emit { type = "supervisor.trouble", instance = event.instance,
    message = ("scripts, of %s: %s"):format(event.type, tostring(problem)) }
end

local function payload_of(project, event)
  local keeper = project.keepers[event.instance]
  local spec = keeper and keeper.entry.spec or {}
  local payload = { project = project.name, service = spec.service, index = spec.index }
  for key, value in pairs(event) do payload[key] = value end
  return payload
end

--- Tells handlers of the events in `queue`, one after the other, for ever. What they raise is written down.
function M.run(project, api, queue)
  while true do
    local event = queue:take()
    local ok, problem = pcall(task.within, M.HANDLER_MS, hear, api, payload_of(project, event))
    if not ok and err.is(problem, "ECANCELED") then error(problem, 0) end
    if not ok then trouble(project, event, problem) end
  end
end

-- Whether scripts want to hear of something that supervisors tell of: of this, or of anything.
local function is_wanted(api, name)
  for _, definition in ipairs(api.supervised) do
    if (not name or definition.name == name) and api.events:is_wanted(definition.name) then return true end
  end
  return false
end

--- Lets scripts hear of a project, when there are any that want to.
function M.attach(project, scope)
  local api = loaded()
  if not api or not is_wanted(api) then return end
  local queue, gone = task.queue(), task.event()
  local function listener(event)
    if not is_wanted(api, event.type) then return end
    if queue:count() < M.MOST_WAITING then queue:put(event) else trouble(project, event, "dropped, as too many wait") end
  end
  project.listeners[listener] = gone
  scope:spawn("scripts", M.run, project, api, queue)
end

return M
