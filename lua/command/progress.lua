--- How far a long job is: drawn over in place on a terminal, a line now and then elsewhere. Effects: writes.
local out = require "holos.command.out"
local task = require "holos.core.task"
local text = require "holos.core.text"
local units = require "holos.core.units"

local M = {}

--- Elsewhere than on a terminal: the first line after so long, and then one each.
M.EVERY_MS = 10000
local DEFAULT_COLUMNS = 80

--- "45%, 1.2 GiB of 2.7 GiB, 210 MiB/s, 8s left"
---@param progress {done_bytes: integer, total_bytes: integer?, bytes_per_s: integer?, eta_ms: integer?}
function M.words(progress)
  local done, total = progress.done_bytes, progress.total_bytes
  local words = {}
  if total and total > 0 then words[1] = ("%d%%"):format(math.min(100, done * 100 // total)) end
  words[#words + 1] = units.format_bytes(done) .. (total and total > 0 and " of " .. units.format_bytes(total) or "")
  if (progress.bytes_per_s or 0) > 0 then words[#words + 1] = units.format_bytes(progress.bytes_per_s) .. "/s" end
  if progress.eta_ms and done < (total or 0) then
    words[#words + 1] = units.format_duration((progress.eta_ms + 999) // 1000 * 1000) .. " left"
  end
  return table.concat(words, ", ")
end

local Line = {}
Line.__index = Line

--- A line for one job; what was drawn is erased when its scope is left.
---@param title string  "exporting data"
---@return table line  line.tell(progress)
function M.new(world, title)
  local line = setmetatable({ world = world, title = title, live = out.is_live(world),
    next_ms = task.now_ms() + M.EVERY_MS }, Line)
  line.tell = function(progress) line:show(progress) end
  return line
end

function Line:show(progress)
  local words = ("%s  %s"):format(self.title, M.words(progress))
  if self.live then
    local width = self.world.tty.size(2) or DEFAULT_COLUMNS
    out.raw("\r\27[K" .. text.truncate(words, width - 1))
    self.is_drawn = true
  elseif task.now_ms() >= self.next_ms then
    out.talk(words)
    self.next_ms = task.now_ms() + M.EVERY_MS
  end
end

function Line:close()
  if self.is_drawn then out.raw("\r\27[K") end
  self.is_drawn = false
end
Line.__close = Line.close

return M
