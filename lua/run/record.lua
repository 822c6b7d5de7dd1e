--- Project records: durable truth about a project (desired state, leases, disks). Effects: reads and writes state
--- files. One damaged record spoils only its project. Minor versions add fields; older binaries keep what they do not
--- know.
local err = require "holos.core.err"
local table_ = require "holos.core.table"

local M = {}

M.MAJOR, M.MINOR = 1, 0
--- A record of 253 instances with large seeds is well below this; more is no record of ours.
local MAX_BYTES = 32 << 20
local INSTANCE_NAME = "^[a-z0-9][a-z0-9-]*%-%d+$"
local FORBIDDEN_NAME = "[^a-z0-9_-]"

--- An empty record for a new project.
function M.new(name, directory, files)
  return { schema = { major = M.MAJOR, minor = M.MINOR }, name = name, directory = directory,
    files = table_.list(files), leases = { addresses = {} }, instances = {}, volumes = {} }
end

local function damaged(file, reason)
  return { message = ("%s: the record is damaged: %s"):format(file, reason), code = "EDAMAGED",
    hint = "the disks are untouched; put a copy back, or move the file away and run `holos up` again" }
end

--- The reason why `value` is no record that this binary can use, nil when it is one.
function M.complaint(value, name)
  if type(value) ~= "table" or type(value.schema) ~= "table" then return "it holds no project" end
  local major = value.schema.major
  if math.type(major) ~= "integer" then return "it has no schema version" end
  if major > M.MAJOR then return ("it was written by a newer holos (schema %d; this one knows %d)"):format(major, M.MAJOR) end
  if value.name ~= name then return ("it is of another project (%q)"):format(tostring(value.name)) end
  for _, field in ipairs { "instances", "leases", "volumes" } do
    if type(value[field]) ~= "table" then return ("it has no %s"):format(field) end
  end
  for instance, entry in pairs(value.instances) do
    if type(entry) ~= "table" or type(entry.spec) ~= "table" then return ("instance %s has no spec"):format(instance) end
    if not instance:find(INSTANCE_NAME) or entry.spec.name ~= instance then
      return ("%q is no instance's name"):format(instance)
    end
  end
end

--- The record of `name`, nil when there is none; raises when it cannot be read or is damaged.
function M.load(world, state, name)
  local file = state:record(name)
  local text, message, code = world.fs.read(file, { max_bytes = MAX_BYTES })
  if not text and code == "ENOENT" then return nil end
  err.check("record", text, message, code)
  local value, reason = world.json.decode(text, {})
  reason = reason or M.complaint(value, name)
  if reason then err.raise(damaged(file, reason)) end
  value.leases.addresses = value.leases.addresses or {}
  return value
end

--- Writes the record: temporary file, fsync, rename, fsync of the directory.
function M.save(world, state, record)
  local text = world.json.encode(record, { indent = 1 }) .. "\n"
  err.check("record", world.fs.write_atomic(state:record(record.name), text, { mode = tonumber("600", 8), sync = true }))
end

--- Removes the record of a project that has nothing left.
function M.remove(world, state, name)
  err.check("record", world.fs.remove(state:record(name)))
end

--- All records that can be read.
---@return table<string, table> records   by project
---@return {name: string, message: string}[] damaged
function M.all(world, state)
  local records, bad = {}, {}
  for _, entry in ipairs(world.fs.list(state:records()) or {}) do
    local name = entry.name:match("^(.+)%.json$")
    if name and not name:find(FORBIDDEN_NAME) then
      local ok, value = pcall(M.load, world, state, name)
      if ok then records[name] = value else bad[#bad + 1] = { name = name, message = tostring(value) } end
    end
  end
  return records, bad
end

return M
