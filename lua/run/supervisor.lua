--- The supervisor of a project, as commands see it: is it there, start it, ask it. Effects: its lock and socket; starts
--- it. No command needs its answers to be right: the record is the truth.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local lines = require "holos.run.lines"
local lock_ = require "holos.run.lock"
local scope = require "holos.run.scope"
local task = require "holos.core.task"

local M = {}

--- The version of what goes over its socket.
M.API = 1
--- A supervisor that does not answer so soon is done without.
M.ANSWER_MS = 100
--- How long one that is to retire has for its answer, and how long the start of a new one may take.
local RETIRE_MS, START_MS = 2000, 10000
local FILE_MODE, DIRECTORY_MODE = tonumber("600", 8), tonumber("700", 8)
local LOG_BYTES = 1 << 20
-- What a supervisor needs to find what we would find.
local PASSED_ON = { PATH = true, HOME = true, LANG = true }

--- What the holder of the lock says of itself: commands compare it and need no connection.
function M.note(world) return ("supervisor %s of project"):format(world.build.id) end

--- A connection to the supervisor of a project; nil when there is none.
---@return table? lines
function M.connect(world, state, project)
  local fd = world.net.connect_unix(state:supervisors(), project .. ".sock")
  return fd and lines.new(fd, "supervisor of " .. project)
end

--- A connection that gets events from now on, those whose types begin with one of `types`; nil when there is no
--- supervisor, or it does not answer.
---@return table? lines
function M.subscribe(world, state, project, types)
  local connection = M.connect(world, state, project)
  if not connection then return nil end
  local ok, answer = pcall(task.within, M.ANSWER_MS, function()
    connection:write(world.json.encode({ op = "subscribe", types = types }, {}))
    return connection:next()
  end)
  if ok and answer then return connection end
  connection:close()
  if not ok and not err.is_failure(answer) then error(answer, 0) end
end

--- The next event of a connection that subscribed; nil when the supervisor has gone.
---@return table? event
function M.next_event(world, connection)
  local line = connection:next()
  local message = line and world.json.decode(line, {})
  return type(message) == "table" and type(message.event) == "table" and message.event or nil
end

local function converse(world, state, project, request)
  local connection <close> = M.connect(world, state, project)
  if not connection then return nil end
  request.id = 1
  connection:write(world.json.encode(request, {}))
  local line = connection:next()
  local answer = line and world.json.decode(line, {})
  return type(answer) == "table" and answer or nil
end

--- What the supervisor answers; nil when there is none, or it does not answer in time.
---@param request {op: string}
---@return table? answer
function M.ask(world, state, project, request, timeout_ms)
  local ok, answer = pcall(task.within, timeout_ms or M.ANSWER_MS, converse, world, state, project, request)
  if ok then return answer end
  if not err.is_failure(answer) then error(answer, 0) end
end

--- Who has the supervisor's lock: nil when nobody, else what he wrote into it.
local function holder(world, state, project)
  local lock <close> = err.check("supervisor", world.lock.open(state:supervisor_lock(project)))
  local taken, message, code = lock:try_take()
  if taken or code == "ESTALE" then return nil end -- its file is removed with the project, by who has it
  if message ~= "EAGAIN" then err.check("supervisor", nil, message, code) end
  return lock:read_owner() or ""
end

--- Asks a supervisor to go. Who comes after it waits for its lock.
function M.retire(world, state, project) M.ask(world, state, project, { op = "retire" }, RETIRE_MS) end

-- On a full disk a supervisor cannot write who it is; then it says so when asked.
local function is_ours(world, state, project, note)
  if note:find(M.note(world), 1, true) then return true end
  local hello = note == "" and M.ask(world, state, project, { op = "hello" })
  return hello and hello.build == world.build.id
end

--- Whether the supervisor's lock is held by one of another build: whoever starts ours tells that to retire.
function M.is_of_another_build(world, state, project)
  local note = holder(world, state, project)
  return note ~= nil and not is_ours(world, state, project, note)
end

local function environment(world)
  local list = {}
  for name, value in pairs(world.host.environ()) do
    if PASSED_ON[name] or name:find("^HOLOS_") or name:find("^XDG_") then list[#list + 1] = name .. "=" .. value end
  end
  table.sort(list)
  return list
end

--- Its log, for failures; the one before is kept beside it when this has grown.
local function open_log(world, state, project)
  local file = state:supervisor_log(project)
  local stat = world.fs.stat(file)
  if stat and stat.size_bytes > LOG_BYTES then world.fs.rename(file, file .. ".1") end
  return err.check("supervisor", world.fs.open(file, { append = true, write = true, create = true, nofollow = true,
    mode = FILE_MODE }))
end

local function start(world, state, project)
  err.check("supervisor", world.fs.mkdir_all(state:supervisors(), DIRECTORY_MODE))
  local log <close> = open_log(world, state, project)
  local child = err.check("supervisor", world.launch.prepare { program = world.host.executable(),
    argv = { "supervise", "--state-dir", state.root, project }, env = environment(world), directory = "/",
    stdout = log, stderr = log, session = true })
  task.within(START_MS, io_wait.go, "supervisor", child)
  child:close()
end

--- Whether who has the supervisor's lock lives elsewhere than in the scope `unit`.
function M.is_elsewhere(world, state, project, unit)
  local pid = (holder(world, state, project) or ""):match(", pid (%d+)$")
  return pid ~= nil and scope.is_elsewhere(world, unit, math.tointeger(tonumber(pid)))
end

-- Whether we are in the project's scope, where nobody would hear its end.
local function is_deaf(world, state, project)
  local unit = scope.unit(project)
  if scope.own(world) ~= unit or not M.is_elsewhere(world, state, project, unit) then return false end
  local place <close> = lock_.try(world, state:standby_lock(project))
  return place ~= nil
end

--- Starts the supervisor of a project when there is none of this build; one that stands by in the project's scope when the
--- supervisor is elsewhere (supervise/standby).
---@return boolean started
function M.start(world, state, project)
  local note = holder(world, state, project)
  local is_there = note and is_ours(world, state, project, note)
  if is_there and not is_deaf(world, state, project) then return false end
  if note and not is_there then M.retire(world, state, project) end
  start(world, state, project)
  return true
end

--- As start, and gives why it could not be: no command fails for that.
---@return boolean fine
---@return string? message
function M.ensure(world, state, project)
  local ok, problem = pcall(task.shield, START_MS, M.start, world, state, project)
  if ok then return true end
  if not err.is_failure(problem) then error(problem, 0) end
  return false, ("project %s has no supervisor, so nothing is restarted or checked: %s"):format(project, problem.message)
end

--- What one that ends leaves: nothing of a project that is gone, but a log that says something. The caller holds its lock.
function M.clear(world, state, project)
  world.fs.remove(("%s/%s.sock"):format(state:supervisors(), project))
  if world.fs.lstat(state:record(project)) then return end
  local log = state:supervisor_log(project)
  if (world.fs.stat(log) or {}).size_bytes == 0 then world.fs.remove(log) end
  world.fs.remove(state:supervisor_lock(project))
end

--- Whether a record asks for anything to run.
function M.is_wanted(record)
  for _, entry in pairs(record.instances) do
    if entry.desired == "running" then return true end
  end
  return false
end

return M
