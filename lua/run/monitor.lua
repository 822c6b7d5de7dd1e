--- What we ask a running QEMU: is it alive, which ports, power down. Effects: talks QMP on the command socket.
local err = require "holos.core.err"
local qmp = require "holos.run.qmp"

local M = {}

M.SOCKET, M.OTHER_SOCKET = "qmp-command.sock", "qmp.sock"
local COMMAND_MS = 5000

--- A session on an instance's command socket; nil and the error object when it cannot be had.
---@param socket string?  M.SOCKET when absent
function M.try_connect(world, directory, timeout_ms, socket)
  local where = { directory = directory, name = socket or M.SOCKET }
  local ok, result = pcall(qmp.connect, world, where, { timeout_ms = timeout_ms })
  if ok then return result end
  if err.is(result, "ECANCELED") then error(result, 0) end
  return nil, result
end

--- QEMU's run state, in its own words: "running", "paused", "io-error", "internal-error", …
function M.status(session)
  return session:execute("query-status", {}, { timeout_ms = COMMAND_MS }).status
end

--- A QEMU that is alive but does not run the guest is a failed launch (a software KVM ends in internal-error).
function M.require_running(session, name)
  local status = M.status(session)
  if status ~= "running" then
    err.raise { message = ("%s: QEMU runs, but the guest is in state %q"):format(name, status), code = "EGUEST" }
  end
end

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

--- Presses the power button.
function M.power_down(session) session:execute("system_powerdown", {}, { timeout_ms = COMMAND_MS }) end

return M
