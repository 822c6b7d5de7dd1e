--- init: a compose file to start from. Effects: looks for images, writes the file.
local environment = require "holos.use.environment"
local err = require "holos.core.err"
local files = require "holos.use.files"
local name_ = require "holos.compose.project_name"
local path = require "holos.core.path"
local paths = require "holos.compose.paths"
local project = require "holos.use.project"
local reference = require "holos.image.reference"
local replace = require "holos.run.replace"
local starter = require "holos.compose.starter"

local M = {}

M.NAME = "holos.yaml"
local FILE_MODE = tonumber("644", 8)
local FALLBACK_NAME = "my-stack"

-- Names of images in a directory.
local function images_in(world, directory)
  local names = {}
  for _, entry in ipairs(world.fs.list(directory) or {}) do
    local is_usable = reference.is_path(entry.name) and utf8.len(entry.name) and reference.parse(entry.name)
    local stat = is_usable and world.fs.stat(path.join(directory, entry.name))
    if stat and stat.type == "file" then names[#names + 1] = entry.name end
  end
  return names
end

-- Raises why an image that was asked for cannot be one. A name without a path is one when such a file is here.
local function require_usable(name, is_here)
  local named, message, hint = reference.parse((reference.is_path(name) or not is_here) and name or "./" .. name)
  if named then message = nil end
  if not utf8.len(name) then message = "its name is no UTF-8" end
  if not message then return end
  err.raise { message = "--image: " .. message, code = "EUSAGE", exit = 64, hint = hint }
end

--- Where an image is, as the loader will look for it.
function M.file_of(world, name) return paths.resolve(name, world.host.working_directory(), world.host.environ()) or name end

--- The image that the file is to name: what was asked for, else the only one that is here, else one that `up` fetches.
---@return {image: string, format: string?, is_name: boolean?}  `format` where the name does not tell it; is_name: no file
function M.image(world, asked)
  local here = world.host.working_directory()
  local found = images_in(world, here)
  local name = asked or #found == 1 and found[1] or nil
  if not name then return { image = starter.IMAGE, is_name = true } end
  local file = M.file_of(world, name)
  local is_here = world.fs.stat(file) ~= nil
  if asked then require_usable(name, is_here) end
  if not is_here and not reference.is_path(name) then return { image = name, is_name = true } end
  local is_known = not is_here or reference.format_of(name) or project.format_of(world, file)
  return { image = name, format = not is_known and "raw" or nil }
end

-- The file that is in the way; nil when there is none.
local function in_the_way(world, target, is_default)
  local names = is_default and files.FAMILIES[1].names or { target }
  for _, name in ipairs(names) do
    local file = path.absolute(name, world.host.working_directory())
    if world.fs.lstat(file) then return file, name end
  end
end

-- Gives what is there another name: what --force replaces is not lost.
local function set_aside(world, file)
  local number = 1
  while true do
    local kept = ("%s.%d.old"):format(file, number)
    local ok, message, code = world.fs.rename(file, kept, { replace = false })
    if ok then return environment.shown(world, kept) end
    if code ~= "EEXIST" then err.raise { message = message, code = code } end
    number = number + 1
  end
end

--- Refuses to write where a file is, unless it may be set aside; gives the name that it has then.
---@return string? kept
function M.make_room(world, target, options)
  local file, name = in_the_way(world, target, not options.output)
  if not file then return nil end
  if options.force then return set_aside(world, file) end
  err.raise { message = ("%s is here already; nothing was written"):format(name), code = "EEXIST", exit = 3,
    hint = "holos edit opens it · holos init --force keeps it under another name · -o FILE writes elsewhere" }
end

-- Where the file is to be: paths in it are seen from there.
local function directory_of(world, options)
  local here = world.host.working_directory()
  return options.output and options.output ~= "-" and path.parent(path.absolute(options.output, here)) or here
end

local function name_for(options, directory)
  local name = options.project_name or name_.derived(directory)
  return name_.is_valid(name) and name or FALLBACK_NAME
end

--- The text, and the image that it names.
function M.text(world, options)
  local chosen, directory, here = M.image(world, options.image), directory_of(world, options), world.host.working_directory()
  local image_path = chosen.image
  local is_seen_from_here = not chosen.is_name and not image_path:find("^~/")
  if is_seen_from_here and directory ~= here then image_path = path.absolute(image_path, here) end
  chosen.text = starter.text { name = name_for(options, directory), image = image_path, format = chosen.format,
    is_name = chosen.is_name }
  return chosen
end

-- What is found by a name of docker's is not looked for any more where there is a file of ours.
local function docker_notice(world, options)
  if options.output then return nil end
  for _, name in ipairs(files.FAMILIES[2].names) do
    if world.fs.stat(path.join(world.host.working_directory(), name)) then
      return ("%s is here too; without -f %s it is not read any more"):format(name, name)
    end
  end
end

--- Writes the file.
---@param options {image: string?, output: string?, force: boolean?, project_name: string?}
---@return {file: string, text: string, image: string, kept: string?, is_missing: boolean, notice: string?}
function M.run(world, options)
  local made, target, here = M.text(world, options), options.output or M.NAME, world.host.working_directory()
  local file = path.absolute(target, here)
  made.file, made.kept, made.notice = target, M.make_room(world, target, options), docker_notice(world, options)
  replace.create(world, file, made.text, FILE_MODE)
  made.is_missing = not made.is_name and world.fs.stat(M.file_of(world, made.image)) == nil
  return made
end

return M
