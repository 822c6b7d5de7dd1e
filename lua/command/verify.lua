--- holos verify
local out = require "holos.command.out"
local state_ = require "holos.use.state"
local store = require "holos.use.store"
local text = require "holos.core.text"

local M = {
  summary = "hash images of the store, to see that each is what it was",
  arguments = { { name = "IMAGE", optional = true, repeated = true, help = "names or digests; none means all" } },
  options = {},
}

function M.run(world, options)
  local state, count = state_.locate(world, options), 0
  local wrong, problems = store.verify(world, state, options.arguments, { on_image = function(image, problem)
    count = count + 1
    out.result(("%s  %s  %s"):format(problem and "DAMAGED" or "ok", image.digest, table.concat(image.tags, " ")))
    if problem then out.error(("%s %s"):format(image.path, problem)) end
  end })
  for _, problem in ipairs(problems) do out.error(text.escape_terminal(problem)) end
  out.talk(wrong == 0 and ("%d %s as %s"):format(count, count == 1 and "image is" or "images are", count == 1 and "it was"
    or "they were") or ("%d to see to; fetching or importing the same image again mends it"):format(wrong))
  return wrong > 0 and 1 or 0
end

return M
