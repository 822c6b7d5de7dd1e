--- A project's state as a whole: its record, and what follows from it. Effects: state files.
local lazy = require "holos.core.lazy"
local build = lazy "holos.run.build"
local contents = require "holos.run.contents"
local keys = require "holos.run.keys"
local leases = require "holos.run.leases"
local record_ = require "holos.run.record"
local aside = require "holos.run.aside"
local scope = lazy "holos.run.scope"
local supervisor = require "holos.run.supervisor"
local trash = require "holos.run.trash"

local M = {}

--- A record with what commands that were killed could not write into it. Reads only: what they have begun is left to `up`.
---@return table? record  nil when there is none
---@return string[]? gone  instances whose old disk was to come back and is gone
function M.load(world, state, name)
  local record = record_.load(world, state, name)
  if not record then return nil end
  trash.forget_taken(world, state, record)
  local gone = aside.look(world, state, record)
  leases.recall(world, state, record)
  return record, gone
end

--- Writes known_hosts for programs such as ssh(1), from the leased ports.
local function write_known_hosts(world, state, record)
  local ports = {}
  for name, entry in pairs(record.instances) do ports[name] = entry.leased and entry.leased.ssh end
  keys.write_known_hosts(world, state, record.name, ports)
end

--- Makes what instances need before there are any: the user's key, copies of configs and secrets.
function M.prepare(world, state, name, gathered)
  keys.user(world, state, name)
  contents.keep(world, state, name, gathered)
  if gathered.builds then build.keep(world, state, name, gathered.builds) end
end

--- Saves a record after something was done, and brings in line what hangs on it.
function M.save(world, state, record)
  record_.save(world, state, record)
  contents.sweep(world, state, record)
  write_known_hosts(world, state, record)
end

--- When the scope is left, also by an error, what the record wants to run has a supervisor.
function M.supervised_at_end(world, state, record, warn)
  return setmetatable({}, { __close = function()
    if not supervisor.is_wanted(record) then return end
    local fine, message = supervisor.ensure(world, state, record.name)
    if not fine then warn(message) end
    local short = scope.shortfall(world, record.name, record.instances)
    if short then warn(short) end
  end })
end

--- Goes where no login's end can reach what is about to be launched.
function M.outlive_login(world, state, record, warn)
  local result = scope.enter(world, { project = record.name, directory = state.root, projects = { record.instances } })
  if result and result.warning then warn(result.warning) end
end

--- Removes the record of a project that has nothing left, and before it the copies of its configs and secrets: whoever
--- is killed between the two leaves what the next command finds.
function M.remove(world, state, name)
  contents.remove(world, state, name)
  record_.remove(world, state, name)
end

return M
