--- What we ask a running QEMU: does its guest run, which ports, go on, power down. Effects: talks QMP.
local err = require "holos.core.err"
local qmp = require "holos.run.qmp"
local runstate = require "holos.plan.runstate"
local task = require "holos.core.task"

local M = {}

M.SOCKET, M.OTHER_SOCKET = "qmp-command.sock", "qmp.sock"
local COMMAND_MS = 5000

--- A session on an instance's command socket; nil and the error object when it cannot be had.
---@param socket string?  M.SOCKET when absent
function M.try_connect(world, directory, timeout_ms, socket)
  local where = { directory = directory, name = socket or M.SOCKET }
  local ok, result = pcall(qmp.connect, world, where, { timeout_ms = timeout_ms })
  if ok then return result end
  if not err.is_failure(result) then error(result, 0) end
  return nil, result
end

--- Why the guest does not run; nil when it does.
---@return holos.Halt?
function M.halt(session)
  local status = session:execute("query-status", {}, { timeout_ms = COMMAND_MS }).status
  local blocks = status == "io-error" and session:execute("query-block", {}, { timeout_ms = COMMAND_MS }) or nil
  return runstate.halt(status, blocks)
end

--- The same of a VM that nobody talks with yet, all within `timeout_ms`.
---@return holos.Halt? halt
---@return boolean answered  false when its monitor said nothing in that time
function M.ask(world, directory, timeout_ms)
  local where = { directory = directory, name = M.SOCKET }
  local ok, result = pcall(task.within, timeout_ms, function()
    local status = qmp.ask(world, where, "query-status").status
    if status ~= "io-error" then return runstate.halt(status) end
    local session <close> = qmp.connect(world, where, { timeout_ms = timeout_ms })
    return M.halt(session)
  end)
  if not ok and not err.is_failure(result) then error(result, 0) end
  return ok and result or nil, ok
end

--- Raises EHALTED when the guest does not run: a QEMU that lives is not enough (a software KVM ends in internal-error).
function M.require_running(session, spec)
  local halt = M.halt(session)
  if halt then err.raise(runstate.problem(spec, halt)) end
end

--- Lets a guest go on that was paused, by somebody or because a disk was full.
function M.resume(session) session:execute("cont", {}, { timeout_ms = COMMAND_MS }) end

--- libslirp's table: "  TCP[HOST_FORWARD]  12  127.0.0.1  40001  10.0.2.15  22  0  0"
function M.parse_usernet(text)
  local forwards = {}
  for protocol, host_ip, host, guest in text:gmatch("(%u+)%[HOST_FORWARD%]%s+%S+%s+(%S+)%s+(%d+)%s+%S+%s+(%d+)") do
    forwards[#forwards + 1] = { protocol = protocol:lower(), host_ip = host_ip, host = math.tointeger(tonumber(host)),
      guest = math.tointeger(tonumber(guest)) }
  end
  return forwards
end

local function take_match(forwards, port)
  for position, forward in ipairs(forwards) do
    local same_host = port.host == 0 or port.host == forward.host
    if forward.protocol == port.protocol and forward.guest == port.guest and same_host then
      return table.remove(forwards, position)
    end
  end
end

--- The host ports that QEMU listens on, in the order they were asked for.
---@param asked {protocol: string, host_ip: string, host: integer, guest: integer}[]
function M.host_ports(session, asked, name)
  local text = session:execute("human-monitor-command", { ["command-line"] = "info usernet" }, { timeout_ms = COMMAND_MS })
  local forwards, ports = M.parse_usernet(text), {}
  for position, port in ipairs(asked) do
    local found = take_match(forwards, port)
    if not found then
      err.raise { message = ("%s: QEMU does not forward a port to %d/%s"):format(name, port.guest, port.protocol) }
    end
    ports[position] = { protocol = port.protocol, host_ip = port.host_ip, host = found.host, guest = port.guest }
  end
  return ports
end

--- The netdev of the card that ports are published on.
local CARD = "net0"

local function human(session, line)
  return session:execute("human-monitor-command", { ["command-line"] = line }, { timeout_ms = COMMAND_MS })
end

--- The ports that QEMU listens on: {protocol, host_ip, host, guest}.
function M.forwards(session) return M.parse_usernet(human(session, "info usernet")) end

--- Takes a forwarded port away; one that is not there is no error.
function M.remove_forward(session, port)
  human(session, ("hostfwd_remove %s %s:%s:%d"):format(CARD, port.protocol, port.host_ip, port.host))
end

--- Forwards another port; host 0 lets libslirp pick. Raises EADDRINUSE: QEMU says why as text.
function M.add_forward(session, port, name)
  local said = human(session, ("hostfwd_add %s %s:%s:%d-:%d"):format(CARD, port.protocol, port.host_ip, port.host, port.guest))
  if not said:find("%S") then return end
  err.raise { message = ("%s: host port %s:%d/%s: %s"):format(name, port.host_ip, port.host, port.protocol,
    said:match("^%s*(.-)%s*$")), code = "EADDRINUSE", hint = "choose another host port, or 0 for any free one" }
end

--- The first of some forwards that is the one asked for, taken out of them.
---@param port {protocol: string, host: integer, guest: integer}  host 0: any
M.take_match = take_match

--- Presses the power button.
function M.power_down(session) session:execute("system_powerdown", {}, { timeout_ms = COMMAND_MS }) end

return M
