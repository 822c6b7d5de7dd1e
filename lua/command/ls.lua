--- holos ls
local out = require "holos.command.out"
local ps = require "holos.use.ps"
local shared = require "holos.command.shared"
local state_ = require "holos.use.state"
local text = require "holos.core.text"

local M = { summary = "list projects", arguments = {}, options = { shared.FORMAT } }

function M.run(world, options)
  local projects, damaged = ps.projects(world, state_.locate(world, options))
  for _, bad in ipairs(damaged) do out.warn(bad.message) end
  if options.format == "json" then
    for _, row in ipairs(projects) do out.result(world.json.encode(row, {})) end
    return 0
  end
  local cells = { { "NAME", "RUNNING", "DIRECTORY" } }
  for i, row in ipairs(projects) do
    cells[i + 1] = { row.name, ("%d/%d"):format(row.running, row.instances), row.directory }
  end
  for _, line in ipairs(text.columns(cells)) do out.result(line) end
  return 0
end

return M
