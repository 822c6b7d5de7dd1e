--- Checks of a guest that the host makes itself, through a published port: nothing is needed in the guest. Effects:
--- connects.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local task = require "holos.core.task"

local M = {}

--- libslirp takes a connection before it asks the guest, and closes it when the guest refuses. So it has to stay open.
M.SETTLE_MS = 300
local HEAD_BYTES = 4096

--- The place on the host where a port of the guest is published. Raises when it is not.
---@param now table  runtime
---@return {protocol: string, host_ip: string, host: integer, guest: integer}
function M.place(spec, now, guest)
  for position, port in ipairs(now.ports or {}) do
    if position > 1 and port.guest == guest and port.protocol == "tcp" then return port end
  end
  err.raise { message = ("%s: port %d is not published"):format(spec.name, guest), code = "ENOPORT" }
end

local function await_connection(world, fd)
  while true do
    local done, message, code = world.net.connect_result(fd)
    if done then return end
    if message ~= "EAGAIN" then err.check(nil, nil, message, code) end
    task.wait { fd = fd, dir = code }
  end
end

local function connect(world, place)
  local address = place.host_ip == "0.0.0.0" and "127.0.0.1" or place.host_ip
  local fd = err.check(nil, world.net.connect_tcp(address, place.host))
  local ok, problem = pcall(await_connection, world, fd)
  if ok then return fd end
  fd:close()
  error(problem, 0)
end

local function refused(guest)
  err.raise { message = ("port %d of the guest refuses connections"):format(guest), code = "ECONNREFUSED" }
end

--- Raises when nobody in the guest takes connections on a port.
function M.tcp(world, spec, now, guest)
  local fd <close> = connect(world, M.place(spec, now, guest))
  local ok, text = pcall(task.within, M.SETTLE_MS, io_wait.await, fd, "try_read", 1)
  if not ok and err.is(text, "ETIMEDOUT") then return "takes connections" end
  if not ok then error(text, 0) end
  if text == nil or text == "" then refused(guest) end
  return "takes connections"
end

--- Raises unless GET of a path is answered with a status from 200 to 399.
function M.http(world, spec, now, guest, path)
  local fd <close> = connect(world, M.place(spec, now, guest))
  local request = ("GET %s HTTP/1.0\r\nHost: localhost:%d\r\nUser-Agent: holos\r\nConnection: close\r\n\r\n"):format(path, guest)
  err.check(nil, io_wait.write_all(fd, request))
  local head = ""
  repeat
    local more = io_wait.await(fd, "try_read", HEAD_BYTES)
    if not more or more == "" then break end
    head = head .. more
  until head:find("\n", 1, true) or #head > HEAD_BYTES
  if head == "" then refused(guest) end
  local status = math.tointeger(tonumber(head:match("^HTTP/1%.%d (%d%d%d)")))
  if not status then err.raise { message = ("port %d of the guest does not speak HTTP"):format(guest), code = "EPROTO" } end
  if status < 200 or status > 399 then err.raise { message = ("GET %s: status %d"):format(path, status), code = "EHTTP" } end
  return ("GET %s: status %d"):format(path, status)
end

return M
