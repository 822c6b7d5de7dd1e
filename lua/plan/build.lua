--- The steps that a Dockerfile makes of a service's machine, as a spec has them. Pure.
local json = require "holos.core.json"
local table_ = require "holos.core.table"
local units = require "holos.core.units"

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

local function counted(count, what) return ("%d %s%s"):format(count, what, count == 1 and "" or "s") end

--- How much steps take along: "120 files, 3 MiB".
---@param lists table[][]  entries of each step that takes something along
---@return string
function M.amount(lists)
  local bytes, count = 0, 0
  for _, entries in ipairs(lists) do
    for _, entry in ipairs(entries) do
      bytes = bytes + (entry.type == "file" and entry.size_bytes or 0)
      count = count + (entry.type ~= "directory" and 1 or 0)
    end
  end
  return ("%s, %s"):format(counted(count, "file"), units.format_bytes(bytes))
end

--- What makes a machine out of its image: "provisioned by app/Dockerfile, 5 steps, copies 120 files, 3 MiB".
---@param wanted table        of the service
---@param made holos.Build
function M.told(wanted, made)
  local copies = #made.entries > 0 and ", copies " .. M.amount(made.entries) or ""
  return ("provisioned by %s, %s%s"):format(wanted.shown, counted(#made.steps, "step"), copies)
end

--- What a build does on the host and in its machines.
---@return {verb: string, what: string, why: string}[]
function M.effects(wanted, made)
  local effects = { { verb = "reads", what = wanted.context, why = "what the Dockerfile copies, for" } }
  if #made.entries > 0 then
    effects[2] = { verb = "creates", what = "copies of " .. M.amount(made.entries),
      why = "a disk for what the Dockerfile copies, read-only, for" }
  end
  if #made.steps > 0 then
    effects[#effects + 1] = { verb = "runs", what = ("%s of %s"):format(counted(#made.steps, "step"), wanted.shown),
      why = "in the guest when its disk is new, for" }
  end
  return effects
end

--- The digest of all that the steps do.
---@param sha256 fun(text: string): string
---@param manifests string[]  what each step brings along
---@return string
function M.digest(sha256, steps, manifests)
  local counts = {}
  for position, step in ipairs(steps) do
    counts[position] = { kind = step.kind }
    for _, field in ipairs(FIELDS[step.kind]) do counts[position][field] = step[field] end
  end
  return sha256(json.encode { version = 1, steps = table_.list(counts), files = table_.list(manifests) })
end

return M
