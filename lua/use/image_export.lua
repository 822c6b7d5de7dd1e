--- images export: an image of the store as a file, as it is or in the other format. Effects through run/*.
local block_work = require "holos.run.block_work"
local check = require "holos.image.check"
local draft = require "holos.run.block.draft"
local err = require "holos.core.err"
local path = require "holos.core.path"
local probe = require "holos.run.probe"

local M = {}

local FILE_MODE = tonumber("644", 8)

local function require_target(world, state, full, options)
  local stat = world.fs.lstat(full)
  if stat and stat.type ~= "file" then
    err.raise { message = ("%s is a %s, not a file"):format(full, stat.type), code = "EEXIST", exit = 3 }
  end
  if stat and not options.force then
    err.raise { message = full .. " is there; it is not overwritten", code = "EEXIST", exit = 3, hint = "--force replaces it" }
  end
  if path.is_beneath(full, state.root) then
    err.raise { message = full .. " is in the state directory", code = "EUSAGE", exit = 64, hint = "export to another place" }
  end
end

-- QEMU reads and writes the two formats; the file has its name once it is whole.
local function convert(world, image, full, format, options)
  local made <close> = draft.beside(world, path.parent(full),
    { format = format, size_bytes = image.virtual_bytes, what = "exporting" })
  block_work.copy(world, { program = err.check("QEMU", probe.find(world)),
    source = { { path = image.path, format = image.format } }, target = { path = made.path, format = format } },
    "exporting", options.on_progress)
  err.check("exporting", world.fs.chmod(made.path, FILE_MODE))
  made:commit(full, options.force)
end

--- Writes an image to a file: in the format that is asked for, else that the file's name tells, else its own.
---@param image holos.Image
---@param options {format: string?, force: boolean?, on_progress: function?}
---@return string format
function M.run(world, state, image, file, options)
  local full = path.absolute(file, world.host.working_directory())
  require_target(world, state, full, options)
  local format = options.format or check.format_of_name(full) or image.format
  if format ~= image.format then
    convert(world, image, full, format, options)
  else
    err.check("exporting", world.fs.copy(image.path, full, { mode = FILE_MODE }))
  end
  return format
end

return M
