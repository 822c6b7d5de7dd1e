--- Parts of the supervisor, on virtual time.
local checks = require "holos.supervise.checks"
local disk = require "holos.run.disk"
local end_ = require "holos.supervise.end"
local ending = require "holos.run.ending"
local err = require "holos.core.err"
local health_ = require "holos.run.health"
local guest_ = require "holos.supervise.guest"
local instead = require "tests.support.instead"
local journal = require "holos.run.journal"
local keeper_ = require "holos.supervise.keeper"
local launch = require "holos.run.launch"
local leave = require "holos.supervise.leave"
local lock = require "holos.run.lock"
local monitor = require "holos.run.monitor"
local logs = require "holos.supervise.logs"
local needed = require "holos.supervise.needed"
local observe = require "holos.run.observe"
local order = require "holos.supervise.order"
local ports = require "holos.run.ports"
local post_start = require "holos.run.post_start"
local pre_stop = require "holos.run.pre_stop"
local project_ = require "holos.supervise.project"
local qmp = require "holos.run.qmp"
local record_ = require "holos.run.record"
local relaunch = require "holos.supervise.relaunch"
local runtime = require "holos.run.runtime"
local start = require "holos.supervise.start"
local steady = require "holos.supervise.steady"
local stop = require "holos.run.stop"
local supervisor = require "holos.run.supervisor"
local table_ = require "holos.core.table"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"

test("a listener that fails is dropped, and the others are told", function()
  local project, told, gone = project_.new({}, {}, "pair"), {}, task.event()
  project.listeners[function() error "no" end] = gone
  project.listeners[function(event) told[#told + 1] = event.type end] = task.event()
  project:publish { type = "a" }
  project:publish { type = "b" }
  equal({ told, gone:is_fired() }, { { "a", "b" }, true })
end)

local STATE = { instance = function() return "/i" end, instance_lock = function() return "/l" end }

--- A project without files, whose events are kept.
local function project_of(fields)
  local project = project_.new({}, {}, "pair")
  project.told = {}
  function project:emit(event) self.told[#self.told + 1] = event end
  for name, value in pairs(fields or {}) do project[name] = value end
  return project
end

local ENTRY = { desired = "running", spec = { name = "web-0", project = "pair", image = { path = "/i" } } }

--- Keeps web-0 for so long on virtual time; `body(keeper)` runs beside it.
local function keep_for(project, ms, body)
  local keeper = keeper_.new(project, "web-0", ENTRY)
  project.keepers["web-0"] = keeper
  virtual.run(function()
    task.race {
      function() keeper:run() end,
      function() if body then body(keeper) end task.wait { at_ms = ms } end,
    }
  end)
  return keeper
end

test("a keeper in trouble tries again, ever more rarely, tells of it once, and keeps its supervisor alive", function()
  local tries = {}
  local _kept <close> = instead(runtime, { load = function()
    tries[#tries + 1] = task.now_ms()
    err.raise { message = "no space", code = "ENOSPC" }
  end })
  local project = project_of()
  local keeper = keep_for(project, 200000)
  equal(tries, { 0, 1000, 3000, 7000, 15000, 31000, 63000, 123000, 183000 })
  equal({ #project.told, project.told[1].message }, { 1, "no space" })
  equal({ keeper:is_active(), project.over:is_fired() }, { true, false })
end)

test("what changes without end does not make a keeper in trouble try without end", function()
  local tries = 0
  local _kept <close> = instead(runtime, { load = function()
    tries = tries + 1
    err.raise { message = "no space", code = "ENOSPC" }
  end })
  keep_for(project_of(), 10000, function(keeper)
    for _ = 1, 1000 do
      keeper:poke()
      task.wait { at_ms = task.now_ms() + 10 }
    end
  end)
  ok(tries >= 9 and tries <= 11, tries .. " tries in ten seconds")
end)

test("a report that cannot be watched is read now and then, one that is written without end once a second", function()
  local reads, fire = 0, nil
  local _kept <close> = instead(observe, { report = function()
    reads = reads + 1
    return { state = "booting" }
  end })
  local spec = { name = "web-0", image = { path = "/i" }, healthcheck = {} }
  local watch = { on = function() return nil, "no such file", "ENOENT" end }
  local project = project_of { watch = watch, state = { instance = function() return "/i" end } }
  virtual.run(function()
    task.race { function() checks.run(project, spec, {}, {}) end, function() task.wait { at_ms = 60001 } end }
  end)
  equal(reads, 13)
  function watch.on(_, _, _, fn)
    fire = fn
    return setmetatable({ close = function() end }, { __close = function() end })
  end
  reads = 0
  virtual.run(function()
    task.race { function() checks.run(project, spec, {}, {}) end, function()
      while task.now_ms() < 10000 do
        if fire then fire() end
        task.wait { at_ms = task.now_ms() + 5 }
      end
    end }
  end)
  ok(reads >= 10 and reads <= 11, reads .. " reads in ten seconds")
end)

--- A monitor that takes one client at a time, as QEMU's does, and says `reason` when it is asked why the VM ended.
local function single_monitor(reason)
  local held = false
  return function()
    if held then err.raise { message = "no greeting", code = "ETIMEDOUT" } end
    held = true
    local session = {}
    function session.subscribe() end
    function session.next_event() task.event():wait() end
    function session.shutdown_reason() return reason end
    function session.close() held = false end
    return session
  end
end

test("a monitor that was too slow once is connected to again: the connection before is let go first", function()
  local asked = 0
  local _kept <close> = instead(monitor, { halt = function()
    asked = asked + 1
    if asked < 3 then err.raise { message = "no answer", code = "ETIMEDOUT" } end
  end })
  local connect = single_monitor()
  local _connected <close> = instead(qmp, { connect = function() return connect() end })
  local guest = guest_.new(project_of { state = { instance = function() return "/i" end } }, { name = "web-0" }, {})
  virtual.run(function()
    task.race { function() guest:follow() end, function() task.wait { at_ms = 10000 } end }
  end)
  equal(asked, 3)
  equal(guest:ending().is_heard, true)
end)

test("why a VM ended is kept when the connection that heard it has been let go", function()
  local connect, calls = single_monitor "guest-shutdown", 0
  local _kept <close> = instead(monitor, { halt = function() err.raise { message = "no answer", code = "ETIMEDOUT" } end })
  local _connected <close> = instead(qmp, { connect = function()
    calls = calls + 1
    if calls == 1 then return connect() end
    err.raise { message = "refused", code = "ECONNREFUSED" }
  end })
  local guest = guest_.new(project_of { state = { instance = function() return "/i" end } }, { name = "web-0" }, {})
  virtual.run(function()
    task.race { function() guest:follow() end, function() task.wait { at_ms = 5000 } end }
  end)
  equal({ calls, guest:ending() }, { 3, { reason = "guest-shutdown", is_heard = true } })
end)

--- runtime.json in memory: {value = …}; `saved` are the values in order.
local function runtime_in_memory(value)
  local file = { value = value, saved = {} }
  local undo = instead(runtime, {
    load = function() return table_.copy(file.value) end,
    save = function(_, _, _, _, now)
      file.value = table_.copy(now)
      file.saved[#file.saved + 1] = file.value
    end,
  })
  return file, undo
end

--- Replaces web-0, which is unhealthy, with `halt` in the place of stop.stop; gives what was written.
local function replace_unhealthy(halt)
  local spec = { name = "web-0", stop_grace_ms = 1, restart = { policy = "always", on_unhealthy = true } }
  local file, undo = runtime_in_memory { pid = 7, start_time = 1 }
  local _undo <close> = undo
  local _lock <close> = instead(lock, { take = function() return nil end })
  local _record <close> = instead(record_, { load = function()
    return { instances = { ["web-0"] = { desired = "running", spec = spec } } }
  end })
  local _stop <close> = instead(stop, { stop = function(_, options) return halt(options, file) end })
  local world = { proc = { reap = function() end } }
  local keeper = keeper_.new(project_of { state = STATE, world = world }, "web-0", { desired = "running", spec = spec })
  virtual.run(function()
    pcall(end_.replace, keeper, { pid = 7, start_time = 1 }, { how = "unhealthy", text = "exit 1", cause = "unhealthy" })
  end)
  return file, keeper.project.told
end

local DUE = { total = 1, row = 1, unhealthy = 1, delay_ms = 100, next_ms = 100 }

test("why an unhealthy machine is ended is written before it is, and no restart counts until then", function()
  local file = replace_unhealthy(function() err.raise { message = "killed here", code = "ECANCELED" } end)
  equal(file.value, { pid = 7, start_time = 1, ending = { how = "unhealthy", text = "exit 1", cause = "unhealthy" } })
end)

test("nobody can read the end of a replaced machine without its reason and its next start", function()
  local file, told = replace_unhealthy(function(options, file)
    local now = { exit = "powered off" }
    options.on_end(now)
    file.saved[#file.saved + 1] = now
  end)
  equal({ #file.saved, file.saved[2] }, { 2, { exit = "unhealthy", restarts = DUE } })
  equal({ #told, told[1].how, told[1].restart_in_ms }, { 1, "unhealthy", 100 })
end)

test("one that ended by itself just before it was to be replaced has ended for the same reason", function()
  local stop_it = stop.stop
  local file, told = replace_unhealthy(function(options)
    local _ending <close> = instead(ending, { unheard = function() return "ended" end })
    local _journal <close> = instead(journal, { append = function() end })
    local _gone <close> = instead(runtime, { process = function() end })
    return stop_it({}, options)
  end)
  equal(file.value, { start_time = 1, exit = "unhealthy", restarts = DUE })
  equal({ #told, told[1].how }, { 1, "unhealthy" })
end)

--- A keeper's world in memory: what `file` has ended, and the record wants it to be `desired`. What looks without end fails.
local function in_memory(file, desired)
  local looks, undone = 0, {}
  local function put(...) undone[#undone + 1] = instead(...) end
  put(runtime, { process = function() end, load = function()
    looks = looks + 1
    if looks > 1000 then error "looks without end" end
    return table_.copy(file.value)
  end, save = function(_, _, _, _, now) file.value = table_.copy(now) end })
  put(lock, { take = function() return setmetatable({}, { __close = function() end }) end })
  put(ending, { unheard = function() return "ended", "text", nil end })
  put(stop, { end_shares = function() end })
  put(record_, { load = function() return { instances = { ["web-0"] = { desired = desired.value, spec = ENTRY.spec } } } end })
  local world = { proc = { reap = function() end }, build = { release_scripts = function() end } }
  return project_of { state = STATE, world = world }, setmetatable({}, { __close = function()
    for _, undo in ipairs(undone) do getmetatable(undo).__close(undo) end
  end }), function() return looks end
end

test("an end that the record no longer minds is looked at no more, until the record minds it again", function()
  local file, desired = { value = { pid = 7, start_time = 1 } }, { value = "stopped" }
  local project, undo, looks = in_memory(file, desired)
  local _undo <close> = undo
  local keeper = keep_for(project, 10000, function(keeper)
    task.wait { at_ms = 5000 }
    equal({ keeper.entry.desired, file.value.pid, looks() <= 4 }, { "stopped", 7, true })
    desired.value = "running"
    project:reload()
  end)
  equal({ keeper.entry.desired, file.value.pid, file.value.exit, looks() <= 8 }, { "running", nil, "ended", true })
end)

test("who is asked to leave a machine alone while it waits for others does not start it until it may", function()
  local file = { value = { exit = "ended", restarts = { total = 1, row = 1, unhealthy = 0, next_ms = 100 } } }
  local project, undo = in_memory(file, { value = "running" })
  local _undo <close> = undo
  local launched = {}
  local _turn <close> = instead(order, { is_its_turn = function()
    task.wait { at_ms = 1000 }
    if task.now_ms() == 1000 then project:hold({ "web-0" }, 1) end
    return true
  end })
  local _relaunch <close> = instead(relaunch, { run = function()
    launched[#launched + 1] = task.now_ms()
    file.value = { exit = "ended", restarts = {} }
  end })
  keep_for(project, 10000, function()
    task.wait { at_ms = 5000 }
    project:hold({ "web-0" }, -1)
  end)
  equal(launched, { 5000 })
end)

test("what cannot be read just now may want a supervisor; what is damaged wants none until it is mended", function()
  local _wanted <close> = instead(supervisor, { is_wanted = function() return true end })
  local code
  local _runtime <close> = instead(runtime, { load = function() err.raise { message = "no", code = code } end })
  local _record <close> = instead(record_, { load = function() return { instances = { ["web-0"] = ENTRY } } end })
  for name, wanted in pairs { EMFILE = true, EDAMAGED = false } do
    code = name
    equal(needed.by({}, {}, "pair"), wanted, name)
    local _unread <close> = instead(record_, { load = function() err.raise { message = "no", code = code } end })
    equal(needed.by({}, {}, "pair"), wanted, name)
  end
end)

test("a start that is due stays due until the launch has a process", function()
  local due = { total = 3, row = 3, unhealthy = 0, delay_ms = 400, next_ms = 900 }
  local file, undo = runtime_in_memory { exit = "crashed", restarts = due }
  local _undo <close> = undo
  local function nothing() end
  local _runtime <close> = instead(runtime, { require_launchable = nothing })
  local _stop <close> = instead(stop, { end_shares = nothing })
  local _disk <close> = instead(disk, { require_same_base = nothing, create_sources = nothing, write_seed = nothing,
    create_anonymous = nothing })
  local _ports <close> = instead(ports, { wanted = nothing, reserve = function(_, launching)
    launching.shares[1] = { pid = 8, start_time = 2 }
    launching.on_share()
    err.raise { message = "killed here", code = "ECANCELED" }
  end })
  raises("killed here", launch.start, {}, { state = STATE, spec = { name = "web-0", project = "pair", vm = {} },
    restarts = { total = 3, row = 3, unhealthy = 0, delay_ms = 400 } })
  equal(file.value, { shares = { { pid = 8, start_time = 2 } }, exit = "crashed", restarts = due })
end)

test("a paused machine is not checked and not replaced; checks begin again when it goes on", function()
  local begun = {}
  local _health <close> = instead(health_, { check = function()
    local begun_ms = task.now_ms()
    begun[#begun + 1] = begun_ms
    task.wait { at_ms = begun_ms + 100 }
    return { begun_ms = begun_ms, ended_ms = task.now_ms(), ok = begun_ms < 2500, text = "refused" }
  end })
  local _runtime <close> = instead(runtime, { update = function() end })
  local _observe <close> = instead(observe, { report = function() return { state = "provisioned" } end })
  local world = { json = { encode = function() end }, proc = { boot_id = function() end } }
  local watch = { on = function() end }
  local project = project_of { watch = watch, state = STATE, world = world }
  local spec = { name = "web-0", image = { path = "/i" }, restart = { policy = "always", on_unhealthy = true },
    healthcheck = { interval_ms = 1000, retries = 2, start_period_ms = 0, timeout_ms = 100 } }
  local halts = { { 2250, { word = "paused", text = "paused" } }, { 60000 } }
  local _monitor <close> = instead(monitor, { halt = function() return halts.now end })
  local session = { subscribe = function() end, close = function() end, shutdown_reason = function() end }
  function session.next_event()
    local next_ = table.remove(halts, 1)
    if not next_ then task.event():wait() end
    task.wait { at_ms = next_[1] }
    halts.now = next_[2]
    return { event = "STOP" }
  end
  local _qmp <close> = instead(qmp, { connect = function() return session end })
  local guest, why, ended_ms = guest_.new(project, spec, {}), nil, nil
  guest.has_begun:fire()
  virtual.run(function()
    task.race {
      function() guest:follow() end,
      function()
        why = checks.run(project, spec, {}, guest)
        ended_ms = task.now_ms()
      end,
      function() task.wait { at_ms = 100000 } end,
    }
  end)
  equal({ begun, ended_ms, why.how }, { { 0, 1100, 2200, 61000, 62100 }, 62200, "unhealthy" })
end)

local SERVED = { { "never provisioned", nil, 3 }, { "too short", 95000, 3 }, { "long enough", 80000, 0 } }

for _, case in ipairs(SERVED) do
  test("attempts are counted anew only once one has served for its window after it was provisioned: " .. case[1], function()
    local now = { pid = 7, restarts = { total = 3, row = 3, unhealthy = 0, delay_ms = 400 } }
    local _runtime <close> = instead(runtime, { update = function(_, _, _, _, _, change) change(now) end })
    local _observe <close> = instead(observe, { report = function()
      return { state = case[2] and task.now_ms() >= case[2] and "provisioned" or "booting" }
    end })
    local project = project_of { watch = { on = function() end }, state = STATE }
    local spec = { name = "web-0", image = { path = "/i" }, restart = { policy = "always" } }
    virtual.run(function()
      task.race { function() steady.run(project, spec, now, guest_.new(project, spec, now)) end,
        function() task.wait { at_ms = 100000 } end }
    end)
    equal({ now.restarts.total, now.restarts.row }, { 3, case[3] })
  end)
end

test("with a health check the window begins when the machine is healthy; what is unhealthy by its end has not served", function()
  for _, case in ipairs { { nil, 3 }, { "healthy", 0 }, { "unhealthy", 3 } } do
    local now = { pid = 7, restarts = { total = 3, row = 3, unhealthy = 0, delay_ms = 400 } }
    local _runtime <close> = instead(runtime, { update = function(_, _, _, _, _, change) change(now) end })
    local spec = { name = "web-0", image = { path = "/i" }, restart = { policy = "always", window_ms = 500 }, healthcheck = {} }
    local guest = guest_.new(project_of(), spec, now)
    if case[1] then guest.is_healthy:fire() end
    guest.health = case[1]
    virtual.run(function()
      task.race { function() steady.run(project_of(), spec, now, guest) end, function() task.wait { at_ms = 100000 } end }
    end)
    equal(now.restarts.row, case[2])
  end
end)

test("a report that is too long is read at its beginning and at its end, and is cut short from there on", function()
  local line = "holos1 log " .. ("x"):rep(88) .. "\n"
  for _, kib in ipairs { 200, 300, 400, 700, 1200 } do
    local text = "holos1 boot\nholos1 ready\n" .. line:rep(kib * 1024 // #line) .. "holos1 provisioned i-1\n"
    local world = { fs = { stat = function() return { size_bytes = #text } end,
      read_at = function(_, from, bytes) return text:sub(from + 1, from + bytes) end } }
    equal(observe.report(world, STATE, "pair", "web-0", {}).state, "provisioned", kib .. " KiB")
  end
  ok(logs.limits("/i")[2].most_bytes <= observe.REPORT_BYTES)
end)

test("a supervisor that has to leave runs pre_stop first; one that fails is told, and the machine is stopped anyhow", function()
  local function never() end
  local specs, stopped = { ["web-0"] = { name = "web-0", service = "web", stop_grace_ms = 9000, pre_stop = { {} } } }, {}
  specs["db-0"] = { name = "db-0", service = "db", stop_grace_ms = 5000 }
  local _record <close> = instead(record_, { load = function()
    return { instances = { ["web-0"] = { spec = specs["web-0"] }, ["db-0"] = { spec = specs["db-0"] } } }
  end })
  local _lock <close> = instead(lock, { take = function() return setmetatable({}, { __close = never }) end })
  local _stop <close> = instead(stop, { stop = function(_, options)
    local now = { exit = "powered off" }
    options.on_end(now)
    stopped[options.name] = options.grace_ms
    equal(now.exit, "stopped with its scope") -- a job that is stopped has not done its work
  end })
  local outcome = function() return 7000 end
  local _pre_stop <close> = instead(pre_stop, { run = function() return outcome() end })
  local project = project_of { state = STATE }
  virtual.run(function() leave.stop_all(project) end)
  equal({ stopped, project.told }, { { ["web-0"] = 7000, ["db-0"] = 5000 }, {} })
  function outcome()
    task.wait { at_ms = task.now_ms() + 4000 }
    err.raise { message = "web-0: it runs on", what = "pre_stop 1 of 1, `drain`, failed: exit 1", code = "EPRESTOP" }
  end
  virtual.run(function() leave.stop_all(project) end)
  equal({ stopped["web-0"], #project.told, project.told[1].message }, { 5000, 1,
    "pre_stop 1 of 1, `drain`, failed: exit 1" })
end)

--- Runs the commands of web-0's start for `ms` beside a guest that `body(guest, keeper)` drives; complete(at) is what each
--- attempt comes to. Gives what was written down.
local function start_for(ms, complete, body)
  local _complete <close> = instead(post_start, { complete = function(_, at) return complete(at) end })
  local _reported <close> = instead(checks, { until_reported = function() end })
  local spec = { name = "web-0", project = "pair", image = { path = "/i" }, post_start = { { command = { "true" } } } }
  local project = project_of { state = STATE, world = { build = { release_scripts = function() end } } }
  local keeper = keeper_.new(project, "web-0", { desired = "running", spec = spec })
  local guest = guest_.new(project, spec, {})
  virtual.run(function()
    task.race {
      function() start.run(keeper, {}, guest) end,
      function() body(guest, keeper) task.wait { at_ms = ms } end,
    }
  end)
  return project.told, guest
end

local function halt(guest)
  guest.halt, guest.halts = { word = "paused" }, guest.halts + 1
end

local function go_on(guest)
  guest.halt = nil
  guest.goes_on:fire()
  guest.goes_on = task.event()
end

test("commands of a start wait for a guest that stands still; what fails while it does comes again, and is no failure", function()
  local begun = {}
  local told, guest = start_for(60000, function(at)
    begun[#begun + 1] = task.now_ms()
    task.wait { at_ms = task.now_ms() + 1000 }
    return not at.is_excused()
  end, function(guest)
    halt(guest)
    guest.looked_at:fire()
    task.wait { at_ms = 5000 }
    go_on(guest)
    task.wait { at_ms = 5500 }
    halt(guest)
    task.wait { at_ms = 9000 }
    go_on(guest)
  end)
  equal({ begun, told, guest.has_begun:is_fired() }, { { 5000, 9000 }, {}, true })
end)

test("other settings end no command of a start, and run none again; other commands are looked at once these have ended", function()
  local begun = {}
  start_for(60000, function(at)
    begun[#begun + 1] = { task.now_ms(), #at.spec.post_start }
    task.wait { at_ms = task.now_ms() + 1000 }
    return true
  end, function(guest, keeper)
    guest.looked_at:fire()
    local function change(at_ms, fields)
      task.wait { at_ms = at_ms }
      local spec = table_.copy(keeper.entry.spec)
      for key, value in pairs(fields) do spec[key] = value end
      keeper:update { desired = fields.desired or "running", spec = spec }
      return keeper:is_active()
    end
    keeper.is_busy = false
    equal({ change(300, { stop_grace_ms = 9 }), change(500, { desired = "stopped" }) }, { true, true })
    equal(change(2000, { desired = "stopped" }), false)
    change(3000, { post_start = { { command = { "true" } }, { command = { "true" } } } })
  end)
  equal(begun, { { 0, 1 }, { 3000, 2 } })
end)

test("other settings may have a guest replaced that has halted already", function()
  local guest = guest_.new(project_of(), { name = "web-0" }, {})
  guest.halt = { word = "panicked", text = "its kernel panicked", cure = "restart" }
  equal(guest:take_over({ name = "web-0" }), nil)
  equal(guest:take_over({ name = "web-0", restart = { policy = "always" } }).how, "panicked")
end)
