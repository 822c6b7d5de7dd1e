--- Keys of a project that are understood and have no effect so far: whatever would change something refuses them. Pure.
local err = require "holos.core.err"
local findings_ = require "holos.compose.findings"

local M = {}

--- What of a project has no effect so far, as findings.
---@return {file: string?, line: string?, column: string?, path: string, message: string, hint: string?}[]
function M.findings(project)
  local findings = {}
  for position, found in ipairs(project.not_yet) do
    local file, line, column = (found.mark or ""):match("^(.*):(%d+):(%d+)$")
    findings[position] = { file = file, line = line, column = column, path = found.key, message = "not available yet",
      hint = found.hint }
  end
  return findings
end

--- Raises them all at once.
function M.demand(project)
  local findings = M.findings(project)
  if #findings > 0 then err.findings(findings, findings_.WITHOUT) end
end

return M
