-- Pages that the binary writes are the pages that are there.
local host = require "sys.host"

local PAGES = { ["docs/cli.md"] = "markdown", ["docs/compose.md"] = "compose", ["docs/from-docker.md"] = "from-docker" }

for page, what in pairs(PAGES) do
  test(page .. " is what `holos gen " .. what .. "` writes", function()
    local file = assert(io.open(page, "rb"))
    local text = file:read("a")
    file:close()
    equal(run_tool({ host.executable(), "gen", what }).stdout, text)
  end)
end
