--- Results on standard output, talk on standard error; colours and redrawing only where a person looks. Effects: writes.
local err = require "holos.core.err"

local M = {}

--- How to talk; main sets it from the global options: ansi = auto|always|never, progress = auto|tty|plain|quiet.
M.style = { ansi = "auto", progress = "auto" }

local function put(file, bytes)
  local ok, message = file:write(bytes)
  if ok then ok, message = file:flush() end
  if not ok then err.raise { message = tostring(message), code = "EPIPE", exit = 1 } end
end

--- One line of result.
function M.result(line) put(io.stdout, line .. "\n") end

--- One line of talk.
function M.talk(line)
  if M.style.progress ~= "quiet" then put(io.stderr, line .. "\n") end
end

--- A warning: talk that --progress quiet keeps.
function M.warn(line) put(io.stderr, "warning: " .. line .. "\n") end

--- Bytes for the terminal as they are.
function M.raw(bytes) put(io.stderr, bytes) end

--- Whether rows may be drawn over: a terminal on standard error, and nobody said otherwise.
function M.is_live(world)
  if M.style.progress == "tty" then return true end
  return M.style.progress == "auto" and M.style.ansi ~= "never" and world.tty.is_terminal(2)
    and world.host.env("TERM") ~= "dumb"
end

return M
