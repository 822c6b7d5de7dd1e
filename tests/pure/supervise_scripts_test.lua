--- What scripts hear of a supervisor, and that nothing they do hurts it; on virtual time.
local api = require "holos.script.api"
local instead = require "tests.support.instead"
local project_ = require "holos.supervise.project"
local scripts = require "holos.supervise.scripts"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"

local ENDED = { type = "instance.exited", instance = "web-0", how = "crashed" }

-- Runs body(project) while scripts listen; gives the events that were written down.
local function with(handlers, body)
  local told = {}
  local project = project_.new({}, {}, "pair")
  project.keepers["web-0"] = { entry = { spec = { service = "web", index = 0 } } }
  function project:emit(event)
    told[#told + 1] = event
    self:publish(event)
  end
  for _, handler in ipairs(handlers) do api.events:on(handler[1], handler[2]) end
  local _clear <close> = setmetatable({}, { __close = function() api.events:clear() end })
  virtual.run(function()
    task.scope(function(scope)
      scripts.attach(project, scope)
      body(project)
      scope:cancel "the test is over"
    end)
  end)
  return told, project
end

local function pass(ms) task.wait { at_ms = task.now_ms() + ms } end

test("a handler hears of what was written down, once, with the service and what happened; others hear nothing", function()
  local heard = {}
  local function hear(event) heard[#heard + 1] = event end
  with({ { "instance.exited", hear } }, function(project)
    project:emit(ENDED)
    project:emit { type = "instance.health", instance = "web-0", status = "healthy" }
    project:emit { type = "log.capped", instance = "web-0" }
    pass(1)
  end)
  equal(heard, { { type = "instance.exited", instance = "web-0", how = "crashed", project = "pair", service = "web", index = 0 } })
end)

test("without handlers for them nobody listens, and nothing of scripts is loaded", function()
  local _, project = with({ { "instance.before_stop", print } }, function(project) project:emit(ENDED) end)
  local _none <close> = instead(package.loaded, { ["holos.script.api"] = false })
  local _, unloaded = with({}, function(project_of) project_of:emit(ENDED) end)
  equal({ next(project.listeners), next(unloaded.listeners) }, {})
end)

test("one that fails, waits for ever or computes for ever is written down, and the next event is heard", function()
  local heard = 0
  local bad = { function() error "no" end, function() task.event():wait() end, function() while true do heard = heard + 0 end end }
  for number, handler in ipairs(bad) do
    local is_good = false
    local told = with({ { "instance.exited", function()
      if is_good then heard = heard + 1 else is_good = true return handler() end
    end } }, function(project)
      project:emit(ENDED)
      project:emit(ENDED)
      pass(2 * scripts.HANDLER_MS)
    end)
    equal({ #told, told[3].type, told[3].instance, heard }, { 3, "supervisor.trouble", "web-0", number })
    ok(told[3].message:find(({ "no", "timed out after 30s", "computed for too long" })[number], 1, true), told[3].message)
  end
end)

test("handlers that cannot follow lose events, and that is written down", function()
  local told = with({ { "instance.exited", function() task.event():wait() end } }, function(project)
    project:emit(ENDED)
    pass(1) -- the first is being heard
    for _ = 1, scripts.MOST_WAITING + 1 do project:emit(ENDED) end
  end)
  equal(told[#told].message, "scripts, of instance.exited: dropped, as too many wait")
end)
