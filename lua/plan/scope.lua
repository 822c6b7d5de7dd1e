--- Whether what a project runs is to have a systemd scope of its own, so that it outlives the login that started it, and of
--- which manager. Pure.
--
-- When a login ends, logind ends what is left of its session where KillUserProcesses=yes, and only then; with the last login
-- of a user who does not linger it stops the user's own manager with all that this runs, always. So:
--   root             a scope of the system's manager, which outlives all logins
--   who lingers      a scope of the user's own manager, which stays
--   who does not     the session's scope where logind leaves it alone; else the own manager's, which lives until the last logout
-- What a unit of the system's started stays with it: who wrote the unit has said there what becomes of its processes. The same
-- holds for a scope of systemd-run, which somebody has chosen. A unit of the user's own manager is no safer than that manager,
-- which is said; and desktops run terminals as units, which nobody has written for what is started in them.
local dag = require "holos.core.dag"

local M = {}

--- How long the end of a scope may take beside what the guests have.
M.STOP_MS = 30000
--- It may take so long at least: systemd lets nobody change that later, when a grace is raised or a service is added.
M.LEAST_MS = 300000
--- A guest that does not power off in its grace is ended by signals, which takes no longer than this (run/stop).
local SIGNALS_MS = 20000
local LONGEST_NAME = 200

--- What it is, for people.
---@param manager "system"|"user"
function M.text(manager)
  return ("scope of the %s systemd, with all that is started, to outlive this login"):format(
    manager == "system" and "system's" or "user's own")
end

---@class holos.Login  the login that we were started by, as cgroups tell
---@field kind "session"|"manager"|"unit"  in the session's own scope; in a terminal of a desktop, which the user's manager keeps;
---                                        in a unit of that manager
---@field uid integer  whose login it is
---@field unit string

local function is_ours(unit) return unit == "holos.scope" or unit:find("^holos%-") ~= nil end

--- How desktops name the services that programs with windows are run as.
local APPLICATIONS = { "^app%-", "^dbus%-", "terminal%-server" }

local function kind_of(unit, is_of_manager)
  if unit:find("^run%-") then return nil end
  if unit:find("%.scope$") then return not is_ours(unit) and (is_of_manager and "manager" or "session") or nil end
  if not is_of_manager then return nil end
  for _, pattern in ipairs(APPLICATIONS) do
    if unit:find(pattern) then return "manager" end
  end
  return "unit"
end

--- The login that a process belongs to; nil when none can end it.
---@param text string  of /proc/PID/cgroup
---@return holos.Login?
function M.login(text)
  local path = text:match("0::(/user%.slice[^\n]*)") or text:match("%d+:name=systemd:(/user%.slice[^\n]*)")
  local uid, rest = (path or ""):match("^/user%.slice/user%-(%d+)%.slice/(.*)$")
  uid = math.tointeger(tonumber(uid))
  if not uid then return nil end
  local unit
  for part in rest:gmatch("[^/]+") do
    if part:find("%.scope$") or part:find("%.service$") then unit = part end
  end
  local kind = unit and kind_of(unit, rest:find("^user@") ~= nil)
  return kind and { kind = kind, uid = uid, unit = unit }
end

--- The scope of a project, or of the supervisor of all of them.
function M.unit(project) return project and ("holos-%s.scope"):format(project:sub(1, LONGEST_NAME)) or "holos.scope" end

--- The scope of ours that a process is in; nil when it is in none.
---@param text string  of /proc/PID/cgroup
---@return string? unit
function M.ours(text)
  for line in text:gmatch("[^\n]+") do
    local unit = line:match("/([^/]*)$")
    if unit and unit:find("%.scope$") and is_ours(unit) then return unit end
  end
end

---@class holos.LoginPolicy  what logind says
---@field lingers boolean  the user who runs us
---@field kills boolean    what is left of the session's user
---@field name string?     of the user who runs us

--- Where to go. Root needs no policy for that.
---@param login holos.Login
---@param uid integer              who runs us
---@param policy holos.LoginPolicy?  nil when logind says nothing
---@return "system"|"user"|nil manager
function M.manager(login, uid, policy)
  if login.kind == "unit" then return nil end
  if uid == 0 then return "system" end
  if policy and policy.lingers or login.kind == "manager" then return "user" end
  return policy and policy.kills and "user" or nil
end

local function keep(name)
  return ("to keep them, let the user's manager stay: sudo loginctl enable-linger %s"):format(name)
end

--- What is to be said, once we are where we can be.
---@param at "system"|"user"|nil    the manager that has us now
---@param problem string?           why we are not where M.manager said
---@return string? warning
function M.warning(login, uid, policy, at, problem)
  local name = policy and policy.name or tostring(uid)
  if at == "system" or policy and policy.lingers and at == "user" then return nil end
  if login.kind == "unit" and policy and policy.lingers then return nil end
  if at == "user" or login.kind == "unit" and policy then
    return ("all instances end with the last logout of %s; %s"):format(name, keep(name))
  end
  local is_safe = policy and (login.kind == "session" and not policy.kills or login.kind == "manager" and policy.lingers)
  if is_safe then return nil end
  local why = problem and ("could not get a systemd scope of their own (%s), so they "):format(problem) or ""
  local what = policy and "end" or "may end"
  if uid == 0 or policy and policy.lingers then
    return ("instances %s%s with this login; KillUserProcesses=no in /etc/systemd/logind.conf prevents that"):format(why, what)
  end
  return ("instances %s%s with this login; %s"):format(why, what, keep(name))
end

-- Of each service how long its instances may take to stop, and what it needs.
local function services_of(instances)
  local graces, needs, names = {}, {}, {}
  for _, entry in pairs(instances) do
    local service = entry.spec.service
    if not graces[service] then names[#names + 1], graces[service], needs[service] = service, 0, {} end
    graces[service] = math.max(graces[service], (entry.spec.stop_grace_ms or 0) + SIGNALS_MS)
    for _, dependency in ipairs(entry.spec.depends_on or {}) do table.insert(needs[service], dependency.service) end
  end
  return graces, needs, names
end

--- How long a scope may take to end: until all guests have powered off, dependents before what they need.
---@param instances table<string, {spec: table}>  of the record
---@return integer
function M.stop_ms(instances)
  local graces, needs, names = services_of(instances)
  local chains, longest = {}, 0
  for _, name in ipairs(dag.order(names, function(name) return needs[name] end) or names) do
    local before = 0
    for _, other in ipairs(needs[name]) do before = math.max(before, chains[other] or 0) end
    chains[name] = before + graces[name]
    longest = math.max(longest, chains[name])
  end
  return math.max(M.LEAST_MS, M.STOP_MS + longest)
end

--- The same of several projects, which end side by side.
---@param projects table[]  of each the instances of its record
function M.longest_ms(projects)
  local longest = M.LEAST_MS
  for _, instances in ipairs(projects) do longest = math.max(longest, M.stop_ms(instances)) end
  return longest
end

local function minutes(ms) return ("%d min"):format((ms + 59999) // 60000) end

--- What is to be said of a scope that was started when less was asked of it.
---@return string? warning
function M.shortfall(unit, has_ms, wants_ms)
  if has_ms >= wants_ms then return nil end
  return ("%s was started to end within %s, and guests may take %s to power off: at the end of the host who takes longer is "
    .. "killed, until all of them have been stopped and started once"):format(unit, minutes(has_ms), minutes(wants_ms))
end

--- What a scope is started with, as the variants that StartTransientUnit takes: {name, signature, value}.
---@param what {manager: "system"|"user", project: string?, pid: integer, stop_ms: integer, signal: integer, directory: string}
---@return {[1]: string, [2]: string, [3]: any}[]
function M.properties(what)
  local list = {
    { "Description", "s", what.project and "holos project " .. what.project or "holos projects" },
    { "PIDs", "au", { what.pid } },
    -- Only a unit that delegates takes processes later (AttachProcessesToUnit); no controller is needed for that. One VM that
    -- the kernel kills for want of memory then takes no others along, either (OOMPolicy).
    { "DelegateControllers", "as", {} },
    { "CollectMode", "s", "inactive-or-failed" }, -- nothing stays of one that has ended
    -- QEMU ends at SIGTERM as if its plug were pulled. This signal means nothing to QEMU and virtiofsd; the supervisor takes it
    -- for the request to power the guests off, and systemd kills what is left when the time is over.
    { "KillSignal", "i", what.signal },
    { "TimeoutStopUSec", "t", what.stop_ms * 1000 },
    -- At the end of the host the guests go before what they stand on.
    { "RequiresMountsFor", "as", { what.directory } },
  }
  if what.manager == "system" then
    list[#list + 1] = { "Slice", "s", "machine.slice" } -- where systemd keeps virtual machines
    list[#list + 1] = { "After", "as", { "network.target" } }
  end
  return list
end

return M
