--- The commands that run in a guest after each start of its machine: in order, each once, by whoever comes to it first, a
--- command or the supervisor. Effects: SSH to the guest; runtime.json, which says how far they got; a lock.
local err = require "holos.core.err"
local hook = require "holos.run.hook"
local hook_ = require "holos.plan.hook"
local lock = require "holos.run.lock"
local remote = require "holos.run.remote"
local runtime = require "holos.run.runtime"
local table_ = require "holos.core.table"

local M = {}

--- Raised where one has failed.
M.FAILED = "EPOSTSTART"

-- What is written of the launch that we know; nil when it is over.
local function current(world, at)
  local now = runtime.load(world, at.state, at.spec.project, at.spec.name)
  return now and now.pid == at.now.pid and now.start_time == at.now.start_time and now or nil
end

--- Whether there are some that have not ended well since the launch.
---@param at table  as for complete
function M.is_outstanding(world, at)
  local now = current(world, at)
  return now ~= nil and hook_.outstanding(at.spec, now) ~= nil
end

local function raise(spec, done, failed)
  local name = spec.name
  err.raise { code = M.FAILED, exit = 4, log = failed.log,
    message = ("%s: post_start %d of %d, %s, failed: %s"):format(name, done + 1, #spec.post_start,
      hook_.title(spec.post_start[done + 1]), failed.why),
    hint = ("%s keeps running for you to look:  holos exec %s · the next `holos up` goes on with this command"):format(name, name) }
end

local function note(world, at, done, failed)
  local kept = failed and { why = failed.why, log = table_.list(failed.log) }
  runtime.update(world, at.state, at.spec.project, at.spec.name, at.now, function(now)
    now.post_start = { done = done, failed = kept }
  end)
  if not failed then return end
  at.tell { type = "instance.post_start_failed", instance = at.spec.name, number = done + 1, why = failed.why }
  raise(at.spec, done, failed)
end

local function connect(world, at, done)
  local ok, session = pcall(remote.wait, world, at.state, at.spec, at.now, {})
  if ok then return session end
  if not err.is_failure(session) then error(session, 0) end
  note(world, at, done, { why = hook.unreachable(at.spec, session), log = {} })
end

-- Each command is written down before the next: who is killed leaves only the one that was running to be run again.
local function run_from(world, at, done)
  local commands = at.spec.post_start
  local session <close> = connect(world, at, done)
  for number = done + 1, #commands do
    at.on_change { state = "post_start", text = ("%d/%d %s"):format(number, #commands, hook_.title(commands[number])) }
    local failed = hook.run(session, at.spec, commands[number], hook_.POST_START_MS)
    note(world, at, failed and number - 1 or number, failed)
  end
end

--- Sees to it that all have run since the launch; raises FAILED (exit 4) when one fails, which leaves the machine running.
--- What failed before somebody asked is tried again, from the one that failed.
---@param at table  {state, spec, now: the runtime of the launch, on_change(told), tell(event): writes an event down}
function M.complete(world, at)
  local before = current(world, at)
  local done, had_failed = hook_.outstanding(at.spec, before or {})
  if not before or not done then return end
  local _held <close> = lock.take(world, at.state:start_lock(at.spec.project, at.spec.name), { timeout_ms = runtime.LOCK_MS,
    name = at.spec.name, owner_text = "post_start of " .. at.spec.name })
  local now = current(world, at)
  if not now then return end -- it has ended, which is seen elsewhere
  local left, failed = hook_.outstanding(at.spec, now)
  if not left then return end
  if failed and not had_failed then raise(at.spec, left, failed) end
  run_from(world, at, left)
end

return M
