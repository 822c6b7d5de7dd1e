--- build: what services are built from, looked at without a machine. Effects: reads only.
local available = require "holos.use.available"
local build_ = require "holos.run.build"
local err = require "holos.core.err"
local findings_ = require "holos.compose.findings"
local lazy = require "holos.core.lazy"
local lint = lazy "holos.dockerfile.lint"
local project_ = require "holos.use.project"
local table_ = require "holos.core.table"
local unknown = require "holos.use.unknown"

local M = {}

---@class holos.BuildRow
---@field service string
---@field file string        the Dockerfile's name, as a user would write it
---@field context string
---@field recipe holos.dockerfile.Recipe
---@field build holos.Build
---@field service_of table   of the project

-- What `up` would refuse of a build: it is as if there were none.
local function require_available(project, words)
  local findings = table_.filter(available.findings(project), function(found)
    for _, name in ipairs(#words > 0 and words or project.order) do
      if found.path:sub(1, #name + 16) == ("services.%s.build."):format(name) then return true end
    end
    return false
  end)
  if #findings > 0 then err.findings(findings, findings_.WITHOUT) end
end

local function names_of(project, words)
  local names = {}
  for _, name in ipairs(words) do
    local service = project.services[name] or unknown.refuse("service", name, project.services)
    if not service.build then
      err.raise { message = name .. " is not built: it has no build:", code = "EUSAGE", exit = 64 }
    end
  end
  for _, name in ipairs(#words > 0 and words or table_.keys(project.services)) do
    if project.services[name].build then names[#names + 1] = name end
  end
  return names
end

--- What is built, with all that it takes along; raises all that is wrong.
---@param words string[]  services; none: all that are built
---@return holos.BuildRow[] rows
---@return table context
function M.rows(world, options, words)
  local context = project_.from_file(world, options)
  require_available(context.project, words)
  local rows, findings = {}, {}
  for _, name in ipairs(names_of(context.project, words)) do
    local service = context.project.services[name]
    local build, problems = build_.look(world, service.build)
    for _, problem in ipairs(problems) do findings[#findings + 1] = problem end
    rows[#rows + 1] = { service = name, file = service.build.shown, context = service.build.context,
      recipe = service.build.recipe, build = build, service_of = service }
  end
  if #findings > 0 then err.findings(findings) end
  return rows, context
end

-- Steps that copy from the context and find nothing there.
local function empty_copies(row)
  local found = {}
  for _, step in ipairs(row.build.steps) do
    if step.number and #row.build.entries[step.number] == 0 then
      found[#found + 1] = { rule = "CopyIgnoredFile", line = step.line,
        message = "nothing is copied: what it names is empty, or .dockerignore leaves it out" }
    end
  end
  return found
end

--- What could be better in the Dockerfiles of services.
---@param rows holos.BuildRow[]
---@return {service: string, file: string, rule: string, line: integer, message: string}[] found  each place once
---@return boolean is_error  one of the files wants that taken for an error
function M.check(rows)
  local found, seen, is_error = {}, {}, false
  for _, row in ipairs(rows) do
    local warnings, counts = lint.lint(row.service_of.build.ast, row.recipe, empty_copies(row))
    is_error = is_error or counts
    for _, warning in ipairs(warnings) do
      local key = ("%s:%d:%s:%s"):format(row.file, warning.line, warning.rule, warning.message)
      if not seen[key] then
        found[#found + 1] = { service = row.service, file = row.file, rule = warning.rule, line = warning.line,
          message = warning.message }
      end
      seen[key] = true
    end
  end
  return found, is_error
end

return M
