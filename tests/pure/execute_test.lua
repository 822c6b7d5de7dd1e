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
