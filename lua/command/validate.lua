--- holos validate
local available = require "holos.use.available"
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local out = require "holos.command.out"
local project_ = require "holos.use.project"
local shared = require "holos.command.shared"
local summary = lazy "holos.plan.summary"
local table_ = require "holos.core.table"
local validate = require "holos.use.validate"

local M = {
  summary = "check the file; say what it describes and every effect on this host",
  arguments = {},
  options = { { "-q", "--quiet", help = "print errors only" }, shared.FORMAT },
}

-- What is known before anything of the host is looked at.
local function warnings_of(project)
  local warnings = table_.copy(project.warnings)
  for _, finding in ipairs(available.findings(project)) do
    warnings[#warnings + 1] = err.render_finding(finding) .. "; up refuses it"
  end
  return warnings
end

function M.run(world, options)
  local context = project_.from_file(world, options)
  local images, builds = validate.run(context)
  local warnings = warnings_of(context.project)
  local result = not options.quiet and validate.describe(context, images, builds)
  if result then result.warnings = table_.extend(warnings, result.warnings) end
  for _, warning in ipairs(warnings) do out.warn(warning) end
  if not result then return 0 end
  if options.format == "json" then
    out.result(world.json.encode(result, {}))
  else
    out.results(summary.lines(result))
  end
  return 0
end

return M
