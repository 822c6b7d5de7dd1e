--- holos/late.sh: what has to wait until the first steps are done, at every boot: users and packages are there then. Pure.
--- boot.sh runs it on a guest that is provisioned, first.sh when that guest has just become one.
local app = require "holos.plan.seed.app"
local content = require "holos.plan.seed.content"
local environment = require "holos.plan.seed.environment"
local library = require "holos.plan.seed.library"
local table_ = require "holos.core.table"

local M = {}

--- Whether there is anything that waits.
function M.is_needed(spec)
  return (spec.app or spec.configs or spec.secrets or spec.environment) ~= nil
end

--- What is done, in order.
function M.lines(spec)
  local lines = {}
  if spec.environment then lines[1] = environment.line(spec) end
  table_.extend(lines, content.lines(spec))
  lines[#lines + 1] = app.line(spec)
  return lines
end

--- late.sh, and what it starts the app by.
---@return {name: string, data: string}[]
function M.files(spec)
  if not M.is_needed(spec) then return {} end
  local script = table.concat { library.START, library.ATTEMPT, environment.FUNCTIONS, library.PLACES, content.FUNCTIONS,
    app.functions(spec), "\n", table.concat(M.lines(spec), "\n"), "\n" }
  return table_.extend({ { name = "holos/late.sh", data = script } }, app.files(spec))
end

--- What a guest of this kind cannot do of what the file says.
---@return string[]
function M.warnings(service) return app.warnings(service) end

--- The last line of boot.sh but the report.
M.BOOT = [[
if [ -e "$holos_here/late.sh" ] && holos_is_provisioned && [ ! -e "$holos_trouble" ]; then sh "$holos_here/late.sh" boot; fi
]]

return M
