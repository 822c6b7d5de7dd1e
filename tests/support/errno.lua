--- Which errors the calls of a program may meet: a full or broken disk, no descriptors left, a signal.
local crash = require "tests.support.crash"

local M = {}

local OPEN, WRITE, RENAME = { "ENOSPC", "EIO", "EMFILE", "EINTR" }, { "ENOSPC", "EIO", "EINTR" }, { "ENOSPC", "EIO" }
local READ = { { "EIO" }, { "EMFILE" }, { "EINTR" } } -- there are many opens for reading; they take turns
local ERRORS = { open = OPEN, openat = OPEN, write = WRITE, writev = WRITE, pwrite64 = WRITE, rename = RENAME,
  renameat = RENAME, renameat2 = RENAME }

--- The calls that may fail.
M.CALLS = { "?open", "openat", "write", "writev", "pwrite64", "?rename", "renameat", "?renameat2" }
M.IN_A_SAMPLE = 12

-- What a test's own way of loading Lua opens is not meant.
local function errors_at(point)
  if point.line:find("%.lua\"") then return {} end
  if point.line:find("O_RDONLY", 1, true) then return READ[point.n % #READ + 1] end
  return ERRORS[point.call]
end

--- Points with an error each, all or a sample.
---@param calls {call: string, n: integer, line: string}[]  as crash.points gives them
function M.points(calls)
  local points = {}
  for _, point in ipairs(calls) do
    for _, name in ipairs(errors_at(point)) do
      points[#points + 1] = { call = point.call, n = point.n, line = point.line, name = name }
    end
  end
  return crash.sampled(points, M.IN_A_SAMPLE)
end

return M
