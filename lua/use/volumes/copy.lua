--- volumes clone and export: disks are copied by run/block_work. Effects through run/*; prints nothing.
local change = require "holos.use.change"
local check = require "holos.image.check"
local draft = require "holos.run.block.draft"
local err = require "holos.core.err"
local expired = require "holos.use.expired"
local journal = require "holos.run.journal"
local path = require "holos.core.path"
local record_ = require "holos.run.record"
local recorded = require "holos.use.recorded"
local room = require "holos.run.room"
local source_ = require "holos.use.volumes.source"
local volumes = require "holos.use.volumes"

local M = {}

-- A copy may need a little more than its source for tables.
local SLACK_BYTES = 16 << 20

--- Raises when a project has a volume of that name, or a file where it would be.
function M.require_free(context, name)
  if not context.world.fs.lstat(context.state:volume(context.name, name)) then return end
  err.raise { message = ("volume %s of %s exists; it is not overwritten"):format(name, context.name), code = "EEXIST", exit = 3,
    hint = "choose another name, or first: holos volumes rm " .. context.name .. "/" .. name }
end

--- A new volume out of a disk, in the record once it is whole.
---@param source table  {path, format, size_bytes, allocated_bytes, fs, live}
---@param more {size_bytes: integer?, limit_rate: integer?}  size_bytes: larger than the source
function M.add(context, name, source, more, what, tell)
  local world, state = context.world, context.state
  room.demand(world, state:volumes(context.name), source.allocated_bytes + SLACK_BYTES, "the copy")
  local made <close> = draft.in_state(world, state:volumes(context.name),
    { format = "qcow2", size_bytes = source.size_bytes, what = "volume " .. name })
  source_.copy(context, source, made, more, what, tell)
  if more.size_bytes then err.check("volume " .. name, world.qcow2.grow(made.path, more.size_bytes)) end
  -- First, so that nobody takes it for a new one when we are killed in between: guests format what is new.
  local entry = { size_bytes = more.size_bytes or source.size_bytes, fs = source.fs, is_copied = true }
  context.record.volumes[name] = entry
  record_.save(world, state, context.record, { is_intent = true })
  made:commit(state:volume(context.name, name))
  entry.made = true
  record_.save(world, state, context.record)
  journal.append(world, state, context.name, { type = "volume.created", volume = name })
end

-- -- clone ------------------------------------------------------------------------------------------------------------

--- Copies a volume to a new one of the same project.
---@param tell fun(progress: holos.BlockProgress)
---@return {size_bytes: integer, live: {name: string}?} source  live: the machine that ran meanwhile
function M.clone(context, from, to, talk, tell)
  volumes.require_name(to)
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  M.require_free(context, to)
  local source, _users <close> = source_.of(context, from, talk)
  expired.sweep(context, talk, context.record)
  M.add(context, to, source, context.options, ("cloning %s to %s"):format(from, to), tell)
  return source
end

-- -- export -----------------------------------------------------------------------------------------------------------

local function refuse(message, hint)
  err.raise { message = message, code = "EEXIST", exit = 3, hint = hint }
end

--- Where a volume is exported to, and as what: by the option, else the name, else qcow2.
function M.target(world, state, options, file)
  draft.refuse_standard(file)
  local full = path.absolute(file, world.host.working_directory())
  local stat = world.fs.lstat(full)
  if stat and stat.type ~= "file" then
    refuse(("%s is a %s, not a file"):format(file, stat.type), "name the file that is to be written")
  end
  if stat and not options.force then
    refuse(file .. " exists; nothing was written", "name another file, or --force to replace it once the new one is whole")
  end
  if path.is_beneath(full, state.root) then
    refuse(file .. " is in the state directory", "export it to another place, or holos volumes clone")
  end
  return { path = full, directory = path.parent(full), format = options.disk_format or check.format_of_name(full) or "qcow2" }
end

local function refuse_compressed_raw()
  err.raise { message = "a raw disk cannot be compressed", exit = 64, hint = "--disk-format qcow2, or leave --compress out" }
end

--- Writes a volume to a file, which appears once it is whole.
---@return {path: string, format: string, size_bytes: integer, file_bytes: integer, live: table?}
function M.export(context, name, file, talk, tell)
  local world, options = context.world, context.options
  local target = M.target(world, context.state, options, file)
  if options.compress and target.format == "raw" then refuse_compressed_raw() end
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  local source, _users <close> = source_.of(context, name, talk)
  if source.live or not options.compress then
    room.demand(world, target.directory, source.allocated_bytes + SLACK_BYTES, "the file")
  end
  local made <close> = draft.beside(world, target.directory,
    { format = target.format, size_bytes = source.size_bytes, what = "exporting " .. name })
  source_.copy(context, source, made, options, "exporting " .. name, tell)
  made:commit(target.path, options.force)
  local stat = err.check(nil, world.fs.stat(target.path))
  return { path = target.path, format = target.format, size_bytes = source.size_bytes, live = source.live,
    file_bytes = stat.allocated_bytes or stat.size_bytes }
end

return M
