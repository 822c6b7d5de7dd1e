--- Keys of a project that are understood and have no effect so far: whatever would change something refuses them. Pure.
local err = require "holos.core.err"
local findings_ = require "holos.compose.findings"
local table_ = require "holos.core.table"
local unknown = require "holos.use.unknown"

local M = {}

local function is_pull_policy(found) return found.key:find "^services%..*%.pull_policy$" ~= nil end

--- What of a project has no effect so far, as findings.
---@param pull string?  of the command line: what files say of that does not count then
---@return {file: string?, line: string?, column: string?, path: string, message: string, hint: string?}[]
function M.findings(project, pull)
  local findings = {}
  for _, found in ipairs(table_.filter(project.not_yet, function(found) return not (pull and is_pull_policy(found)) end)) do
    local file, line, column = (found.mark or ""):match("^(.*):(%d+):(%d+)$")
    findings[#findings + 1] = { file = file, line = line, column = column, path = found.key, message = "not available yet",
      hint = found.hint }
  end
  return findings
end

-- Images are files that are there, or are missing for good.
local function refuse_pull(project)
  for _, name in ipairs(table_.keys(project.services)) do
    local service = project.services[name]
    if service.is_enabled ~= false and service.image and service.image.path then
      err.raise { message = ("--pull always: the image of %s is a local file, and there is nothing to fetch it from"):format(name),
        code = "EUSAGE", exit = unknown.USAGE, hint = "leave it out: when the file is another one, the plan says so" }
    end
  end
end

--- Raises them all at once.
---@param pull "missing"|"never"|"always"|nil  of the command line
function M.demand(project, pull)
  if pull == "always" then refuse_pull(project) end
  local findings = M.findings(project, pull)
  if #findings > 0 then err.findings(findings, findings_.WITHOUT) end
end

return M
