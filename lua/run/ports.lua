--- Host ports of a launch: what is asked of QEMU, what is held until it listens, what is kept for the next launch.
--- Effects: binds ports.
local err = require "holos.core.err"
local ports_ = require "holos.plan.ports"

local M = {}

local SSH_PORT = 22
local LOOPBACK = "127.0.0.1"

local function claim_key(protocol, number) return ("%s/%d"):format(protocol, number) end

--- Whether an instance has the card that ports are published on.
function M.is_reachable(spec) return spec.nics[1] ~= nil and spec.nics[1].kind == "user" end

--- The ports to ask QEMU for; the first is sshd's. What was leased stays where it is possible.
---@param leased table  the record's, for this instance
---@return {protocol: string, host_ip: string, host: integer, guest: integer, leased: boolean?,
---         first: integer?, last: integer?}[]  first and last: of a range, out of which one is to be chosen
function M.wanted(spec, leased)
  if not M.is_reachable(spec) then return {} end
  local ports = { { protocol = "tcp", host_ip = LOOPBACK, host = leased.ssh or 0, guest = SSH_PORT, leased = true } }
  local keys = ports_.lease_keys(spec.ports)
  for position, port in ipairs(spec.ports) do
    local ask = { protocol = port.protocol, host_ip = port.host_ip, host = port.host, guest = port.guest }
    if port.host_to then
      ask.first, ask.last, ask.host = port.host, port.host_to, leased[keys[position]] or 0
    elseif port.host == 0 then
      ask.host, ask.leased = leased[keys[position]] or 0, true
    end
    ports[position + 1] = ask
  end
  return ports
end

local function claim(claimed, record)
  for _, entry in pairs(record.instances) do
    local ports = entry.spec.ports or {}
    for position, key in pairs(ports_.lease_keys(ports)) do
      local number = ports[position].host_to and (entry.leased or {})[key]
      if number then claimed[claim_key(ports[position].protocol, number)] = true end
    end
  end
end

--- Ports that instances have out of ranges: siblings that start together must not choose the same.
---@param others table<string, table>?  records of other projects
---@return table<string, boolean>
function M.claimed(record, others)
  local claimed = {}
  claim(claimed, record)
  for _, other in pairs(others or {}) do claim(claimed, other) end
  return claimed
end

local function reserve(world, reserved, port, number)
  local fd, message = world.net.reserve_port(port.protocol, port.host_ip, number)
  if fd then reserved[#reserved + 1] = fd end
  return fd ~= nil, message
end

-- The leased port of a range, else the first that nobody has or claims.
local function choose(world, launching, reserved, port)
  local is_within = port.host >= port.first and port.host <= port.last
  if is_within and reserve(world, reserved, port, port.host) then return end
  for number = port.first, port.last do
    local key = claim_key(port.protocol, number)
    if not launching.claimed[key] and reserve(world, reserved, port, number) then
      launching.claimed[key], port.host = true, number
      return
    end
  end
  err.raise { message = ("%s: no port from %d to %d/%s is free for %d"):format(launching.spec.name, port.first, port.last,
    port.protocol, port.guest), code = "EADDRINUSE", hint = "give a longer range, or 0 for any free port" }
end

local function raise_taken(problems)
  err.raise { message = table.concat(problems, "\n"), code = "EADDRINUSE",
    hint = "choose another host port, or 0 for any free one" }
end

local function problem(spec, port, message, owner)
  return ("%s: host port %s:%d/%s cannot be used: %s"):format(spec.name, port.host_ip, port.host, port.protocol,
    owner and ("%s has it"):format(owner) or message)
end

local function reserve_fixed(world, launching, reserved, port)
  local fine, message = reserve(world, reserved, port, port.host)
  if fine then return end
  if port.leased then
    launching.warn(("%s: port %d was taken meanwhile; another is used"):format(launching.spec.name, port.host))
    port.host = 0
    return
  end
  raise_taken { problem(launching.spec, port, message) }
end

--- Raises all host ports of specs that somebody else has, before anything is made; at its launch each is asked for again.
---@param specs table[]  of instances that are to be launched
---@param is_ours fun(port: table): boolean  whether a VM has it that is stopped before
---@param owner_of fun(port: table): string?  who of all projects has it, as far as records tell
function M.require_free(world, specs, is_ours, owner_of)
  local problems = {}
  for _, spec in ipairs(specs) do
    for _, port in ipairs(spec.ports) do
      if port.host > 0 and not port.host_to and not is_ours(port) then
        local fd, message = world.net.reserve_port(port.protocol, port.host_ip, port.host)
        if fd then fd:close() else problems[#problems + 1] = problem(spec, port, message, owner_of(port)) end
      end
    end
  end
  if #problems > 0 then raise_taken(problems) end
end

--- Holds the ports of a launch until QEMU listens. A leased one that somebody took meanwhile becomes "any free one".
---@param launching table  {spec, ports, claimed, warn}
---@param reserved table   takes the descriptors
function M.reserve(world, launching, reserved)
  for _, port in ipairs(launching.ports) do
    if port.last then
      choose(world, launching, reserved, port)
    elseif port.host > 0 then
      reserve_fixed(world, launching, reserved, port)
    end
  end
end

return M
