--- Project records: durable truth about a project (desired state, leases, disks). Effects: reads and writes state
--- files. One damaged record spoils only its project. Minor versions add fields; older binaries keep what they do not
--- know.
local directory_ = require "holos.run.directory"
local lazy = require "holos.core.lazy"
local err = require "holos.core.err"
local record_schema = lazy "holos.plan.record_schema"
local table_ = require "holos.core.table"
local units = lazy "holos.core.units"

local M = {}

--- 1.1: networks of a project besides the default one (leases.networks), with their names, names of instances of the user's choice.
--- 1.2: of instances: kept, replaced, provision_runs.
--- 1.3: of specs: post_start, pre_stop; of instances: previous.
--- 1.4: of images of specs: name, digest, family; of vm of specs: vga.
M.MAJOR, M.MINOR = 1, 4
--- A record of 253 instances with large seeds is well below this; more is no record of ours. What runs adds a little to
--- its record (ports): as long as there is room for that, nothing is written that is too large to be read again.
local MAX_BYTES, ROOM_BYTES = 32 << 20, 2 << 20
local FORBIDDEN_NAME = "[^a-z0-9_-]"

--- An empty record for a new project.
function M.new(name, directory, files)
  return { schema = { major = M.MAJOR, minor = M.MINOR }, name = name, directory = directory,
    files = table_.list(files), leases = { addresses = {} }, hosts = table_.list {}, instances = {}, volumes = {} }
end

local MEND = "the disks are untouched; put a copy back, or move the file away and run `holos up` again"

local function newer_minor(version)
  if version.minor <= M.MINOR then return "" end
  return (" (a newer holos wrote it: schema %d.%d; this one knows %d.%d)"):format(version.major, version.minor, M.MAJOR, M.MINOR)
end

--- The reason why `value` is no record that this binary can use, nil when it is one.
---@param rule table?  of plan/record_schema, when it is not the whole record that is asked about
function M.complaint(value, name, rule)
  if type(value) ~= "table" or type(value.schema) ~= "table" then return "it holds no project" end
  local major = value.schema.major
  if math.type(major) ~= "integer" then return "it has no schema version" end
  if major > M.MAJOR then return ("it was written by a newer holos (schema %d; this one knows %d)"):format(major, M.MAJOR) end
  if value.name ~= name then return ("it is of another project (%q)"):format(tostring(value.name)) end
  local complaint = record_schema.complaint(rule or record_schema.record, value)
  if complaint then return complaint .. newer_minor(value.schema) end
  for instance, entry in pairs(value.instances) do
    if entry.spec.name ~= instance or entry.spec.project ~= name then
      return ("%s holds the spec of %s/%s"):format(instance, entry.spec.project, entry.spec.name)
    end
  end
end

--- The record of `name` in `file`, nil when there is none; raises when it cannot be read or is damaged.
---@param hint string?  how to mend a damaged one
---@param rule table?   as of `complaint`
function M.read(world, file, name, hint, rule)
  local text, message, code = world.fs.read(file, { max_bytes = MAX_BYTES })
  if not text and code == "ENOENT" then return nil end
  err.check("record", text, message, code)
  local value, reason = world.json.decode(text, {})
  reason = reason or M.complaint(value, name, rule)
  if reason then
    err.raise { message = ("%s: the record is damaged: %s"):format(file, reason), code = "EDAMAGED", hint = hint or MEND }
  end
  if not rule then value.leases.addresses = value.leases.addresses or {} end
  return value
end

--- The record of project `name`, as `read` gives it. What cannot be a name is never part of a path.
function M.load(world, state, name)
  if name == "" or name:find(FORBIDDEN_NAME) then return nil end
  return M.read(world, state:record(name), name)
end

--- The same as far as lists of instances show it (record_schema.glanced), for commands that are to be quick: nothing else of
--- it may be relied on, and it is never saved.
function M.glance(world, state, name)
  if name == "" or name:find(FORBIDDEN_NAME) then return nil end
  return M.read(world, state:record(name), name, nil, record_schema.glanced)
end

--- Whether there is a record, in order or not.
function M.is_there(world, state, name)
  return name ~= "" and not name:find(FORBIDDEN_NAME) and world.fs.lstat(state:record(name)) ~= nil
end

local function refuse_size(name, bytes)
  err.raise { message = ("project %s is too large: its record would have %s, and %s are the most"):format(name,
    units.format_bytes(bytes), units.format_bytes(MAX_BYTES - ROOM_BYTES)), code = "E2BIG",
    hint = "every replica counts with its whole cloud_init: let guests fetch large files, or mount them as volumes" }
end

--- What could not be read again is not written: it would stand in the way of every later command.
local function refuse_unreadable(record)
  local reason = M.complaint(record, record.name)
  if reason then error(("the record of %s would be damaged: %s"):format(record.name, reason)) end
end

--- Writes the record: temporary file, fsync, rename, fsync of the directory.
---@param options {is_intent: boolean?}?  nothing is done yet, so it has to leave room for what will come
function M.save(world, state, record, options)
  record.schema.minor = math.max(record.schema.minor or 0, M.MINOR)
  if options and options.is_intent then refuse_unreadable(record) end
  local text = world.json.encode(record, { indent = 1 }) .. "\n"
  if #text > MAX_BYTES - (options and options.is_intent and ROOM_BYTES or 0) then refuse_size(record.name, #text) end
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
  for _, entry in ipairs(directory_.entries(world, state:records())) do
    local name = entry.name:match("^(.+)%.json$")
    if name and not name:find(FORBIDDEN_NAME) then
      local ok, value = pcall(M.load, world, state, name)
      if ok then records[name] = value else bad[#bad + 1] = { name = name, message = tostring(value) } end
    end
  end
  return records, bad
end

return M
