--- run/execute: the order of actions, and what the failure of an optional one keeps from being done.

local err = require "holos.core.err"
local execute = require "holos.run.execute"
local task = require "holos.core.task"
local virtual_poller = require "tests.support.virtual_poller"

-- Runs actions named by their ids; those in `failing` fail. Gives what was begun, and how it ended.
local function run(actions, failing)
  local begun = {}
  execute.actions.try = function(_, _, action)
    begun[#begun + 1] = action.id
    if failing[action.id] then err.raise { message = action.id .. " failed", exit = 4 } end
    return "done"
  end
  local nothing = function() end
  local job = { record = {}, on_start = nothing, on_end = nothing, before = nothing, after = nothing, warn = nothing }
  local fine, problem = pcall(task.run, virtual_poller.new(), function() execute.run({}, job, actions) end)
  execute.actions.try = nil
  table.sort(begun)
  return table.concat(begun, " "), fine or tostring(problem)
end

local function action(id, more)
  local made = { id = id, kind = "try", after = {} }
  for key, value in pairs(more or {}) do made[key] = value end
  return made
end

test("execute: an optional failure holds back those that need it, and nobody else; it is told at the end", function()
  local actions = { action("gate", { optional = true }), action("needs it", { after = { "gate" } }),
    action("needs that", { after = { "needs it" } }), action("would like it", { after_any = { "gate" } }),
    action("after that", { after = { "would like it" } }) }
  local begun, how = run(actions, { gate = true })
  equal(begun, "after that gate would like it")
  equal(how, "gate failed")
  begun, how = run(actions, {})
  equal({ begun, how }, { "after that gate needs it needs that would like it", true })
end)

test("execute: instances that are held back are named", function()
  local warned = {}
  execute.actions.try = function() err.raise { message = "cache failed", exit = 4 } end
  local nothing = function() end
  local job = { record = {}, on_start = nothing, on_end = nothing, before = nothing, after = nothing,
    warn = function(text) warned[#warned + 1] = text end }
  local fine, problem = pcall(task.run, virtual_poller.new(), function()
    execute.run({}, job, { action("cache", { optional = true }), { id = "launch/web-0", kind = "instance.launch",
      instance = "web-0", after = { "cache" } } })
  end)
  execute.actions.try = nil
  equal({ fine, tostring(problem), warned }, { false, "cache failed",
    { "web-0 was not started: what it depends on has failed" } })
end)

test("execute: any other failure ends it all", function()
  local actions = { action "first", action("second", { after = { "first" } }), action("third", { after_any = { "first" } }) }
  local begun, how = run(actions, { first = true })
  equal({ begun, how }, { "first", "first failed" })
end)

-- As `run`, for web-0 … web-2 in turns of one, each with a wait for it; waits take 10 ms. What fails: those in `failing`.
local function roll(counted, failing)
  local kinds, actions, ends = {}, {}, {}
  for _, kind in ipairs { "instance.await", "rollout.back" } do kinds[kind] = execute.actions[kind] end
  local log = {}
  local function act(_, _, at)
    if at.is_slow then task.wait { at_ms = task.now_ms() + 10 } end
    if failing[at.id] then err.raise { message = at.id .. " failed", exit = 4 } end
    log[#log + 1] = at.id
  end
  execute.actions["instance.await"], execute.actions["rollout.back"], execute.actions.try = act, act, act
  for i = 0, 2 do
    local id, after = ("web-%d"):format(i), i > 0 and { "wait " .. (i - 1) } or {}
    actions[#actions + 1] = action(id, { instance = id, rollout = counted, after_any = after })
    actions[#actions + 1] = { id = "wait " .. i, kind = "instance.await", instance = id, after = { id }, rollout = counted,
      is_slow = true }
    table.move({ id, "wait " .. i }, 1, 2, #ends + 1, ends)
  end
  actions[#actions + 1] = action("other", { is_slow = true })
  actions[#actions + 1] = { id = "back", kind = "rollout.back", service = "web", after = {}, after_any = ends,
    is_for_failure = true }
  local nothing = function() end
  local job = { record = {}, on_start = nothing, on_end = nothing, before = nothing, after = nothing, warn = nothing }
  local fine, problem = pcall(task.run, virtual_poller.new(), function() execute.run({}, job, actions) end)
  for kind, fn in pairs(kinds) do execute.actions[kind] = fn end
  execute.actions.try = nil
  return table.concat(log, ", "), fine or tostring(problem)
end

test("execute: too many failures of a service end its change, not that of others, and then it goes back", function()
  local counted = { service = "web", may_fail = 0, goes_back = true }
  local log, how = roll(counted, { ["web-1"] = true })
  equal({ log, how }, { "web-0, other, wait 0, back", "web-1 failed" })
  log, how = roll(counted, {})
  equal({ log, how }, { "web-0, other, wait 0, web-1, wait 1, web-2, wait 2", true })
end)

test("execute: as many may fail as are borne; one more pauses all", function()
  local log, how = roll({ service = "web", may_fail = 1 }, { ["wait 0"] = true })
  equal({ log, how }, { "web-0, other, web-1, wait 1, web-2, wait 2", "wait 0 failed" })
  log, how = roll({ service = "web", may_fail = 1 }, { ["wait 0"] = true, ["web-1"] = true })
  equal({ log, how }, { "web-0, other", "web-1 failed" })
  log, how = roll({ service = "web", may_fail = 1, goes_back = true }, { ["wait 0"] = true, ["wait 1"] = true })
  equal({ log, how }, { "web-0, other, web-1, back", "wait 1 failed" })
end)

test("execute: who is waited for when a change is given up is not waited for any more", function()
  local counted = { service = "web", may_fail = 0, goes_back = true }
  local hung = execute.actions["instance.await"]
  execute.actions["instance.await"] = function() task.event():wait() end
  local back = execute.actions["rollout.back"]
  execute.actions["rollout.back"] = function() return "back" end
  execute.actions.try = function() err.raise { message = "failed" } end
  local ended, nothing = {}, function() end
  local job = { record = {}, on_start = nothing, before = nothing, after = nothing, warn = nothing,
    on_end = function(at, fine) ended[#ended + 1] = ("%s %s"):format(at.id, fine) end }
  local fine, problem = pcall(task.run, virtual_poller.new(), function()
    execute.run({}, job, { { id = "hangs", kind = "instance.await", instance = "web-0", after = {}, rollout = counted },
      action("fails", { instance = "web-1", rollout = counted }),
      { id = "back", kind = "rollout.back", service = "web", after = {}, after_any = { "hangs", "fails" },
        is_for_failure = true } })
  end)
  execute.actions["instance.await"], execute.actions["rollout.back"], execute.actions.try = hung, back, nil
  equal({ fine, tostring(problem), ended }, { false, "failed", { "fails false", "hangs false", "back true" } })
end)

-- The most launches that were under way at the same time.
local function most_at_once(parallel)
  local now, most = 0, 0
  local launch = execute.actions["instance.launch"]
  execute.actions["instance.launch"] = function()
    now = now + 1
    most = math.max(most, now)
    task.wait { at_ms = task.now_ms() + 10 }
    now = now - 1
  end
  local nothing, actions = function() end, {}
  for i = 1, 6 do actions[i] = { id = "launch " .. i, kind = "instance.launch", after = {} } end
  local job = { record = {}, parallel = parallel, on_start = nothing, on_end = nothing, before = nothing, after = nothing }
  local fine, problem = pcall(task.run, virtual_poller.new(), function() execute.run({}, job, actions) end)
  execute.actions["instance.launch"] = launch
  if not fine then error(problem, 0) end
  return most
end

test("execute: so many launches at a time as the job says, all of them without a word", function()
  equal({ most_at_once(1), most_at_once(2), most_at_once(-1), most_at_once(nil) }, { 1, 2, 6, 6 })
end)

test("execute: after the first failure nothing is launched any more, not while a disk is put back either", function()
  local launch, put_back = execute.actions["instance.launch"], execute.actions["instance.put_back"]
  local begun, nothing, actions = {}, function() end, {}
  execute.actions["instance.launch"] = function(_, _, at)
    begun[#begun + 1] = at.id
    task.wait { at_ms = task.now_ms() + 10 }
    if at.undo then err.raise { message = "failed" } end
  end
  execute.actions["instance.put_back"] = function() task.wait { at_ms = task.now_ms() + 100 } end
  for i = 1, 5 do actions[i] = { id = "launch " .. i, kind = "instance.launch", after = {}, undo = i == 2 or nil } end
  local job = { record = { name = "p" }, parallel = 1, on_start = nothing, on_end = nothing, before = nothing, after = nothing,
    warn = nothing }
  local fine, problem = pcall(task.run, virtual_poller.new(), function() execute.run({}, job, actions) end)
  execute.actions["instance.launch"], execute.actions["instance.put_back"] = launch, put_back
  equal({ fine, tostring(problem), begun }, { false, "failed", { "launch 1", "launch 2" } })
end)
