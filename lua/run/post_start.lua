--- The commands that run in a guest after each start of its machine: in order, each once, by whoever comes to it first, a
--- command or the supervisor. Effects: SSH to the guest; runtime.json, which says how far they got; a lock.
local err = require "holos.core.err"
local hook = require "holos.run.hook"
local hook_ = require "holos.plan.hook"
local lock = require "holos.run.lock"
local remote = require "holos.run.remote"
local runtime = require "holos.run.runtime"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

--- Raised where one has failed.
M.FAILED = "EPOSTSTART"
--- A machine that switches itself off ends so soon after its connections.
M.LOST_MS = 10000

local function written(world, at) return runtime.load(world, at.state, at.spec.project, at.spec.name) end

-- What is written of the launch that we know; nil when it is over.
local function current(world, at)
  local now = written(world, at)
  return now and now.pid == at.now.pid and now.start_time == at.now.start_time and now or nil
end

--- Whether there are some that have not ended well since the launch. Of one that is over, what was written last counts: it
--- stays until the next launch, all but its pid.
---@param at table  as for complete
function M.is_outstanding(world, at)
  local now = written(world, at)
  local is_ours = now and now.start_time == at.now.start_time and (not now.pid or now.pid == at.now.pid)
  if is_ours then at.seen = now end
  return hook_.outstanding(at.spec, at.seen or at.now) ~= nil
end

local function title(spec, done)
  return ("%d/%d %s"):format(done + 1, #spec.post_start, hook_.title(spec.post_start[done + 1]))
end

local function raise(spec, done, failed)
  local name = spec.name
  err.raise { code = M.FAILED, exit = 4, log = failed.log,
    message = ("%s: post_start %d of %d, %s, failed: %s"):format(name, done + 1, #spec.post_start,
      hook_.title(spec.post_start[done + 1]), failed.why),
    hint = ("%s keeps running for you to look:  holos exec %s · the next `holos up` goes on with this command"):format(name, name) }
end

-- nil when the launch is over.
local function note(world, at, done, failed)
  local kept = failed and { why = failed.why, log = table_.list(failed.log) }
  return runtime.update(world, at.state, at.spec.project, at.spec.name, at.now, function(now)
    now.post_start = { done = done, failed = kept }
  end)
end

local function has_ended(world, at, within_ms)
  local process <close> = runtime.process(world, at.now)
  return not process or within_ms > 0 and hook.ends(process, within_ms)
end

-- What comes of a failure: none of those commands where the machine itself has ended or stood still.
local function fail(world, at, done, failed)
  if at.is_excused and at.is_excused() then return "excused" end
  if has_ended(world, at, failed.is_lost and M.LOST_MS or 0) or not note(world, at, done, failed) then return "over" end
  at.tell { type = "instance.post_start_failed", instance = at.spec.name, number = done + 1, why = failed.why }
  raise(at.spec, done, failed)
end

local function connect(world, at)
  local ok, session = pcall(remote.wait, world, at.state, at.spec, at.now, {})
  if ok then return session end
  if not err.is_failure(session) then error(session, 0) end
  return nil, { why = hook.unreachable(at.spec, session), log = {} }
end

-- Each command is written down before the next: who is killed leaves only the one that was running to be run again.
local function run_from(world, at, done)
  local session <close>, unreachable = connect(world, at)
  if unreachable then return fail(world, at, done, unreachable) end
  for number = done + 1, #at.spec.post_start do
    if at.on_change then at.on_change { state = "post_start", text = title(at.spec, number - 1) } end
    local failed = hook.run(session, at.spec, at.spec.post_start[number], hook_.POST_START_MS)
    if failed then return fail(world, at, number - 1, failed) end
    if not note(world, at, number) then return "over" end
  end
  return "done"
end

-- Tells how far somebody else has got, for as long as he is at it.
local function follow(world, at, by)
  local watch <close> = err.check(at.spec.name, world.fs.watch())
  err.check(at.spec.name, watch:add(at.state:instance(at.spec.project, at.spec.name), { "move" }))
  while true do
    local now = current(world, at)
    local done = now and hook_.outstanding(at.spec, now)
    if done then at.on_change { state = "post_start", text = ("%s, by %s"):format(title(at.spec, done), by) } end
    task.wait { fd = watch:fileno(), dir = "r" }
    while watch:try_next() do end
  end
end

local Held = {}
function Held:__close()
  if self.lock then self.lock:release() end
end

-- Who may run them; `held` is closed by the caller.
local function take_lock(world, at, held)
  local waits = task.event()
  task.race {
    function()
      held.lock = lock.take(world, at.state:start_lock(at.spec.project, at.spec.name), { timeout_ms = runtime.LOCK_MS,
        name = at.spec.name, owner_text = at.who or "another command", on_wait = function(by) waits:fire(by) end })
    end,
    function()
      local by = waits:wait()
      if at.on_change then follow(world, at, by) else task.event():wait() end
    end,
  }
end

-- Runs those that are left: "done", "over" (the launch is), or "excused".
local function run_left(world, at, had_failed)
  local held <close> = setmetatable({}, Held)
  take_lock(world, at, held)
  local now = current(world, at)
  if not now then return "over" end
  local left, failed = hook_.outstanding(at.spec, now)
  if not left then return "done" end
  if failed and not had_failed then raise(at.spec, left, failed) end
  return run_from(world, at, left)
end

--- Sees to it that all have run since the launch; raises FAILED (exit 4) when one fails, which leaves the machine running.
--- What failed before somebody asked is tried again, from the one that failed. Does not come back when the launch is over:
--- who calls it waits for that as well, and knows what to make of it.
---@param at table  {state, spec, now: the runtime of the launch, on_change(told)?, tell(event): writes an event down,
---                 who: string? we are, is_excused()?: whether what has just failed is not to count}
---@return boolean  false: what failed was excused
function M.complete(world, at)
  local before = current(world, at)
  local done, had_failed = hook_.outstanding(at.spec, before or {})
  if before and not done then return true end
  local how = before and run_left(world, at, had_failed) or "over"
  if how == "over" then task.event():wait() end
  return how == "done"
end

return M
