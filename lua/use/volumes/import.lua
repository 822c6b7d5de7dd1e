--- volumes import: a disk image becomes a volume. Effects through run/*; prints nothing.
local base = require "holos.run.base"
local change = require "holos.use.change"
local check = require "holos.image.check"
local copy = require "holos.use.volumes.copy"
local err = require "holos.core.err"
local path = require "holos.core.path"
local project_ = require "holos.use.project"
local record_ = require "holos.run.record"
local units = require "holos.core.units"
local volume_change = require "holos.use.volumes.change"
local volumes = require "holos.use.volumes"

local M = {}

--- The project that gets a volume: a recorded one, or that of the file in reach, which then has a record.
---@return table context
---@return string name
function M.receiver(world, options, word)
  local ok, context, name = pcall(volumes.context, world, options, word, "volumes import")
  if ok then return context, name end
  if not err.is(context, "ENOPROJECT") then error(context, 0) end
  if word:find("/", 1, true) then error(context, 0) end -- another project than that of the file
  local is_loaded, from_file = pcall(project_.from_file, world, options, "volumes import")
  if not is_loaded then error(err.is(from_file, "ENOFILE") and context or from_file, 0) end
  return from_file, word
end

local function image(world, file, format)
  local full = path.absolute(file, world.host.working_directory())
  local stat = err.check(nil, world.fs.stat(full))
  local looked = base.look(world, full, format or check.format(full, nil, select(3, world.qcow2.info(full))), "--disk-format raw")
  if looked.error then
    err.raise { message = looked.error, code = "EINVAL", exit = 3, hint = "nothing was imported" }
  end
  return { path = full, format = looked.format, size_bytes = (looked.size_bytes + 511) // 512 * 512,
    allocated_bytes = math.min(stat.size_bytes, looked.size_bytes) }
end

local function grown(source, word)
  if not word then return nil end
  local bytes = volume_change.wanted_size(word, source.size_bytes)
  if bytes >= source.size_bytes then return bytes > source.size_bytes and bytes or nil end
  err.raise { message = ("the disk has %s, and --size says %s: it would be cut off"):format(
    units.write_bytes(source.size_bytes), units.write_bytes(bytes)), code = "ESHRINK", exit = 3 }
end

--- Makes a new volume out of a disk image.
---@param context table  as of `receiver`
---@return {size_bytes: integer}
function M.import(context, file, name, talk, tell)
  local world, options = context.world, context.options
  volumes.require_name(name)
  local source = image(world, file, options.disk_format)
  local more = { size_bytes = grown(source, options.size), limit_rate = options.limit_rate }
  local _held <close> = change.begin(context, talk)
  context.record = record_.load(world, context.state, context.name)
    or record_.new(context.name, context.project.directory, context.project.files)
  copy.require_free(context, name)
  copy.add(context, name, source, more, "importing " .. file, tell)
  return { size_bytes = more.size_bytes or source.size_bytes }
end

return M
