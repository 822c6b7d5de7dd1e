--- The steps that a Dockerfile makes of a service's machine, as a spec has them. Pure.
local json = require "holos.core.json"
local table_ = require "holos.core.table"

local M = {}

-- What of a step counts, by its kind: where a line stands, and how it is spelled, does not.
local FIELDS = {
  run = { "argv", "shell", "script", "heredocs", "env", "user", "workdir", "mounts", "network" },
  copy = { "number", "target", "is_directory", "chown", "chmod", "archives", "remote", "checksum", "keep_git_dir" },
  workdir = { "path", "user" },
}
FIELDS.add = FIELDS.copy

--- A step of a recipe as a step of a spec.
---@param step table    of the recipe, with what run/build has added
---@param number integer?  of a step that brings something along: its directory in the archive
function M.step(step, number)
  local made = { kind = step.kind, title = step.title, line = step.line }
  for _, field in ipairs(FIELDS[step.kind]) do made[field] = table_.copy(step[field]) end
  made.number = number
  return made
end

--- The digest of all that the steps do.
---@param sha256 fun(text: string): string
---@param manifests string[]  what each step brings along
---@return string
function M.digest(sha256, steps, manifests)
  local counted = {}
  for position, step in ipairs(steps) do
    counted[position] = { kind = step.kind }
    for _, field in ipairs(FIELDS[step.kind]) do counted[position][field] = step[field] end
  end
  return sha256(json.encode { version = 1, steps = table_.list(counted), files = table_.list(manifests) })
end

return M
