--- Lua files that users name: the only place that turns text into code. Pure.
local err = require "holos.core.err"

local M = {}

--- Compiles `text`; errors and tracebacks name `path`.
---@return function? chunk
---@return string? message  "path:line: reason"
function M.compile(text, path, environment)
  return load(text, "@" .. path, "t", environment or _G)
end

-- -- data -------------------------------------------------------------------------------------------------------------

--- What a file of data may do until it has given its value.
M.INSTRUCTIONS, M.MEMORY_KIB = 1000000, 16 << 10

-- Counts every instruction, as one alone may double a text. What is said is made before: texts have no methods then.
local function bound(path)
  local too_long = err.new { code = "EBOUND", message = ("%s: computes for too long (%d instructions)"):format(path,
    M.INSTRUCTIONS) }
  local too_large = err.new { code = "EBOUND", message = ("%s: takes too much memory (%d MiB)"):format(path, M.MEMORY_KIB >> 10) }
  local done, most_kib = 0, collectgarbage "count" + M.MEMORY_KIB
  return function()
    done = done + 1
    local problem = done > M.INSTRUCTIONS and too_long or collectgarbage "count" > most_kib and too_large
    if not problem then return end
    debug.sethook()
    error(problem, 0)
  end
end

-- Texts have no methods: ("x"):rep(n) and a pattern are one instruction, however long they take.
local function bare(path)
  local texts, hook, mask, count = getmetatable "", debug.gethook()
  local methods = texts.__index
  local guard <const> = setmetatable({}, { __close = function()
    texts.__index = methods
    debug.sethook(hook, mask, count)
  end })
  debug.sethook(bound(path), "", 1)
  texts.__index = nil
  return guard
end

--- The value that a file of data gives: nothing is in reach there, and neither time nor memory without bound.
---@return boolean is_ok
---@return any value  else what is wrong: a text, or an error object
function M.data(text, path)
  local chunk, message = M.compile(text, path, {})
  if not chunk then return false, message end
  local _guard <close> = bare(path)
  return pcall(chunk)
end

return M
