--- Who looks after which project, on virtual time.
local all = require "holos.supervise.all"
local err = require "holos.core.err"
local instead = require "tests.support.instead"
local launch = require "holos.run.launch"
local lock = require "holos.run.lock"
local main = require "holos.supervise.main"
local needed = require "holos.supervise.needed"
local project_ = require "holos.supervise.project"
local scope = require "holos.run.scope"
local supervisor = require "holos.run.supervisor"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"

--- A lock that is let go at some time.
local function lock_until(free_ms)
  return instead(lock, { take = function(_, _, options)
    task.wait { at_ms = math.min(free_ms, task.now_ms() + options.timeout_ms) }
    if task.now_ms() < free_ms then err.raise { message = "locked", code = "ELOCKED" } end
    return setmetatable({}, { __close = function() end })
  end })
end

local LOCK_STATE = { supervisor_lock = function() return "/l" end, events = function() return "/e" end }
function LOCK_STATE.prepare() end
local WORLD = { build = { id = "b" } }

test("who comes after a supervisor of another build waits until that has seen its launch to the end", function()
  ok(main.RETIRED_MS > launch.PROVE_MS)
  for _, case in ipairs { { true, "retired" }, { false, "another" } } do
    local _lock <close> = lock_until(40000)
    local _build <close> = instead(supervisor, { is_of_another_build = function() return case[1] end })
    local _project <close> = instead(project_, { look_after = function() return "retired" end })
    equal(virtual.run(function() return main.run(WORLD, LOCK_STATE, "pair") end), case[2])
  end
end)

test("a project that cannot be looked after is tried again, and ends no other of supervise --all", function()
  local tries, world = {}, { build = WORLD.build, clock = { utc_ms = function() return 0 end, iso = function() return "" end },
    json = require "sys.json" }
  local function no_event() return nil end
  world.fs = { list = function() return { { name = "bad.json" }, { name = "good.json" } } end, append = function() return true end,
    watch = function()
      return setmetatable({ add = function() return 1 end, try_next = no_event, fileno = function() return 9 end },
        { __close = function() end })
    end }
  local _lock <close> = lock_until(0)
  local _supervisor <close> = instead(supervisor, { retire = function() end })
  local _needed <close> = instead(needed, { by = function() return true end })
  local _project <close> = instead(project_, { look_after = function(_, _, name)
    tries[#tries + 1] = name .. " " .. task.now_ms()
    if name == "bad" then error "a bug" end
    task.event():wait()
  end })
  local _scope <close> = instead(scope, { await_end = function() task.event():wait() end })
  LOCK_STATE.records = function() return "/r" end
  virtual.run(function()
    task.race { function() all.run(world, LOCK_STATE) end, function() task.wait { at_ms = 8000 } end }
  end)
  equal(tries, { "bad 0", "good 0", "bad 1000", "bad 3000", "bad 7000" })
end)

test("supervise --all ends with its scope, also while a project is in trouble, and waits for those that are seen off", function()
  local gone, world = {}, { build = WORLD.build, clock = { utc_ms = function() return 0 end, iso = function() return "" end },
    json = require "sys.json" }
  world.fs = { list = function() return { { name = "bad.json" }, { name = "good.json" } } end, append = function() return true end,
    watch = function()
      return setmetatable({ add = function() return 1 end, try_next = function() end, fileno = function() return 9 end },
        { __close = function() end })
    end }
  local _lock <close> = lock_until(0)
  local _supervisor <close> = instead(supervisor, { retire = function() end, clear = function() end })
  local _needed <close> = instead(needed, { by = function() return true end })
  local _scope <close> = instead(scope, { await_end = function() task.wait { at_ms = 5000 } end })
  local _project <close> = instead(project_, { look_after = function(_, _, name)
    if name == "bad" then error "a bug" end
    task.wait { at_ms = 9000 } -- its guests take their time
    gone[#gone + 1] = name
    return "left"
  end })
  LOCK_STATE.records = function() return "/r" end
  equal(virtual.run(function()
    all.run(world, LOCK_STATE)
    return task.now_ms()
  end), 9000)
  equal(gone, { "good" })
end)
