--- Going back in the executor: what it goes through, what it says, and that nothing keeps it from being done. The records of
--- machines are tried in tests/life/rollback*_test.lua.
local back = require "holos.run.back"
local err = require "holos.core.err"
local execute = require "holos.run.execute"
local task = require "holos.core.task"
local virtual_poller = require "tests.support.virtual_poller"

local KINDS = { "instance.stop", "instance.launch", "instance.await", "instance.go_back", "try" }

-- A service web of so many, all changed, that goes back with these actions in the place of the real ones.
local function job_of(acts, count, more)
  local job = { record = { name = "p", instances = {} }, log = {}, warned = {}, put_back = {} }
  for i = 0, count - 1 do
    job.record.instances["web-" .. i] = { desired = "running", spec = { image = {}, ready = "ready" }, previous = {} }
  end
  local function log(what)
    return function(action) job.log[#job.log + 1] = ("%s %s %s"):format(what, action.kind, action.instance or "") end
  end
  job.before, job.after, job.on_start, job.on_end = log "before", log "after", log "start", function() end
  function job.warn(text) job.warned[#job.warned + 1] = text end
  for key, value in pairs(more or {}) do job[key] = value end
  job.acts = acts
  return job
end

local function with_actions(job, body)
  local kept, kept_back = {}, { decide = back.decide, is_untouched = back.is_untouched }
  for _, kind in ipairs(KINDS) do
    kept[kind] = execute.actions[kind] or false
    execute.actions[kind] = job.acts[kind] or function() return "done" end
  end
  local rollout = require "holos.run.action.rollout"
  local go_back = rollout["instance.go_back"]
  rollout["instance.go_back"] = function(_, _, action) job.put_back[#job.put_back + 1] = action.instance end
  function back.decide(_, _, _, names) return names, false end
  function back.is_untouched() return false end
  local fine, problem = pcall(task.run, virtual_poller.new(), body)
  for kind, act in pairs(kept) do execute.actions[kind] = act or nil end
  rollout["instance.go_back"], back.decide, back.is_untouched = go_back, kept_back.decide, kept_back.is_untouched
  return fine, problem
end

local function back_of(names, parallelism)
  return { id = "back", kind = "rollout.back", service = "web", instances = names, after = {}, after_any = { "web-0", "hangs" },
    parallelism = parallelism or 1, delay_ms = 0, is_for_failure = true }
end

local COUNTED = { service = "web", may_fail = 0, goes_back = true }

local function failing(id, more)
  local action = { id = id, kind = "try", after = {}, instance = id }
  for key, value in pairs(more or {}) do action[key] = value end
  return action
end

local function fails_after(wait_ms)
  return function(_, _, action)
    if action.takes_ms then task.wait { at_ms = task.now_ms() + action.takes_ms } end
    if action.id == "hangs" then task.wait { at_ms = task.now_ms() + wait_ms } end
    err.raise { message = action.id .. " failed", exit = action.ends or 4, hint = action.hint }
  end
end

test("a service that was given up goes back, also when another one fails while it still waits for its own", function()
  local job = job_of({ try = fails_after(1000) }, 2)
  local fine, problem = with_actions(job, function()
    execute.run({}, job, { failing("web-0", { rollout = COUNTED, hint = "see its log" }), failing("hangs", { rollout = COUNTED }),
      failing("db-0", { takes_ms = 50, ends = 1, hint = "look at db" }), back_of { "web-0", "web-1" } })
  end)
  equal({ fine, job.put_back }, { false, { "web-0", "web-1" } })
  equal({ problem.message, problem.exit, problem.hint },
    { "web-0 failed\ndb-0 failed", 4, "see its log\nweb was rolled back: web-0, web-1\nlook at db" })
end)

test("going back passes by scripts, and launches have their turns there, too", function()
  local now, most = 0, 0
  local job = job_of({ try = fails_after(0), ["instance.launch"] = function()
    now = now + 1
    most = math.max(most, now)
    task.wait { at_ms = task.now_ms() + 10 }
    now = now - 1
  end }, 6, { parallel = 2 })
  local names = {}
  for i = 0, 5 do names[i + 1] = "web-" .. i end
  with_actions(job, function() execute.run({}, job, { failing("web-0", { rollout = COUNTED }), back_of(names, 0) }) end)
  equal({ #job.put_back, most }, { 6, 2 })
  local log = table.concat(job.log, "\n")
  for _, line in ipairs { "after instance.stop web-5", "before instance.launch web-5", "after instance.await web-5" } do
    ok(log:find(line, 1, true), log)
  end
end)

test("who does not come back is not said to be back", function()
  local job = job_of({ try = fails_after(0), ["instance.launch"] = function(_, _, action)
    if action.instance == "web-0" then err.raise { message = "no such machine" } end
  end }, 2)
  local _, problem = with_actions(job, function()
    execute.run({}, job, { failing("web-0", { rollout = COUNTED }), back_of { "web-0", "web-1" } })
  end)
  equal({ problem.hint, job.warned }, { "web was rolled back: web-1; not so web-0", { "web-0: going back: no such machine" } })

  job = job_of({ try = fails_after(0) }, 0)
  _, problem = with_actions(job, function() execute.run({}, job, { failing("web-0", { rollout = COUNTED }), back_of {} }) end)
  equal(problem.hint, "nothing of web had to go back")
end)

test("what goes back to being stopped is neither launched nor waited for", function()
  local job = job_of({ try = fails_after(0) }, 1)
  job.record.instances["web-0"].desired, job.launched = "stopped", { ["web-0"] = {} }
  with_actions(job, function() execute.run({}, job, { failing("web-0", { rollout = COUNTED }), back_of { "web-0" } }) end)
  local log = table.concat(job.log, "\n")
  ok(not log:find("instance.launch", 1, true) and not log:find("instance.await", 1, true), log)
end)

test("a machine that was not stopped is left as it is, not said to be without a start", function()
  local job = job_of({ try = fails_after(0), ["instance.stop"] = fails_after(0) }, 2)
  with_actions(job, function()
    execute.run({}, job, { failing("gate", { optional = true }),
      { id = "stop/web-1", kind = "instance.stop", instance = "web-1", after = { "gate" }, optional = true },
      { id = "launch/web-1", kind = "instance.launch", instance = "web-1", after = { "stop/web-1" } },
      { id = "launch/new-0", kind = "instance.launch", instance = "new-0", after = { "gate" } } })
  end)
  table.sort(job.warned)
  equal(job.warned, { "new-0 was not started: what it depends on has failed",
    "web-1 is left as it is: what it waits for has failed" })
end)
