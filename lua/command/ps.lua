--- holos ps
local out = require "holos.command.out"
local project = require "holos.use.project"
local ps = require "holos.use.ps"
local shared = require "holos.command.shared"
local state_ = require "holos.use.state"
local text = require "holos.core.text"

local M = {
  summary = "list instances: of this project, or of all when no file is in reach",
  arguments = {},
  options = {
    { "-a", "--all", help = "the instances of all projects" },
    { "-q", "--quiet", help = "names only" },
    shared.FORMAT,
  },
}

local function rows_for(world, options)
  if not options.all then
    local ok, context = pcall(shared.recorded, world, options, nil, ps.read)
    if ok then
      local rows, problems = ps.instances(world, context.state, context.record)
      return rows, false, problems
    end
    if context.code == "ENOPROJECT" and not project.asked_name(world, options) then return {}, false, {} end
    if context.code ~= "ENOFILE" then error(context, 0) end
  end
  local rows, damaged = ps.everything(world, state_.locate(world, options))
  return rows, true, damaged
end

function M.run(world, options)
  local rows, with_project, problems = rows_for(world, options)
  for _, bad in ipairs(problems) do out.warn(bad.message) end
  if options.quiet then
    for _, row in ipairs(rows) do out.result(row.name) end
  elseif options.format == "json" then
    for _, row in ipairs(rows) do out.result(world.json.encode(row, {})) end
  else
    out.results(text.columns(shared.instance_cells(rows, with_project)))
  end
  return 0
end

return M
