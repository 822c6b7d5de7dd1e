--- The commands that run in a guest before a command of the user's switches it off. Effects: SSH to the guest, its monitor.
local err = require "holos.core.err"
local gate = require "holos.plan.gate"
local hook = require "holos.run.hook"
local hook_ = require "holos.plan.hook"
local lock = require "holos.run.lock"
local monitor = require "holos.run.monitor"
local observe = require "holos.run.observe"
local remote = require "holos.run.remote"
local runstate = require "holos.plan.runstate"
local runtime = require "holos.run.runtime"
local task = require "holos.core.task"

local M = {}

--- A guest that is up lets us in within so long, also an emulated one.
M.CONNECT_MS = 10000
local ASK_MS = 2000

-- Why they cannot run, or make no sense. What failed of post_start is left to the user, who may stop it.
local function obstacle(world, at, now, may_begin)
  local spec = at.spec
  local left, failed = hook_.outstanding(spec, now)
  if not may_begin or left and not failed then return "its post_start is not done" end
  if hook_.pre_stop_ms(at.grace_ms) == 0 then return "there is no time for them" end
  local told = observe.report(world, at.state, spec.project, spec.name, now)
  if not gate.tells_nothing(spec) and not told.instance_id then return "its first steps are not done" end
  local halt = monitor.ask(world, at.state:instance(spec.project, spec.name), ASK_MS)
  return halt and runstate.describe(halt)
end

local function connect(world, at, now, deadline_ms)
  local timeout_ms = math.max(1, math.min(M.CONNECT_MS, deadline_ms - task.now_ms()))
  local ok, session = pcall(remote.connect, world, at.state, at.spec, now, { timeout_ms = timeout_ms })
  if ok then return session end
  if not err.is_failure(session) then error(session, 0) end
  return nil, hook.unreachable(at.spec, session)
end

local function raise(spec, number, failed)
  local name = spec.name
  local what = ("pre_stop %d of %d, %s, failed: %s"):format(number, #spec.pre_stop, hook_.title(spec.pre_stop[number]), failed.why)
  err.raise { code = "EPRESTOP", log = failed.log, what = what, message = ("%s: %s; it runs on"):format(name, what),
    hint = ("nothing of %s was stopped or moved:  holos exec %s · holos stop --no-pre-stop %s stops it without"):format(name, name,
      name) }
end

local function run_all(at, session, process, begun_ms)
  local commands, deadline_ms = at.spec.pre_stop, begun_ms + hook_.pre_stop_ms(at.grace_ms)
  for number, command in ipairs(commands) do
    at.on_change { state = "pre_stop", text = ("%d/%d %s"):format(number, #commands, hook_.title(command)) }
    local failed = hook.run(session, at.spec, command, math.max(1, deadline_ms - task.now_ms()))
    if failed and failed.is_lost and hook.ends(process, begun_ms + at.grace_ms - task.now_ms()) then return end
    if failed then raise(at.spec, number, failed) end
  end
end

--- Runs them; the caller holds the instance's lock. Where the guest cannot be asked they are left out, which is said. Raises
--- EPRESTOP (exit 1; `what` has failed) when one fails: the machine is then not to be stopped.
---@param at {state: table, spec: table, grace_ms: integer, warn: fun(text: string), on_change: fun(told: table)}
---@return integer grace_ms  what is left of it for the guest to switch itself off: at least half
function M.run(world, at)
  local begun_ms, spec = task.now_ms(), at.spec
  local now = runtime.load(world, at.state, spec.project, spec.name)
  local process <close> = runtime.process(world, now)
  if not process then return at.grace_ms end
  local start <close> = lock.try(world, at.state:start_lock(spec.project, spec.name)) -- nor does any begin meanwhile
  local reason, session = obstacle(world, at, now, start ~= nil), nil
  if not reason then session, reason = connect(world, at, now, begun_ms + hook_.pre_stop_ms(at.grace_ms)) end
  local _session <close> = session
  if session then
    run_all(at, session, process, begun_ms)
  else
    at.warn(("%s: pre_stop was left out: %s"):format(spec.name, reason))
  end
  return math.max(0, at.grace_ms - (task.now_ms() - begun_ms))
end

return M
