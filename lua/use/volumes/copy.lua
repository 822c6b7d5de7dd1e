--- volumes clone, export and import: disks are copied by run/block_work. Effects through run/*; prints nothing.
local base = require "holos.run.base"
local block_work = require "holos.run.block_work"
local change = require "holos.use.change"
local check = require "holos.image.check"
local draft = require "holos.run.block.draft"
local err = require "holos.core.err"
local expired = require "holos.use.expired"
local journal = require "holos.run.journal"
local path = require "holos.core.path"
local probe = require "holos.run.probe"
local project_ = require "holos.use.project"
local record_ = require "holos.run.record"
local recorded = require "holos.use.recorded"
local units = require "holos.core.units"
local volume_change = require "holos.use.volumes.change"
local volumes = require "holos.use.volumes"

local M = {}

-- A copy may need a little more than its source for tables.
local SLACK_BYTES = 16 << 20

local function program(world) return (err.check("QEMU", probe.find(world))) end

--- Raises when there is no room for a copy, before it begins.
local function require_room(world, directory, wanted_bytes, what)
  local space = world.fs.space(directory)
  if not space or space.free_bytes >= wanted_bytes + SLACK_BYTES then return end
  err.raise { message = ("%s may take %s, and %s has %s left"):format(what, units.format_bytes(wanted_bytes), directory,
    units.format_bytes(space.free_bytes)), code = "ENOSPC", hint = "nothing was written" }
end

local function copy(context, source, made, more, what, tell)
  block_work.copy(context.world, { program = program(context.world), uid = context.record.leases.uid, source = { source },
    target = { path = made.path, format = made.format }, compress = more.compress, bytes_per_s = more.limit_rate }, what, tell)
end

-- A volume that nobody writes to, as long as the scope lasts.
local function still(context, name, talk)
  local row = volumes.one(context, name)
  local held = volume_change.hold_users(context, talk, { row })
  local ok, problem = pcall(function()
    row = volumes.one(context, name)
    if row.state == "damaged" then err.raise { message = ("volume %s: %s"):format(name, row.problem), code = "EDAMAGED" } end
    volume_change.refuse_running(context, row, "be copied")
  end)
  if ok then return row, held end
  getmetatable(held).__close()
  error(problem, 0)
end

local function require_free(context, name)
  if not context.world.fs.lstat(context.state:volume(context.name, name)) then return end
  err.raise { message = ("volume %s of %s exists; it is not overwritten"):format(name, context.name), code = "EEXIST", exit = 3,
    hint = "choose another name, or first: holos volumes rm " .. context.name .. "/" .. name }
end

-- A new volume out of `source`, in the record once it is whole.
local function add(context, name, source, more, what, tell)
  local world, state = context.world, context.state
  require_room(world, state:volumes(context.name), source.allocated_bytes, "the copy")
  local made <close> = draft.in_state(world, state:volumes(context.name),
    { format = "qcow2", size_bytes = source.size_bytes, what = "volume " .. name })
  copy(context, source, made, more, what, tell)
  if more.size_bytes then err.check("volume " .. name, world.qcow2.grow(made.path, more.size_bytes)) end
  made:commit(state:volume(context.name, name))
  context.record.volumes[name] = { size_bytes = more.size_bytes or source.size_bytes, made = true, fs = source.fs }
  record_.save(world, state, context.record)
  journal.append(world, state, context.name, { type = "volume.created", volume = name })
end

local function source_of(row, entry)
  return { path = row.path, format = row.format, size_bytes = row.size_bytes, allocated_bytes = row.allocated_bytes,
    fs = entry and entry.fs }
end

-- -- clone ------------------------------------------------------------------------------------------------------------

--- Copies a volume to a new one of the same project.
---@param tell fun(progress: holos.BlockProgress)
function M.clone(context, from, to, talk, tell)
  volumes.require_name(to)
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  require_free(context, to)
  local row, _users <close> = still(context, from, talk)
  expired.sweep(context, talk, context.record)
  add(context, to, source_of(row, context.record.volumes[from]), context.options,
    ("cloning %s to %s"):format(from, to), tell)
  return row
end

-- -- export -----------------------------------------------------------------------------------------------------------

--- Where a volume is exported to, and as what: by the option, else the name, else qcow2.
function M.target(world, options, file)
  local full = path.absolute(file, world.host.working_directory())
  local stat = world.fs.lstat(full)
  if stat and stat.type ~= "file" then
    err.raise { message = ("%s is a %s, not a file"):format(file, stat.type), code = "EEXIST", exit = 3,
      hint = "name the file that is to be written" }
  end
  if stat and not options.force then
    err.raise { message = file .. " exists; nothing was written", code = "EEXIST", exit = 3,
      hint = "name another file, or --force to replace it once the new one is whole" }
  end
  return { path = full, directory = path.parent(full), format = options.disk_format or check.format_of_name(full) or "qcow2" }
end

local function refuse_compressed_raw()
  err.raise { message = "a raw disk cannot be compressed", exit = 64, hint = "--disk-format qcow2, or leave --compress out" }
end

--- Writes a volume to a file, which appears once it is whole.
---@return {path: string, format: string, size_bytes: integer, file_bytes: integer}
function M.export(context, name, file, talk, tell)
  local world, options = context.world, context.options
  local target = M.target(world, options, file)
  if options.compress and target.format == "raw" then refuse_compressed_raw() end
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  local row, _users <close> = still(context, name, talk)
  if not options.compress then require_room(world, target.directory, row.allocated_bytes, "the file") end
  local made <close> = draft.beside(world, target.directory,
    { format = target.format, size_bytes = row.size_bytes, what = "exporting " .. name })
  copy(context, source_of(row), made, options, "exporting " .. name, tell)
  made:commit(target.path, options.force)
  local stat = err.check(nil, world.fs.stat(target.path))
  return { path = target.path, format = target.format, size_bytes = row.size_bytes,
    file_bytes = stat.allocated_bytes or stat.size_bytes }
end

-- -- import -----------------------------------------------------------------------------------------------------------

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
  local looked = base.look(world, full, format or check.format(full, nil, select(3, world.qcow2.info(full))))
  if looked.error then
    err.raise { message = looked.error, code = "EINVAL", exit = 3, hint = "nothing was imported" }
  end
  local stat = err.check(nil, world.fs.stat(full))
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
  require_free(context, name)
  add(context, name, source, more, "importing " .. file, tell)
  return { size_bytes = more.size_bytes or source.size_bytes }
end

return M
