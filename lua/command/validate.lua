--- holos validate
local available = require "holos.use.available"
local err = require "holos.core.err"
local out = require "holos.command.out"
local project_ = require "holos.use.project"
local text = require "holos.core.text"
local units = require "holos.core.units"
local validate = require "holos.use.validate"

local M = {
  summary = "check the file; say what it describes and every effect on this host",
  arguments = {},
  options = { { "-q", "--quiet", help = "print errors only" } },
}

local function service_cells(project)
  local cells = { { "SERVICE", "IMAGE", "REPLICAS", "VCPU", "MEMORY", "NEEDS" } }
  for _, name in ipairs(project.order) do
    local service, needs = project.services[name], {}
    for i, dependency in ipairs(service.depends_on) do needs[i] = dependency.service end
    cells[#cells + 1] = { name, service.image and service.image.path:match("[^/]+$") or "-",
      tostring(service.replicas), tostring(service.vm.vcpu),
      service.vm.memory_mib and units.format_bytes(service.vm.memory_mib << 20) or "default",
      #needs > 0 and table.concat(needs, " ") or "-" }
  end
  return cells
end

function M.run(world, options)
  local context = project_.from_file(world, options)
  validate.run(context)
  local project = context.project
  for _, warning in ipairs(project.warnings) do out.warn(warning) end
  for _, finding in ipairs(available.findings(project)) do
    out.warn(err.render_finding(finding) .. "; up refuses it")
  end
  if options.quiet then return 0 end
  local lines = { "project " .. project.name }
  for _, line in ipairs(text.columns(service_cells(project))) do lines[#lines + 1] = "  " .. line end
  lines[#lines + 1] = "on this host it"
  local cells = {}
  for i, effect in ipairs(validate.effects(project)) do cells[i] = { effect.verb, effect.what, effect.why } end
  for _, line in ipairs(text.columns(cells)) do lines[#lines + 1] = "  " .. line end
  out.results(lines)
  return 0
end

return M
