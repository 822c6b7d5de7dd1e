-- Pages that the binary writes are the pages that are there.
local host = require "sys.host"

test("the command reference is what `holos gen markdown` writes", function()
  local file = assert(io.open("docs/cli.md", "rb"))
  local text = file:read("a")
  file:close()
  equal(run_tool({ host.executable(), "gen", "markdown" }).stdout, text)
end)
