--- holos lua
local api = require "holos.script.api"
local err = require "holos.core.err"
local load_script = require "holos.script.load"

local M = {
  summary = "run a Lua file with the primitives (sys.*) and modules (holos.*) of this binary",
  arguments = {
    { name = "FILE", help = "the file" },
    { name = "ARGUMENT", optional = true, repeated = true, rest = true, help = "its arguments, as ... and in `arg`" },
  },
  options = {},
  bare = true, -- a script starts a scheduler of its own when it wants one
}

local MAX_BYTES = 16 << 20

function M.run(world, options)
  local file = table.remove(options.arguments, 1)
  local text = err.check(nil, world.fs.read(file, { max_bytes = MAX_BYTES }))
  local chunk, message = load_script.compile(text, file)
  if not chunk then err.raise { message = message, code = "ESYNTAX" } end
  _G.holos = api.table()
  _G.arg = { [0] = file, table.unpack(options.arguments) }
  local status = chunk(table.unpack(options.arguments))
  return math.type(status) == "integer" and status or 0
end

return M
