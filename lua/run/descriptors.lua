--- The descriptors that a QEMU command asks for: disks, logs, sockets, directories, shares. Effects: opens them; starts
--- virtiofsd.
local err = require "holos.core.err"
local path = require "holos.core.path"
local share = require "holos.run.share"

local M = {}

local FILE_MODE = tonumber("600", 8)

-- Closes every descriptor of a table when a scope is left.
local Descriptors = {}
Descriptors.__index = Descriptors
function Descriptors:__close()
  for _, fd in pairs(self) do fd:close() end
end

--- An empty table whose descriptors are closed when the scope of its <close> variable is left.
function M.new() return setmetatable({}, Descriptors) end

local openers = {}

function openers.listen(world, _, directory, what)
  world.fs.remove(path.join(directory, what.name))
  return world.net.listen_unix(directory, what.name, { mode = FILE_MODE })
end

function openers.append(world, _, directory, what)
  return world.fs.open(path.join(directory, what.name), { append = true, write = true, create = true, nofollow = true,
    mode = FILE_MODE })
end

function openers.read(world, _, directory, what)
  return world.fs.open(what.path or path.join(directory, what.name), { read = true })
end

function openers.write(world, _, directory, what)
  -- A block device is claimed, so that nobody mounts it on the host meanwhile.
  return world.fs.open(what.path or path.join(directory, what.name), { read = true, write = true, exclusive = what.is_device })
end

function openers.directory(world, _, _, what)
  return world.fs.open(what.path, { read = true, directory = true })
end

function openers.virtiofs(world, launching, directory, what)
  return share.connect(world, launching, directory, what)
end

--- Opens everything that a command asks for.
---@param command table  as from plan/qemu
---@return table<integer, userdata> opened  by number; closed with its scope
function M.open(world, launching, directory, command)
  local opened = M.new()
  local ok, problem = pcall(function()
    for _, what in ipairs(command.fds) do
      opened[what.number] = err.check(launching.spec.name, openers[what.role](world, launching, directory, what))
    end
  end)
  if ok then return opened end
  opened:__close()
  error(problem, 0)
end

return M
