--- The supervisor's socket: JSON lines from commands of the same user. Effects: listens, answers.
local lazy = require "holos.core.lazy"
local err = require "holos.core.err"
local health = lazy "holos.run.health"
local lines_ = require "holos.run.lines"
local supervisor = require "holos.run.supervisor"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

-- A command has a connection for each instance that it waits for.
local CLIENTS, EVENTS_KEPT = 512, 256
-- Where there are no descriptors left, there may be some later.
local AGAIN_MS = 1000

--- The listening socket of a project; one that a killed supervisor left is replaced.
function M.listen(project)
  local world, name = project.world, project.name .. ".sock"
  world.fs.remove(project.state:supervisors() .. "/" .. name)
  return err.check("supervisor", world.net.listen_unix(project.state:supervisors(), name, {}))
end

--- op → fn(project, client, request) → fields of the answer. Raising an err is an answer, too.
M.operations = {}

function M.operations.hello(project)
  local me = project.world.proc.self() or {}
  return { build = project.world.build.id, api = supervisor.API, project = project.name, pid = me.pid }
end

function M.operations.status(project)
  local instances = {}
  for name, keeper in pairs(project.keepers) do instances[name] = keeper:status() end
  return { instances = instances }
end

local function require_types(types)
  for _, prefix in ipairs(type(types) == "table" and types or {}) do
    if type(prefix) ~= "string" then err.raise { message = "types are beginnings of types of events", code = "EINVAL" } end
  end
end

--- Events from now on, until the client goes; `types` = beginnings of their types, none = all.
function M.operations.subscribe(project, client, request)
  require_types(request.types)
  local wanted = type(request.types) == "table" and #request.types > 0 and request.types
  client.queue = client.queue or task.queue()
  project.listeners[client.listener] = client.gone
  client.wants = function(event)
    if not wanted then return true end
    for _, prefix in ipairs(wanted) do
      if event.type:sub(1, #prefix) == prefix then return true end
    end
    return false
  end
  return {}
end

function M.operations.reload(project)
  project:reload()
  return {}
end

--- "I am stopping or replacing these": they are not restarted until the client goes.
function M.operations.hold(project, client, request)
  local names = {}
  for _, name in ipairs(type(request.instances) == "table" and request.instances or {}) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  project:hold(names, 1)
  table_.extend(client.holds, names)
  return {}
end

--- One health check, now; it counts for nothing.
function M.operations.probe(project, _, request)
  local keeper = project.keepers[request.instance]
  if not keeper or not keeper.is_live or not keeper.entry.spec.healthcheck then
    err.raise { message = "it does not run, or has no health check", code = "EINVAL" }
  end
  local result = health.check(project.world, project.state, keeper.entry.spec, keeper.now)
  return { healthy = result.ok, text = result.text }
end

function M.operations.retire(project)
  project.over:fire("retired")
  return {}
end

local function answer(project, client, line)
  local request = project.world.json.decode(line, {})
  if type(request) ~= "table" then err.raise { message = "a request is a JSON object", code = "EPROTO" } end
  local operation = M.operations[request.op]
  if not operation then return { id = request.id, error = "unknown operation" } end
  local ok, fields = pcall(operation, project, client, request)
  if not ok and not err.is_failure(fields) then error(fields, 0) end
  if not ok then return { id = request.id, error = fields.message } end
  fields.id, fields.ok = request.id, true
  return fields
end

local function converse(project, client)
  while true do
    local line = client.lines:next()
    if not line then return end
    client.lines:write(err.check("answer", project.world.json.encode(answer(project, client, line), {})))
    if client.queue and not client.is_told then
      client.is_told = true
      client.told:fire()
    end
  end
end

local function tell(project, client)
  client.told:wait()
  while true do
    client.lines:write(err.check("event", project.world.json.encode({ event = client.queue:take() }, {})))
  end
end

--- A client that does not read is dropped rather than waited for.
local function new_client(fd)
  local client = { lines = lines_.new(fd, "client"), holds = {}, told = task.event(), gone = task.event() }
  function client.listener(event)
    if not client.wants(event) then return end
    if client.queue:count() >= EVENTS_KEPT then return client.gone:fire() end
    client.queue:put(event)
  end
  return client
end

local function serve(project, fd, places)
  local client = new_client(fd)
  local _gone <close> = setmetatable({}, { __close = function()
    project.listeners[client.listener] = nil
    project:hold(client.holds, -1)
    client.lines:close()
    places:release()
  end })
  local ok, problem = pcall(task.race, {
    function() converse(project, client) end,
    function() tell(project, client) end,
    function() client.gone:wait() end,
  })
  if not ok and not err.is_failure(problem) then error(problem, 0) end
end

--- Only our own user is answered.
local function is_ours(project, fd)
  local peer = project.world.net.peer(fd)
  return peer ~= nil and peer.uid == project.world.host.uid()
end

--- Answers clients, each in a task of its own, for ever.
function M.run(project, listener)
  local places = task.semaphore(CLIENTS)
  task.scope(function(scope)
    while true do
      places:acquire()
      local fd, message, code = project.world.net.accept(listener)
      if fd and is_ours(project, fd) then
        scope:spawn("client", serve, project, fd, places)
      else
        places:release()
        if fd then fd:close() end
        if not fd and message == "EAGAIN" then task.wait { fd = listener, dir = code } end
        if not fd and message ~= "EAGAIN" then task.wait { at_ms = task.now_ms() + AGAIN_MS } end
      end
    end
  end)
end

return M
