--- The steps that a Dockerfile makes of a service's machine, as a spec has them. Pure.
local json = require "holos.core.json"
local table_ = require "holos.core.table"

local M = {}

-- What of a step counts, by its kind: where a line stands, and how it is spelled, does not.
local FIELDS = {
  run = { "argv", "shell", "script", "program", "env", "user", "workdir", "mounts", "network" },
  copy = { "number", "target", "is_directory", "chown", "chmod", "archives", "remotes", "checksum", "keep_git_dir" },
  workdir = { "path", "user" },
}
FIELDS.add = FIELDS.copy
local IS_LIST = { argv = true, shell = true, env = true, mounts = true, archives = true, remotes = true }

--- A step of a recipe as a step of a spec.
---@param step table    of the recipe, with what run/build has added
---@param number integer?  of a step that brings something along: its directory in the archive
function M.step(step, number)
  local made = { kind = step.kind, title = step.title, line = step.line }
  for _, field in ipairs(FIELDS[step.kind]) do
    local value = table_.copy(step[field])
    made[field] = value ~= nil and IS_LIST[field] and table_.list(value) or value
  end
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
