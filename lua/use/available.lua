--- Keys of a project that are understood and have no effect so far: whatever would change something refuses them. Pure.
local err = require "holos.core.err"
local findings_ = require "holos.compose.findings"
local pull_policy = require "holos.image.pull_policy"
local table_ = require "holos.core.table"
local unknown = require "holos.use.unknown"

local M = {}

--- What of a project has no effect so far, as findings.
---@return {file: string?, line: string?, column: string?, path: string, message: string, hint: string?}[]
function M.findings(project)
  local findings = {}
  for _, found in ipairs(project.not_yet) do
    local file, line, column = (found.mark or ""):match("^(.*):(%d+):(%d+)$")
    findings[#findings + 1] = { file = file, line = line, column = column, path = found.key, message = "not available yet",
      hint = found.hint }
  end
  return findings
end

-- Files are there, or are missing for good.
local function require_names(project)
  local with_file
  for _, name in ipairs(table_.keys(project.services)) do
    local service = project.services[name]
    local image = service.is_enabled ~= false and service.image
    if image and image.name then return end
    with_file = with_file or image and image.path and name
  end
  if not with_file then return end
  err.raise { code = "EUSAGE", exit = unknown.USAGE,
    message = ("--pull always: the image of %s is a local file, and there is nothing to fetch it from"):format(with_file),
    hint = "leave it out: when the file is another one, the plan says so" }
end

--- Raises them all at once.
---@param pull string?  --pull of the command line
function M.demand(project, pull)
  local policy, message, hint = pull_policy.parse(pull)
  if not policy then err.raise { message = "--pull: " .. message, code = "EUSAGE", exit = unknown.USAGE, hint = hint } end
  if policy.kind == "always" then require_names(project) end
  local findings = M.findings(project)
  if #findings > 0 then err.findings(findings, findings_.WITHOUT) end
end

return M
