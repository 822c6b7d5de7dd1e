--- What is said while an image is made: a line for each step, and on a terminal what is done in it. Effects: writes to
--- standard error.
local out = require "holos.command.out"
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

local DEFAULT_COLUMNS = 80

local Talk = {}
Talk.__index = Talk

--- The talk of one image.
function M.new(world)
  local talk = setmetatable({ world = world, live = out.is_live(world) }, Talk)
  for _, name in ipairs { "step", "detail" } do
    talk[name] = function(...) return Talk[name](talk, ...) end
  end
  return talk
end

-- The line of the step that goes on, in the place of the one before. It must not wrap, or it could not be erased.
function Talk:draw(line)
  local width = self.world.tty.size(2) or DEFAULT_COLUMNS
  out.raw("\r\27[K" .. text.truncate(line, width - 1))
end

-- What has ended stands on the terminal, with the time that it took.
function Talk:finish(mark)
  if not self.title or not self.live then return end
  self:draw(("%s %s  %.1fs"):format(mark, self.title, (task.now_ms() - self.begun_ms) / 1000))
  out.raw "\n"
end

--- A step begins.
function Talk:step(title)
  self:finish "✔"
  self.title, self.begun_ms = text.escape_terminal(title), task.now_ms()
  if self.live then self:draw("· " .. self.title) else out.talk("· " .. self.title) end
end

--- What is done in the step now; nil says nothing of it.
function Talk:detail(what)
  if what and self.live and self.title then self:draw(("· %s: %s"):format(self.title, text.escape_terminal(what))) end
end

--- Ends the talk; called again, as when its scope is left by an error, it does nothing more.
---@param is_done boolean?  the last step has ended well
function Talk:close(is_done)
  self:finish(is_done == true and "✔" or "✘")
  self.title = nil
end
Talk.__close = Talk.close

return M
