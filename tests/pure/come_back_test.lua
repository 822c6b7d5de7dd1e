--- supervise/order: who is waited for before a machine is started again, on virtual time.
local instead = require "tests.support.instead"
local observe = require "holos.run.observe"
local order = require "holos.supervise.order"
local project_ = require "holos.supervise.project"
local runtime = require "holos.run.runtime"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"

local function entry(service, fields)
  local spec = { name = service .. "-0", service = service, image = { path = "/i" }, depends_on = fields and fields.depends_on,
    healthcheck = {}, restart = { policy = "always" } }
  return { desired = fields and fields.desired or "running", spec = spec }
end

--- Whether web-0 gets its turn, when, and what was said; db-0 is `db`, changed by `body(db, project)` meanwhile.
local function turn(condition, db, body)
  local project = project_.new({}, { instance = function() return "/i" end }, "pair")
  local told = {}
  function project.emit(_, event) told[#told + 1] = event.text or event.message end
  project.watch = { on = function() end }
  db.entry, db.name = db.entry or entry "db", "db-0"
  db.is_active = db.is_active or function() return true end
  local web = { project = project, name = "web-0", inbox = task.queue(),
    entry = entry("web", { depends_on = { { service = "db", condition = condition } } }) }
  project.keepers = { ["db-0"] = db, ["web-0"] = web }
  local is_its_turn, at_ms
  virtual.run(function()
    task.all {
      function()
        is_its_turn = order.is_its_turn(web)
        at_ms = task.now_ms()
      end,
      function() if body then body(db, project, web) end end,
    }
  end)
  return { is_its_turn, at_ms, told }
end

local function after(ms, change)
  return function(db, project)
    task.wait { at_ms = ms }
    change(db)
    project:stir()
  end
end

local function idle() return false end

test("what is there is not waited for", function()
  equal(turn("started", { is_live = true, now = {} }), { true, 0, {} })
  equal(turn("healthy", { is_live = true, now = { health = "healthy" } }), { true, 0, {} })
  equal(turn("completed", { exit = "powered off", is_active = idle }), { true, 0, {} })
  local unchecked = entry "db"
  unchecked.spec.healthcheck = nil
  equal(turn("healthy", { is_live = true, now = {}, entry = unchecked }), { true, 0, {} })
end)

test("what comes is waited for, and that is said once", function()
  equal(turn("started", {}, after(700, function(db) db.is_live = true end)), { true, 700, { "waits until db-0 runs" } })
  equal(turn("healthy", { is_live = true, now = {} }, after(900, function(db) db.guest = { health = "healthy" } end)),
    { true, 900, { "waits until db-0 is healthy" } })
  equal(turn("completed", { is_live = true, now = {} }, after(900, function(db)
    db.is_live, db.exit, db.is_active = false, "powered off", idle
  end)), { true, 900, { "waits until db-0 has done its work" } })
end)

test("a report is read until it says so", function()
  local _kept <close> = instead(observe, { report = function()
    return { state = task.now_ms() >= 12000 and "provisioned" or "booting" }
  end })
  equal(turn("provisioned", { is_live = true, now = {} }), { true, 15000, { "waits until db-0 is provisioned" } })
end)

test("a machine is provisioned once the commands of its start have run; one that failed is not waited for", function()
  local _kept <close> = instead(observe, { report = function() return { state = "provisioned" } end })
  local left = {}
  local _runtime <close> = instead(runtime, { load = function() return { post_start = left } end })
  local db = entry "db"
  db.spec.post_start = { { command = { "true" } } }
  equal(turn("provisioned", { is_live = true, now = {}, entry = db }, after(800, function() left = { done = 1 } end)),
    { true, 800, { "waits until db-0 is provisioned" } })
  left = { done = 0, failed = { why = "exit 1" } }
  equal(turn("provisioned", { is_live = true, now = {}, entry = db })[3], { "db-0 has failed: web-0 starts without it" })
end)

test("what is not to be expected is not waited for", function()
  local without = ": web-0 starts without it"
  equal(turn("started", { is_active = idle }), { true, 0, { "db-0 does not come back by itself" .. without } })
  equal(turn("completed", { exit = "crashed", is_active = idle })[3],
    { "db-0 does not come back by itself" .. without })
  equal(turn("healthy", { is_live = true, now = {} }, after(900, function(db) db.guest = { health = "unhealthy" } end)),
    { true, 900, { "waits until db-0 is healthy", "db-0 is unhealthy" .. without } })
  local replaced = entry "db"
  replaced.spec.restart.on_unhealthy = true
  equal(turn("healthy", { is_live = true, now = { health = "unhealthy" }, entry = replaced }, after(900, function(db)
    db.now.health = "healthy"
  end)), { true, 900, { "waits until db-0 is healthy" } }) -- it is about to be replaced
  local _kept <close> = instead(observe, { report = function() return { state = "failed" } end })
  equal(turn("ready", { is_live = true, now = {} })[3], { "db-0 has failed" .. without })
end)

test("what never comes is waited for ten minutes, however often something else happens", function()
  local result = turn("healthy", { is_live = true, now = {} }, function(_, project)
    for _ = 1, 1000 do
      task.wait { at_ms = task.now_ms() + 700 }
      project:stir()
    end
  end)
  equal(result, { true, 600000, { "waits until db-0 is healthy", "db-0 was waited for 600 s: web-0 starts without it" } })
end)

test("news of the machine itself end the wait, and the time that is left goes on", function()
  local late
  equal(turn("healthy", { is_live = true, now = {} }, function(_, _, web)
    task.wait { at_ms = 400 }
    web.inbox:put(true)
    late = web.late_ms
  end), { false, 400, { "waits until db-0 is healthy" } })
  equal(late, 600000)
end)
