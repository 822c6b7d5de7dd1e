--- What tests of a supervisor of the project "pair" ask: who it is, what it wrote, its socket.
local fs = require "sys.fs"
local json = require "sys.json"
local proc = require "sys.proc"
local task = require "holos.core.task"

local M = {}

--- Two machines; the supervisor starts one of them again, whatever it ends of.
M.RESTARTED = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web:
    image: ./image.qcow2
    image_os: plain
    stop_grace_period: 2s
    deploy: {restart_policy: {condition: any, delay: 20ms}}
]]

--- Kills a process, when it is still there, and waits for its end.
function M.kill(pid)
  local identity = proc.identity(pid)
  local process <close> = identity and proc.open(pid, identity.start_time)
  if not process then return end
  process:signal "KILL"
  task.wait { process = process }
end

-- Also those that have not come to their lock yet, or wait for it.
local function all_supervisors(stack)
  local pids, words = {}, ("\0supervise\0--state-dir\0%s\0"):format(stack.state)
  for _, entry in ipairs(fs.list("/proc")) do
    local pid = math.tointeger(tonumber(entry.name))
    local command = pid and fs.read(("/proc/%d/cmdline"):format(pid))
    if command and command:find(words, 1, true) then pids[#pids + 1] = pid end
  end
  return pids
end

--- As if the host had been rebooted: nothing of pair runs, and what is written of it is of another boot.
function M.reboot(stack)
  local pids = all_supervisors(stack)
  assert(#pids > 0, "nobody has started a supervisor")
  for _, pid in ipairs(pids) do M.kill(pid) end
  for _, entry in ipairs(fs.list(stack.state .. "/instances/pair")) do
    local now = M.runtime(stack, entry.name)
    if now.pid then M.kill(now.pid) end
    now.boot_id = "00000000-0000-0000-0000-000000000000"
    assert(fs.write_atomic(("%s/instances/pair/%s/runtime.json"):format(stack.state, entry.name), assert(json.encode(now, {})),
      { mode = 384 }))
  end
end

--- Waits until there is one supervisor that has its lock, another than `before`; gives its pid.
function M.supervisor(stack, before)
  stack:eventually("there is a supervisor", function()
    local pids = stack:supervisors()
    return #pids == 1 and pids[1] ~= before
  end)
  return stack:supervisors()[1]
end

--- All events that were written down, in order.
function M.journal(stack)
  local events = {}
  for line in (fs.read(stack.state .. "/events/pair.jsonl") or ""):gmatch("[^\n]+") do
    events[#events + 1] = assert(json.decode(line, {}))
  end
  return events
end

--- Those of one type.
function M.events(stack, kind)
  local found = {}
  for _, event in ipairs(M.journal(stack)) do
    if event.type == kind then found[#found + 1] = event end
  end
  return found
end

--- The runtime.json of an instance.
function M.runtime(stack, name)
  return assert(json.decode(assert(fs.read(stack.state .. "/instances/pair/" .. name .. "/runtime.json")), {}))
end

--- Whether the process that runtime.json names is another one than `pid`, and lives.
function M.runs_anew(stack, name, pid)
  local now = M.runtime(stack, name)
  return now.pid and now.pid ~= pid and now.is_proven and proc.identity(now.pid) ~= nil
end

--- A connection to the supervisor: request{op=…} → answer, event(type) → the next event of that type.
function M.client(stack)
  local supervisor, state = require "holos.run.supervisor", require "holos.run.state"
  local world = require "holos.run.world"
  local lines = assert(supervisor.connect(world, state.locate(world, { state_dir = stack.state }), "pair"))
  local client = setmetatable({}, { __close = function() lines:close() end })
  local function read() return task.within(10000, function() return json.decode(assert(lines:next()), {}) end) end
  function client.request(fields)
    lines:write(json.encode(fields, {}))
    return read()
  end
  function client.event(kind)
    while true do
      local event = read().event
      if event.type == kind then return event end
    end
  end
  return client
end

return M
