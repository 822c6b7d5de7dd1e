--- What `validate` tells of a project: its services, every effect on the host, whether the host has enough. Pure.
local path = require "holos.core.path"
local table_ = require "holos.core.table"
local text = require "holos.core.text"
local units = require "holos.core.units"

local M = {}

--- The services as data.
---@return {name: string, image: string?, replicas: integer, vcpu: integer, memory_mib: integer?, needs: string[]}[]
function M.services(project)
  return table_.map(project.order, function(name)
    local service = project.services[name]
    return { name = name, image = service.image and (service.image.name or service.image.path), replicas = service.replicas,
      vcpu = service.vm.vcpu, memory_mib = service.vm.memory_mib,
      needs = table_.map(service.depends_on, function(dependency) return dependency.service end) }
  end)
end

local function image_text(image)
  if not image then return "-" end
  return image:find("^/") and path.base(image) or image
end

local function service_rows(services)
  local rows = { { "  SERVICE", "IMAGE", "REPLICAS", "VCPU", "MEMORY", "NEEDS" } }
  for _, service in ipairs(services) do
    rows[#rows + 1] = { "  " .. service.name, image_text(service.image), tostring(service.replicas),
      tostring(service.vcpu), service.memory_mib and units.format_bytes(service.memory_mib << 20) or "default",
      #service.needs > 0 and table.concat(service.needs, " ") or "-" }
  end
  return rows
end

local function effect_rows(effects, directory)
  return table_.map(effects, function(effect)
    return { "  " .. effect.verb, path.short(effect.what, directory), effect.why, effect.where or "" }
  end)
end

local function capacity_rows(capacity)
  local memory, disk, cpus = capacity.memory, capacity.disk, capacity.cpus
  local running = capacity.running > 0 and (", beside %d that run"):format(capacity.running) or ""
  return {
    { "  memory", units.format_bytes(memory.wanted_bytes) .. running, ("%s free%s"):format(
      units.format_bytes(memory.available_bytes), memory.limited_by and (" (limited by %s)"):format(memory.limited_by) or "") },
    { "  disk", "up to " .. units.format_bytes(disk.wanted_bytes), disk.free_bytes and ("%s free in %s"):format(
      units.format_bytes(disk.free_bytes), disk.directory) or "" },
    { "  CPUs", ("%d for the largest"):format(cpus.most), ("%d on this host"):format(cpus.there) },
  }
end

--- The lines of a summary; what comes out of the file is harmless for a terminal.
---@param result table  {project = name, directory, services, effects, capacity}
---@return string[]
function M.lines(result)
  local lines = { "project " .. result.project }
  local function add(title, rows)
    if title then lines[#lines + 1] = title end
    table_.extend(lines, text.columns(rows))
  end
  add(nil, service_rows(result.services))
  add("on this host it", effect_rows(result.effects, result.directory))
  add("and wants", capacity_rows(result.capacity))
  for _, warning in ipairs(result.capacity.warnings) do lines[#lines + 1] = "  ! " .. warning end
  return table_.map(lines, function(line) return (text.escape_terminal(line):gsub("[\n\t]", " ")) end)
end

return M
