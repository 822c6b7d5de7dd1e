--- images export: an image of the store as a file, as it is or in the other format. Effects through run/*.
local block_work = require "holos.run.block_work"
local check = require "holos.image.check"
local copy_ = require "holos.run.copy"
local draft = require "holos.run.block.draft"
local err = require "holos.core.err"
local hash = require "holos.run.images.hash"
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
  local parent = world.fs.stat(path.parent(full))
  if not parent or parent.type ~= "directory" then
    err.raise { message = path.parent(full) .. " is no directory", code = "ENOTDIR", hint = "nothing was written" }
  end
  if path.is_beneath(full, state.root) then
    err.raise { message = full .. " is in the state directory", code = "EUSAGE", exit = 64, hint = "export to another place" }
  end
end

-- Free where it is remembered. What is damaged would be another image, and a good one, wherever it is imported.
local function require_right(world, state, image, options)
  local is_right, found = hash.is_right(world, state, image.path, image.digest, options.on_progress and function(done_bytes)
    options.on_progress { phase = "checking", done_bytes = done_bytes, total_bytes = image.size_bytes }
  end)
  if is_right then return end
  err.raise { message = ("%s is damaged: it has %s, and %s is wanted"):format(image.path, found, image.digest), code = "EDAMAGED",
    hint = "nothing was written; fetch or import that image again, and it is mended" }
end

-- QEMU reads and writes the two formats.
local function convert(world, image, made, options)
  block_work.copy(world, { program = err.check("QEMU", probe.find(world)),
    source = { { path = image.path, format = image.format } }, target = { path = made.path, format = made.format } },
    "exporting", options.on_progress)
end

local function copy(world, image, made, options)
  copy_.into(world, image.path, made.path, "exporting", options.on_progress and function(done_bytes, total_bytes)
    options.on_progress { phase = "copying", done_bytes = done_bytes, total_bytes = total_bytes }
  end)
end

--- Writes an image to a file, which has its name once it is whole: in the format that is asked for, else that the file's name
--- tells, else its own.
---@param image holos.Image
---@param options {format: string?, force: boolean?, on_progress: function?}
---@return string format
function M.run(world, state, image, file, options)
  draft.refuse_standard(file)
  local full = path.absolute(file, world.host.working_directory())
  require_target(world, state, full, options)
  require_right(world, state, image, options)
  local format = options.format or check.format_of_name(full) or image.format
  local is_copy = format == image.format -- which gets its size as it comes, and its header
  local made <close> = draft.beside(world, path.parent(full), { format = is_copy and "raw" or format,
    size_bytes = is_copy and 0 or image.virtual_bytes, what = "exporting" })
  local write = is_copy and copy or convert
  write(world, image, made, options)
  err.check("exporting", world.fs.chmod(made.path, FILE_MODE))
  made:commit(full, options.force)
  return format
end

return M
