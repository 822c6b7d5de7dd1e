--- Log files of instances: where their last lines begin, or those since a time; their lines. No more than a piece of a
--- file is ever in memory. Effects: reads; writes down when a file had grown how far, in a file beside it.
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

--- A line that is longer is given in parts.
M.PIECE_BYTES = 65536
--- Of the times of a log the later half is kept when they are more than this.
M.TIMES_BYTES = 65536
local NEWLINE, FILE_MODE = 10, tonumber("600", 8)

local function times_file(file) return (file:gsub("%.log$", "") .. ".times") end

--- Where the last `count` lines of a file begin.
---@return integer offset
function M.last_lines(world, file, count)
  local size = (world.fs.stat(file) or { size_bytes = 0 }).size_bytes
  if count == 0 then return size end
  local at = size
  while at > 0 do
    local from = math.max(0, at - M.PIECE_BYTES)
    local piece = world.fs.read_at(file, from, at - from) or ""
    for position = #piece, 1, -1 do
      if piece:byte(position) == NEWLINE and from + position < size then count = count - 1 end
      if count == 0 then return from + position end
    end
    at = from
    task.yield()
  end
  return 0
end

-- The beginning of the line that an offset is in.
local function line_at(world, file, offset)
  if offset == 0 then return 0 end
  local from = math.max(0, offset - M.PIECE_BYTES)
  local before = world.fs.read_at(file, from, offset - from) or ""
  return offset - #before:match("[^\n]*$")
end

--- Where the lines begin that came since `utc_ms`, as `stamp` was told: rather too early than too late, by a second while
--- somebody looked, by all that there is where nobody did.
---@return integer offset
function M.since(world, file, utc_ms)
  local stat = world.fs.stat(file)
  if not stat then return 0 end
  if stat.mtime_ns // 1000000 < utc_ms then return stat.size_bytes end
  local offset = 0
  local times = world.fs.read(times_file(file), { max_bytes = 2 * M.TIMES_BYTES }) or ""
  for at_ms, bytes in times:gmatch("(%d+) (%d+)\n") do
    if math.tointeger(at_ms) > utc_ms then break end
    offset = math.tointeger(bytes)
  end
  return line_at(world, file, math.min(offset, stat.size_bytes))
end

--- Writes down that a log had `bytes` at a time, and grew later. Its times are worth no failure.
function M.stamp(world, file, utc_ms, bytes)
  local times = times_file(file)
  world.fs.append(times, ("%d %d\n"):format(utc_ms, bytes), { mode = FILE_MODE })
  local stat = world.fs.stat(times)
  if not stat or stat.size_bytes <= M.TIMES_BYTES then return end
  local later = world.fs.tail(times, M.TIMES_BYTES // 2) or ""
  world.fs.write_atomic(times, later:match("\n(.*)$") or "", { mode = FILE_MODE, sync = false })
end

--- Forgets the times of a log that begins anew.
function M.forget(world, file) world.fs.remove(times_file(file)) end

--- Gives the lines from an offset up to where the file ends now, the last one also when it has not ended.
---@param emit fun(line: string)
---@return integer offset  of the end
function M.lines(world, file, offset, emit)
  local rest = ""
  repeat
    local piece = world.fs.read_at(file, offset, M.PIECE_BYTES) or ""
    offset = offset + #piece
    local whole, left = (rest .. piece):match("^(.*\n)([^\n]*)$")
    rest = left or rest .. piece
    for _, line in ipairs(text.lines(whole or "")) do emit(line) end
    if #rest >= M.PIECE_BYTES or piece == "" and rest ~= "" then
      emit(rest)
      rest = ""
    end
    task.yield()
  until piece == ""
  return offset
end

return M
