--- holos prune
local ask = require "holos.command.ask"
local err = require "holos.core.err"
local out = require "holos.command.out"
local state_ = require "holos.use.state"
local store = require "holos.use.store"
local units = require "holos.core.units"

local M = {
  summary = "remove images that nothing rests on and that can be fetched again, and what is left of downloads",
  arguments = {},
  options = {
    { "--all", help = "also images with a name; they are fetched again when they are needed" },
    { "--dry-run", help = "list what would go, and remove nothing" },
    { "-y", "--yes", help = "do not ask" },
  },
}

local function name_of(image) return image.tags[1] or image.digest:sub(1, 19) end

local function list(images, files, kept, gone)
  local bytes = 0
  for _, item in ipairs(gone) do out.result(item.shown .. "  its image is gone") end
  for _, image in ipairs(images) do
    out.result(("%s  %s"):format(name_of(image), units.format_bytes(image.size_bytes)))
    bytes = bytes + image.size_bytes
  end
  for _, file in ipairs(files) do out.result(file) end
  for _, item in ipairs(kept) do out.talk(("kept %s: %s"):format(name_of(item.image), item.reason)) end
  return bytes
end

-- Whether it may go; raises where nobody can be asked.
local function is_wanted(world, options, images, count)
  if options.yes then return true end
  local what = ("this removes %d images and %d other files"):format(images, count)
  -- No is what an empty line means, and the end of input.
  if ask.is_possible(world) then return ask.letter(world, what .. ": [y]es, or [N]o?", "nyn") == "y" end
  err.raise { message = what, code = "ECONSENT", exit = 3,
    hint = "say so: holos prune --yes" .. (options.all and " --all" or "") }
end

function M.run(world, options)
  local state = state_.locate(world, options)
  local images, files, kept, gone = store.prunable(world, state, options)
  local bytes = list(images, files, kept, gone)
  if #images + #files + #gone == 0 then
    out.talk("nothing to remove")
  elseif options.dry_run then
    return 0
  elseif not is_wanted(world, options, #images, #files + #gone) then
    out.talk("nothing was removed")
  else
    store.prune(world, state, images, files, gone, {
      on_wait = function(owner) out.talk(("waiting for the image store (held by %s)"):format(owner)) end })
    out.talk(("%s freed"):format(units.format_bytes(bytes)))
  end
  return 0
end

return M
