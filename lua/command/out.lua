--- Results on standard output, talk on standard error; redrawing only where a person looks. Effects: writes.
local err = require "holos.core.err"

local M = {}

--- How to talk; main sets it from the global options: ansi = auto|always|never, progress = auto|tty|plain|quiet.
M.style = { ansi = "auto", progress = "auto" }

-- errno 32 is EPIPE on all Linux architectures. A process that ignores SIGPIPE ends as if it had not: 128 + 13.
local EPIPE, READER_GONE = 32, 141

--- Bytes of result, as they are. Raises when they cannot be written; quietly when the reader has gone away.
function M.bytes(bytes)
  local ok, message, number = io.stdout:write(bytes)
  if ok then ok, message, number = io.stdout:flush() end
  if ok then return end
  local is_gone = number == EPIPE
  err.raise { message = "standard output: " .. tostring(message), code = is_gone and "EPIPE" or "EIO",
    exit = is_gone and READER_GONE or 1, quiet = is_gone }
end

-- Talk is not worth failing for: a command goes on when nobody can read it any more.
local function tell(bytes)
  io.stderr:write(bytes)
  io.stderr:flush()
end

--- One line of result.
function M.result(line) M.bytes(line .. "\n") end

--- Lines of result, written at once.
function M.results(lines)
  if #lines > 0 then M.bytes(table.concat(lines, "\n") .. "\n") end
end

--- One line of talk.
function M.talk(line)
  if M.style.progress ~= "quiet" then tell(line .. "\n") end
end

--- A warning: talk that --progress quiet keeps.
function M.warn(line) tell("warning: " .. line .. "\n") end

--- A line about what went wrong; --progress quiet keeps it.
function M.error(line) tell(line .. "\n") end

--- All that there is to say of a failure: its findings, its message, hints.
---@param problem holos.Error
function M.failure(problem)
  for _, finding in ipairs(problem.findings or {}) do
    M.error(err.render_finding(finding))
    if finding.hint then M.error("    " .. finding.hint:gsub("\n", "\n    ")) end
  end
  M.error(problem.findings and problem.message .. "; nothing was changed." or "holos: " .. problem.message)
  if problem.hint then M.error("  " .. problem.hint:gsub("\n", "\n  ")) end
end

--- Bytes for the terminal as they are.
function M.raw(bytes) tell(bytes) end

--- Whether rows may be drawn over: a terminal on standard error, and nobody said otherwise.
function M.is_live(world)
  if M.style.progress == "tty" then return true end
  return M.style.progress == "auto" and M.style.ansi ~= "never" and world.tty.is_terminal(2)
    and world.host.env("TERM") ~= "dumb"
end

return M
