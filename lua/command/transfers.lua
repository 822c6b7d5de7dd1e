--- Downloads as they go: rows in place on a terminal, a line at the beginning and the end elsewhere. Effects: writes to
--- standard error.
local out = require "holos.command.out"
local task = require "holos.core.task"
local text = require "holos.core.text"
local units = require "holos.core.units"

local M = {}

local TOLD_WAIT_MS <const> = 2000 -- a line for each shorter pause would be noise
local DEFAULT_COLUMNS, BAR_COLUMNS <const>, REDRAW_MS <const> = 80, 20, 100

local Transfers = {}
Transfers.__index = Transfers

--- What a pull talks through: say, progress, done, failed.
function M.new(world)
  local made = setmetatable({ world = world, rows = {}, by_name = {}, drawn = 0, live = out.is_live(world), drawn_ms = 0 },
    Transfers)
  for _, name in ipairs { "say", "progress", "done", "failed", "waiting" } do
    made[name] = function(...) return Transfers[name](made, ...) end
  end
  return made
end

--- "326 MiB from cloud.debian.org", or what is known of that.
local function of_what(at)
  local size = at.total_bytes and units.format_bytes(at.total_bytes) or at.done_bytes and units.format_bytes(at.done_bytes)
  return (size or "") .. (at.host and " from " .. at.host or "")
end

local function bar(at)
  local total = at.total_bytes
  if not total or total == 0 then return "" end
  local full = math.min(BAR_COLUMNS, at.done_bytes * BAR_COLUMNS // total)
  return ("█"):rep(full) .. ("░"):rep(BAR_COLUMNS - full)
end

local function speed(at)
  if not at.bytes_per_s or at.bytes_per_s == 0 then return "" end
  local left = at.eta_ms and "  " .. units.format_duration(at.eta_ms // 1000 * 1000) or ""
  return units.format_bytes(at.bytes_per_s) .. "/s" .. left
end

-- One line; the reason may be what a server says.
local function wait_of(at)
  return ("tries again in %s: %s"):format(units.format_duration(at.for_ms), (text.escape_terminal(at.why):gsub("%s", " ")))
end

local function cells(row)
  local at = row.at
  if row.text then return { ("%s image %s"):format(row.mark, row.name), row.text } end
  if at.phase == "waiting" then return { "[+] image " .. row.name, of_what(at), bar(at), wait_of(at) } end
  if at.phase == "checking" or at.phase == "copying" then
    return { "[+] image " .. row.name, of_what(at), bar(at), at.phase }
  end
  return { "[+] image " .. row.name, of_what(at), bar(at), speed(at) }
end

function Transfers:erase()
  if self.drawn > 0 then out.raw(("\27[%dA\27[J"):format(self.drawn)) end
  self.drawn = 0
end

--- The rows as they are now, in the place of those drawn before; a line must not wrap, or they could not be erased.
function Transfers:draw()
  if not self.live or #self.rows == 0 then return end
  local width = self.world.tty.size(2) or DEFAULT_COLUMNS
  local lines = {}
  for i, row in ipairs(self.rows) do lines[i] = cells(row) end
  lines = text.columns(lines)
  for i, line in ipairs(lines) do lines[i] = text.truncate(line, width - 1) end
  self:erase()
  out.raw(table.concat(lines, "\n") .. "\n")
  self.drawn, self.drawn_ms = #lines, task.now_ms()
end

--- A line above the rows. What servers say may be in it.
function Transfers:say(line)
  self:erase()
  out.talk((text.escape_terminal(line)))
  self:draw()
end

--- Somebody else holds the image store.
function Transfers:waiting(owner) Transfers.say(self, ("waiting for the image store (held by %s)"):format(owner)) end

function Transfers:row(name)
  local row = self.by_name[name]
  if not row then
    row = { name = name, at = {} }
    self.by_name[name], self.rows[#self.rows + 1] = row, row
  end
  return row
end

--- How far one is: of run/http, or {phase = "copying"|"checking", done_bytes, total_bytes}.
function Transfers:progress(name, at)
  local row = self:row(name)
  local is_new = not row.is_told and at.host
  if at.phase == "waiting" and not self.live and at.for_ms >= TOLD_WAIT_MS then
    out.talk(("image %s  %s"):format(name, wait_of(at)))
  end
  at.host, row.at = at.host or row.at.host, at
  if is_new and not self.live then out.talk(("image %s  %s"):format(name, of_what(at))) end
  row.is_told = row.is_told or is_new
  if self.live and (is_new or task.now_ms() - self.drawn_ms >= REDRAW_MS) then self:draw() end
end

local function ended(self, name, mark, line)
  local row = self:row(name)
  row.mark, row.text = mark, line
  if self.live then return self:draw() end
  out.talk(("%s image %s  %s"):format(mark, name, line))
end

local HOW = { pulled = "pulled", present = "is here already", unchanged = "is up to date" }

--- One is in the store.
---@param how "pulled"|"present"|"unchanged"
function Transfers:done(name, image, how)
  local signed = image.source.is_signed and ", signed" or ""
  ended(self, name, "✔", ("%s  %s  %s%s"):format(HOW[how],
    units.format_bytes(image.size_bytes), image.digest:sub(1, #"sha256:" + 12), signed))
end

--- One could not be had, and why.
---@return boolean is_told  so that nobody says it again
function Transfers:failed(name, problem)
  ended(self, name, "✘", (text.escape_terminal(problem.message):gsub("\n", " ")))
  return true
end

return M
