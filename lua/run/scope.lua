--- A systemd scope for what a project runs, so that it outlives the login that started it. Effects: asks logind and a manager
--- over their sockets; moves this process, and with it all that it will start, into the scope.
--
-- Nothing rests on it: what cannot be done is a warning, and who does not answer is not waited for long.
local lazy = require "holos.core.lazy"
local bus_ = lazy "holos.run.bus"
local err = require "holos.core.err"
local path = require "holos.core.path"
local scope = lazy "holos.plan.scope"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

--- What logind has for its answers, and then a manager for its own.
M.DEADLINE_MS = 2000
--- The request to end, as systemd sends it to all in the scope (plan/scope.properties).
M.SIGNAL = "URG"
--- There when systemd is the init, as sd_booted(3) has it.
local BOOTED, OWN_GROUP, GROUP_BYTES = "/run/systemd/system", "/proc/self/cgroup", 65536
local SYSTEM_BUS = { directory = "/run/dbus", name = "system_bus_socket" }
local SYSTEMD = "org.freedesktop.systemd1"
local MANAGER, MANAGER_PATH = SYSTEMD .. ".Manager", "/org/freedesktop/systemd1"
local LOGIND, LOGIND_PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
local PROPERTIES = "org.freedesktop.DBus.Properties"
local REMOVED = ("type='signal',interface='%s',member='JobRemoved',path='%s'"):format(MANAGER, MANAGER_PATH)
--- A scope that ends just now is started anew.
local MOST_TRIES = 3

local function own_group(world) return world.fs.read(OWN_GROUP, { max_bytes = GROUP_BYTES }) or "" end

--- The login that can end what we start; nil where there is none, or where the user wants none of this (HOLOS_SCOPE=0).
---@return holos.Login?
function M.look(world)
  if world.host.env("HOLOS_SCOPE") == "0" or not world.fs.stat(BOOTED) then return nil end
  return scope.login(own_group(world))
end

--- The scope of ours that we are in; nil when in none.
function M.own(world) return scope.ours(own_group(world)) end

--- Whether a process lives elsewhere than in the scope `unit`; one that is gone lives nowhere.
function M.is_elsewhere(world, unit, pid)
  local group = world.fs.read(("/proc/%d/cgroup"):format(pid), { max_bytes = GROUP_BYTES })
  return group ~= nil and scope.ours(group) ~= unit
end

-- -- what logind says ----------------------------------------------------------------------------------------------------

local function ask_all(bus, object, interface)
  return bus:send { destination = LOGIND, path = object, interface = PROPERTIES, member = "GetAll",
    signature = "s", body = { interface } }
end

local function answer(bus, serial, wanted)
  local found, properties = {}, bus:reply(serial, "a{sv}")[1]
  for name, signature in pairs(wanted) do
    local value = properties[name]
    if type(value) ~= "table" or value.signature ~= signature then
      err.raise { message = "logind does not say " .. name, code = "EDBUS" }
    end
    found[name] = value.value
  end
  return found
end

local USER = { Linger = "b", Name = "s" }

-- A user who neither is logged in nor lingers is none that logind knows.
local function user_of(bus, serial)
  local ok, user = pcall(answer, bus, serial, USER)
  if ok then return user end
  if not err.is(user, "EDBUS") or not user.name then error(user, 0) end
  return {}
end

local function kills(settings, name)
  if not settings.KillUserProcesses or table_.index_of(settings.KillExcludeUsers, name) then return false end
  return #settings.KillOnlyUsers == 0 or table_.index_of(settings.KillOnlyUsers, name) ~= nil
end

local function ask_logind(world, login)
  local bus <close> = bus_.connect(world, SYSTEM_BUS)
  local function user(uid) return ask_all(bus, ("%s/user/_%d"):format(LOGIND_PATH, uid), LOGIND .. ".User") end
  local settings = ask_all(bus, LOGIND_PATH, LOGIND .. ".Manager")
  local ours, theirs = user(world.host.uid()), login.uid ~= world.host.uid() and user(login.uid)
  settings = answer(bus, settings, { KillUserProcesses = "b", KillExcludeUsers = "as", KillOnlyUsers = "as" })
  local own = user_of(bus, ours)
  local of_login = theirs and user_of(bus, theirs) or own
  return { lingers = own.Linger or false, name = own.Name, kills = kills(settings, of_login.Name) }
end

-- nil: it does not say.
local function policy_of(world, login)
  local ok, policy = pcall(task.within, M.DEADLINE_MS, ask_logind, world, login)
  if ok then return policy end
  if not err.is_failure(policy) then error(policy, 0) end
end

-- -- the manager ---------------------------------------------------------------------------------------------------------

-- A manager's own socket comes first: it is there without a bus, too, and nobody stands between.
local function places(world, manager)
  if manager == "system" then return { { directory = "/run/systemd", name = "private", is_direct = true }, SYSTEM_BUS } end
  local list, own = {}, ("/run/user/%d"):format(world.host.uid())
  local function add(directory)
    list[#list + 1] = { directory = path.join(directory, "systemd"), name = "private", is_direct = true }
    list[#list + 1] = { directory = directory, name = "bus" }
  end
  local told = world.host.env("XDG_RUNTIME_DIR") or ""
  if told:sub(1, 1) == "/" then add(told) end
  if told ~= own then add(own) end -- sudo may have brought another's
  local session = (world.host.env("DBUS_SESSION_BUS_ADDRESS") or ""):match("^unix:path=(/[^,;%%]+)")
  local socket = session and session:match("[^/]+$")
  if socket then list[#list + 1] = { directory = path.parent(session), name = socket } end
  return list
end

local function connect(world, manager)
  local problem
  for _, place in ipairs(places(world, manager)) do
    local ok, bus = pcall(bus_.connect, world, place)
    if ok then return bus end
    if not err.is_failure(bus) or err.is(bus, "ETIMEDOUT") then error(bus, 0) end
    problem = problem or bus
  end
  error(problem, 0)
end

local function ask(bus, member, signature, body, gives)
  return bus:call({ destination = SYSTEMD, path = MANAGER_PATH, interface = MANAGER, member = member, signature = signature,
    body = body }, gives)
end

-- nil and the error when the manager refuses.
local function try(bus, ...)
  local ok, result = pcall(ask, bus, ...)
  if ok then return result end
  if not err.is(result, "EDBUS") or not result.name then error(result, 0) end
  return nil, result
end

local function start(bus, unit, properties)
  local dbus = require "holos.core.dbus"
  local list = {}
  for i, property in ipairs(properties) do list[i] = { property[1], dbus.variant(property[2], property[3]) } end
  -- "replace" for the slice's sake: an empty one may just be stopping. A scope that is there is refused all the same.
  local started, problem = try(bus, "StartTransientUnit", "ssa(sv)a(sa(sv))", { unit, "replace", list, {} }, "o")
  if not started then return nil, problem end
  local removed = bus:signal(bus.answered, function(message) -- on a bus anybody may send us some
    return message.member == "JobRemoved" and message.interface == MANAGER and message.path == MANAGER_PATH
      and message.signature == "uoss" and message.body[2] == started[1]
  end)
  if removed.body[4] == "done" then return "started" end
  err.raise { message = ("the start of %s: %s"):format(unit, removed.body[4]:gsub("%c", "?")), code = "EDBUS" }
end

-- Whoever else has the project started its scope.
local function start_or_join(bus, unit, properties, pid)
  local problem
  for _ = 1, MOST_TRIES do
    local how
    how, problem = start(bus, unit, properties)
    if how then return how end
    if problem.name ~= SYSTEMD .. ".UnitExists" then error(problem, 0) end
    how, problem = try(bus, "AttachProcessesToUnit", "ssau", { unit, "", { pid } }, "")
    if how then return "joined" end
  end
  error(problem, 0)
end

local function move(world, manager, what)
  local unit, pid = scope.unit(what.project), world.proc.self().pid
  local properties = scope.properties { manager = manager, project = what.project, pid = pid, directory = what.directory,
    stop_ms = scope.longest_ms(what.projects), signal = world.proc.signal_number(M.SIGNAL) }
  local bus <close> = connect(world, manager)
  bus:listen(REMOVED)
  start_or_join(bus, unit, properties, pid)
  if scope.ours(own_group(world)) == unit then return end
  err.raise { message = unit .. " was started without us", code = "EDBUS" }
end

--- Where what is started here would go, and what would be said of it; nobody is moved.
---@return {manager: "system"|"user"|nil, warning: string?}? result  nil where no login can end anything
function M.expected(world)
  local login, uid = M.look(world), world.host.uid()
  if not login then return nil end
  local policy = (uid ~= 0 or login.kind == "unit") and policy_of(world, login) or nil
  local manager = scope.manager(login, uid, policy)
  return { manager = manager, warning = scope.warning(login, uid, policy, manager) }
end

--- The name of a project's scope.
function M.unit(project) return scope.unit(project) end

--- What is to be known before a project's machines are launched; nobody is moved.
---@return {unit: string?, text: string?, warning: string?}? foreseen  unit: the scope that all goes to, text: what it is
function M.foreseen(world, project)
  local found = M.expected(world)
  if not found then return nil end
  local manager = found.manager
  return { unit = manager and scope.unit(project), text = manager and scope.text(manager), warning = found.warning }
end

-- Nil, or why we are not in the scope.
local function try_to_move(world, manager, what)
  local ok, problem = pcall(task.within, M.DEADLINE_MS, move, world, manager, what)
  if ok then return nil end
  if not err.is_failure(problem) then error(problem, 0) end
  return problem.message
end

-- -- a scope that is there -------------------------------------------------------------------------------------------------

local function get(world, unit, interface, name)
  local bus <close> = connect(world, world.host.uid() == 0 and "system" or "user")
  local object = ask(bus, "GetUnit", "s", { unit }, "o")[1]
  return bus:call({ destination = SYSTEMD, path = object, interface = PROPERTIES, member = "Get", signature = "ss",
    body = { SYSTEMD .. interface, name } }, "v")[1].value
end

-- nil when there is no such scope, or nobody says.
local function try_to_get(world, unit, interface, name)
  if world.host.env("HOLOS_SCOPE") == "0" or not world.fs.stat(BOOTED) then return nil end
  local ok, value = pcall(task.within, M.DEADLINE_MS, get, world, unit, interface, name)
  if ok then return value end
  if not err.is_failure(value) then error(value, 0) end
end

-- Whether our scope has been asked to end; who was not there then, or did not listen, has not heard it.
local function is_ending(world)
  local unit = M.own(world)
  return unit ~= nil and try_to_get(world, unit, ".Unit", "ActiveState") == "deactivating"
end

--- Waits until the scope that we are in is to end. Whoever is in no scope of ours is asked for nothing.
function M.await_end(world)
  task.race {
    function() repeat task.wait { signal = M.SIGNAL } until M.own(world) end,
    function() if not is_ending(world) then task.event():wait() end end,
  }
end

--- What is to be said when the scope of a project has less time to end than its guests may take; nil where there is none. Nobody
--- is asked when that is no more than every scope has.
---@param instances table  of the record
---@return string? warning
function M.shortfall(world, project, instances)
  local wants_ms = scope.stop_ms(instances)
  if wants_ms <= scope.LEAST_MS then return nil end
  local unit = scope.unit(project)
  local has_us = try_to_get(world, unit, ".Scope", "TimeoutStopUSec")
  if math.type(has_us) ~= "integer" or has_us < 0 then return nil end -- -1: for ever
  return scope.shortfall(unit, has_us // 1000, wants_ms)
end

--- Goes into the scope of a project, where a login could end what we are about to start.
---@param what {project: string?, directory: string, projects: table[]}  project: nil for all of them; directory: of the state;
---                                                                       projects: of each the instances of its record
---@return {manager: "system"|"user"|nil, warning: string?}? result  nil where there was nothing to do
function M.enter(world, what)
  local login, uid = M.look(world), world.host.uid()
  if not login then return nil end
  local policy = (uid ~= 0 or login.kind == "unit") and policy_of(world, login) or nil
  local manager = scope.manager(login, uid, policy)
  local problem = manager and try_to_move(world, manager, what)
  if problem and uid == 0 then policy = policy_of(world, login) end
  if problem then manager = nil end
  return { manager = manager, warning = scope.warning(login, uid, policy, manager, problem) }
end

return M
