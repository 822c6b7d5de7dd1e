--- The `holos` table of scripts: two verbs, on and override. Pure but for the handlers and overrides that it keeps.
local err = require "holos.core.err"
local events = require "holos.core.events"
local list = require "holos.script.events"
local override = require "holos.core.override"
local table_ = require "holos.core.table"

local M = {}

--- The newest API that scripts can ask for.
M.VERSION = 1

--- The handlers of this process.
M.events = events.new(list)

--- Those of its events that supervisors tell of.
M.supervised = table_.filter(list, function(definition) return definition.supervised end)

--- An event happens; see core.events. Use cases and the supervisor call this, pure modules never.
function M.emit(name, payload) return M.events:emit(name, payload) end

--- holos.api(n): refuses to go on when this holos is older than the script.
function M.require_version(wanted)
  if math.type(wanted) == "integer" and wanted >= 1 and wanted <= M.VERSION then return M.VERSION end
  err.raise { message = ("the script wants holos.api(%s); this holos has 1 to %d"):format(tostring(wanted), M.VERSION),
    code = "EAPI" }
end

--- The table that scripts see as `holos`.
function M.table()
  return {
    api = function(wanted) return M.require_version(wanted) end,
    on = function(name, fn) M.events:on(name, fn) end,
    override = function(module, name, fn) return override.install(module, name, fn) end,
    veto = function(reason) return events.veto(reason) end,
  }
end

return M
