--- holos rmi
local out = require "holos.command.out"
local state_ = require "holos.use.state"
local store = require "holos.use.store"

local M = {
  summary = "remove images from the store; what machines or the trash rest on stays",
  arguments = { { name = "IMAGE", repeated = true, help = "names or digests; an image that has another name keeps that" } },
  options = {},
}

function M.run(world, options)
  local removed = store.remove(world, state_.locate(world, options), options.arguments, {
    on_wait = function(owner) out.talk(("waiting for the image store (held by %s)"):format(owner)) end })
  for _, text in ipairs(removed) do out.talk("removed " .. text) end
  return 0
end

return M
