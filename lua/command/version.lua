--- holos version
local out = require "holos.command.out"

local M = {
  summary = "show the version, and what the binary is made of",
  arguments = {},
  options = { { "--short", help = "the number only" } },
  bare = true, -- nothing is waited for
}

function M.run(world, options)
  local build = world.build
  if options.short then
    out.result(build.version)
    return 0
  end
  out.result(("holos %s (%s, build %s)"):format(build.version, build.architecture, build.id))
  for _, item in ipairs(build.libraries) do out.result(("  %s %s"):format(item.name, item.version)) end
  return 0
end

return M
