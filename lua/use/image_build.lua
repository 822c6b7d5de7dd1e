--- An image made on this machine by a recipe, put into the image store or a file. Effects: through run/*; prints nothing.
local build = require "holos.run.images.build"
local copy = require "holos.run.copy"
local draft = require "holos.run.block.draft"
local err = require "holos.core.err"
local path = require "holos.core.path"
local recipe_ = require "holos.image.recipe"
local room = require "holos.run.room"
local store = require "holos.run.images.store"
local store_ = require "holos.use.store"
local text = require "holos.core.text"
local units = require "holos.core.units"

local M = {}

local IMAGE_MODE = tonumber("644", 8)

local function usage(message, hint) err.raise { message = message, code = "EUSAGE", exit = 64, hint = hint } end

local function recipe_of(name)
  local recipe = name and recipe_.all[name]
  if recipe then return recipe end
  local names = recipe_.names()
  local near = name and text.nearest(name, names)
  usage(name and ("there is no recipe for %q"):format(name) or "build which image?",
    near and ("did you mean %s?"):format(near) or "there are recipes for " .. table.concat(names, ", "))
end

-- Nothing that is there is written over.
local function require_free(world, output)
  local file = path.absolute(output, world.host.working_directory())
  if not file:find("[^/]%.qcow2$") then
    usage(("-o %s: what is made is a qcow2 image"):format(output), "let its name end in .qcow2")
  end
  local parent = world.fs.stat(path.parent(file))
  if not parent or parent.type ~= "directory" then
    err.raise { message = ("%s: there is no such directory"):format(path.parent(file)), code = "ENOENT" }
  end
  if not world.fs.lstat(file) then return file end
  err.raise { message = ("%s is there already"):format(output), code = "EEXIST", exit = 3,
    hint = "name another file, or remove it" }
end

local function require_space(world, state, recipe)
  err.check("state directory", world.fs.mkdir_all(state.root, tonumber("700", 8)))
  room.demand(world, state.root, recipe.space_bytes, "making an image")
end

-- All that can be known before anything is done.
local function require_possible(world, state, name, recipe)
  local architecture = world.host.architecture()
  if not recipe.architectures[architecture] then
    err.raise { message = ("%s images are made on x86_64 only; this machine is %s"):format(name, architecture), code = "ENOTSUP" }
  end
  local missing = build.missing(world, recipe.tools)
  if #missing > 0 then
    local message, hint = recipe_.missing_words(name, missing, world.host.uid() == 0)
    err.raise { message = message, code = "ENOTOOL", hint = hint }
  end
  require_space(world, state, recipe)
end

-- The name of the image in the store: what was asked for, else the suite with a word that no publisher has.
local function names_of(world, name, options)
  local wanted = options.tag or ("%s:%s"):format(name, options.suite and options.suite .. "-local" or "local")
  local base, tag = store_.target(world, wanted)
  return base, tag
end

-- On another file system it is copied.
local function copy_into_file(world, made, file, talk)
  local part <close> = draft.beside(world, path.parent(file), { format = "raw", size_bytes = 0, what = "image" })
  talk.step("copying it to " .. path.parent(file))
  copy.into(world, made, part.path, "image", function(done_bytes) talk.detail(units.format_bytes(done_bytes)) end)
  err.check("image", world.fs.chmod(part.path, IMAGE_MODE))
  part:commit(file)
end

local function put_into_file(world, made, file, talk)
  local stat = err.check("image", world.fs.stat(made))
  err.check("image", world.fs.chmod(made, IMAGE_MODE))
  local moved, message, code = world.fs.rename(made, file, { sync = true, replace = false })
  if not moved and code == "EXDEV" then copy_into_file(world, made, file, talk) else err.check("image", moved, message, code) end
  return { path = file, size_bytes = stat.size_bytes }
end

local function put_into_store(world, state, made, recipe, name, tag, talk)
  local source = { kind = "built", pulled_at = world.clock.iso(world.clock.utc_ms()) }
  local lock = { on_wait = function(owner) talk.step(("waiting for the image store (held by %s)"):format(owner)) end }
  local image = store.add(world, state, made, { format = "qcow2", source = source, facts = recipe.facts, move = true,
    name = name, tag = tag, lock = lock })
  return { path = image.path, digest = image.digest, name = ("%s:%s"):format(name, tag), size_bytes = image.size_bytes }
end

--- Makes an image.
---@param state table    of run/state
---@param name string?   of the recipe
---@param options {suite: string?, mirror: string?, package: string[]?, emulated: boolean?, tag: string?, output: string?}
---@param talk {step: fun(title: string), detail: fun(text: string?)}
---@return {path: string, size_bytes: integer, name: string?, digest: string?} image
function M.run(world, state, name, options, talk)
  local recipe = recipe_of(name)
  local complaint = recipe_.complaint(options)
  if complaint then usage(complaint) end
  if options.tag and options.output then usage "-o makes a file without a name in the image store: leave --tag out" end
  local file = options.output and require_free(world, options.output)
  local base, tag = names_of(world, name, options)
  require_possible(world, state, name, recipe)
  local made <close> = build.run(world, state, recipe, recipe_.words(name, options), talk)
  if file then return put_into_file(world, made.file, file, talk) end
  return put_into_store(world, state, made.file, recipe, base, tag, talk)
end

return M
