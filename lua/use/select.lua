--- What a command line is about: services and instances, the user's answers for them. Pure.
local consent = require "holos.plan.consent"
local err = require "holos.core.err"

local M = {}

local function unknown(project, name)
  err.raise { message = ("there is no service %q"):format(name), code = "ENOENT", exit = 64,
    hint = "services: " .. table.concat(project.order, " ") }
end

--- The services that were asked for, with what they depend on; without words all that are enabled.
---@param words string[]
---@return table<string, boolean> services
function M.services(project, words)
  local wanted = {}
  if #words == 0 then
    for name, service in pairs(project.services) do wanted[name] = service.is_enabled ~= false or nil end
  end
  local function want(name)
    if wanted[name] then return end
    local service = project.services[name] or unknown(project, name)
    wanted[name] = true
    for _, dependency in ipairs(service.depends_on) do
      if dependency.required ~= false or project.services[dependency.service] then want(dependency.service) end
    end
  end
  for _, word in ipairs(words) do want(word) end
  return wanted
end

-- The names that answers on the command line can be given for.
local function nameable(project, record)
  local names = {}
  for name in pairs(project.services) do names[name] = true end
  for name in pairs(record.instances) do names[name] = true end
  return names
end

--- The user's answers: of the command line, and of a terminal where he was asked (context.answers).
---@param words string[]
---@return holos.Consent
function M.consent(context, record, words)
  local given = consent.read(context.options, nameable(context.project, record), words)
  return consent.with(given, context.answers or {})
end

return M
