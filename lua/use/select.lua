--- What a command line is about: services and instances, the user's answers for them. Pure.
local lazy = require "holos.core.lazy"
local consent = lazy "holos.plan.consent"
local err = require "holos.core.err"
local table_ = require "holos.core.table"
local unknown = lazy "holos.use.unknown"

local M = {}

local MOST_REPLICAS = 253 -- as the compose schema has it

--- Numbers of instances as a command line gives them: "web=3".
---@param words string[]?
---@return table<string, integer> counts  by service
function M.counts(words)
  local counts = {}
  for _, word in ipairs(words or {}) do
    local service, digits = word:match("^([^=]+)=(%d+)$")
    local count = math.tointeger(tonumber(digits))
    if not count or count > MOST_REPLICAS then
      err.raise { message = ("expected SERVICE=NUMBER, got %q"):format(word), code = "EUSAGE", exit = 64,
        hint = ("such as web=3; %d is the most"):format(MOST_REPLICAS) }
    end
    if counts[service] and counts[service] ~= count then
      err.raise { message = ("%s is to have %d instances, and %d"):format(service, counts[service], count), code = "EUSAGE",
        exit = 64 }
    end
    counts[service] = count
  end
  return counts
end

-- Numbers for services that the command is not about would be lost without a word.
local function require_scaled(counts, wanted)
  for _, name in ipairs(table_.keys(counts)) do
    if not wanted[name] then
      err.raise { message = ("--scale %s=%d: %s is not among what is to come up"):format(name, counts[name], name),
        code = "EUSAGE", exit = 64, hint = "name it, too, or give its profile" }
    end
  end
end

--- The services that were asked for, with what they depend on; without words all that are enabled.
---@param words string[]
---@param options {no_deps: boolean?, scale: string[]?}?  no_deps: without what they depend on
---@return table<string, boolean> services
function M.services(project, words, options)
  local wanted, counts = {}, M.counts((options or {}).scale)
  for name in pairs(counts) do
    if not project.services[name] then unknown.refuse("service", name, project.services) end
  end
  if #words == 0 then
    for name, service in pairs(project.services) do wanted[name] = service.is_enabled ~= false or nil end
  end
  local function want(name)
    if wanted[name] then return end
    local service = project.services[name] or unknown.refuse("service", name, project.services)
    wanted[name] = true
    if options and options.no_deps then return end
    for _, dependency in ipairs(service.depends_on) do
      if dependency.required ~= false or project.services[dependency.service] then want(dependency.service) end
    end
  end
  for _, word in ipairs(words) do want(word) end
  require_scaled(counts, wanted)
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
