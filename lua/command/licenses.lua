--- holos licenses
local out = require "holos.command.out"

local M = {
  summary = "print the licences of everything that is linked into this binary",
  arguments = {},
  options = { { "--short", help = "names only" } },
  bare = true, -- nothing is waited for
}

function M.run(world, options)
  for _, item in ipairs(world.build.licenses()) do
    out.result(("%s %s: %s"):format(item.name, item.version, item.licence))
    if not options.short then out.result("\n" .. item.text) end
  end
  return 0
end

return M
