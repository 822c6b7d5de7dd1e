--- The command line. Effects: prints the version.

local build = require "sys.build"

return function(_)
  print(("holos %s (%s, build %s)"):format(build.version, build.architecture, build.id))
  return 0
end
