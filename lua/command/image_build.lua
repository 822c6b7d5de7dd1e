--- holos images build
local build = require "holos.use.image_build"
local image_talk = require "holos.command.image_talk"
local out = require "holos.command.out"
local task = require "holos.core.task"
local units = require "holos.core.units"

local M = {}

--- Makes an image, and says what it is called or where it is.
---@param state table   of run/state
---@param name string?  of the recipe
---@param options table output, tag, suite, mirror, package, emulated, as given
function M.run(world, state, options, name)
  local begun_ms = task.now_ms()
  local talk <close> = image_talk.new(world)
  local image = build.run(world, state, name, options, talk)
  talk:close(true)
  out.talk(("%s%s, made in %s"):format(units.format_bytes(image.size_bytes), image.digest and ", " .. image.digest or "",
    units.format_duration((task.now_ms() - begun_ms) // 1000 * 1000)))
  out.result(image.name or image.path)
end

return M
