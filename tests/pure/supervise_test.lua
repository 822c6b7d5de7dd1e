--- Parts of the supervisor, on virtual time.
local project_ = require "holos.supervise.project"
local task = require "holos.core.task"

test("a listener that fails is dropped, and the others are told", function()
  local project, told, gone = project_.new({}, {}, "pair"), {}, task.event()
  project.listeners[function() error "no" end] = gone
  project.listeners[function(event) told[#told + 1] = event.type end] = task.event()
  project:publish { type = "a" }
  project:publish { type = "b" }
  equal({ told, gone:is_fired() }, { { "a", "b" }, true })
end)
