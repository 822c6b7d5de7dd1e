--- Progress of commands that change something: rows in place on a terminal, one line for each change elsewhere.
--- Effects: writes to standard error, when something happens and at no other time.
local out = require "holos.command.out"
local render = require "holos.plan.render"
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

local Talk = {}
Talk.__index = Talk

--- What the talk of `verb` goes through.
---@param verb string  "up", "down", "stop", "start"
function M.new(world, verb)
  local talk = setmetatable({ verb = verb, rows = {}, by_name = {}, drawn = 0, begun_ms = task.now_ms(),
    live = out.is_live(world) }, Talk)
  for _, name in ipairs { "notice", "warn", "planned", "on_start", "on_change", "on_end" } do
    talk[name] = function(...) return Talk[name](talk, ...) end
  end
  return talk
end

local function seconds(duration_ms) return ("%.1fs"):format(duration_ms / 1000) end

--- "✔ db-0  healthy  boot 6.1s · provisioned 41.0s"
local function row_cells(row)
  local steps = {}
  for i, step in ipairs(row.steps) do steps[i] = ("%s %s"):format(step.what, seconds(step.after_ms)) end
  return { " " .. row.mark .. " " .. row.name, row.text, table.concat(steps, " · ") }
end

function Talk:erase()
  if self.drawn > 0 then out.raw(("\27[%dA\27[J"):format(self.drawn)) end
  self.drawn = 0
end

function Talk:draw()
  if not self.live then return end
  self:erase()
  local cells, done = {}, 0
  for i, row in ipairs(self.rows) do
    cells[i] = row_cells(row)
    done = done + (row.mark == "✔" and 1 or 0)
  end
  local lines = text.columns(cells)
  table.insert(lines, 1, ("[+] %s %d/%d"):format(self.verb, done, #self.rows))
  out.raw(table.concat(lines, "\n") .. "\n")
  self.drawn = #lines
end

--- A line above the rows.
function Talk:line(write, line)
  self:erase()
  write(line)
  self:draw()
end

function Talk:notice(line) self:line(out.talk, line) end
function Talk:warn(line) self:line(out.warn, line) end

--- The plan that is about to be carried out.
function Talk:planned(plan)
  if #plan.rows == 0 then return end
  for _, line in ipairs(render.plan(plan)) do out.talk(line) end
end

function Talk:row(action)
  local name = action.instance or "volume " .. action.volume
  local row = self.by_name[name]
  if not row then
    row = { name = name, mark = "·", text = "", steps = {}, begun_ms = task.now_ms() }
    self.by_name[name], self.rows[#self.rows + 1] = row, row
  end
  return row
end

local DOING = { ["instance.launch"] = "launching", ["instance.stop"] = "stopping", ["instance.trash"] = "moving to the trash",
  ["disk.create"] = "creating disk", ["disk.grow"] = "growing disk", ["volume.create"] = "creating" }

function Talk:show(row, said)
  if row.said == said then return end
  row.said = said
  if self.live then self:draw() else out.talk(("%s %s  %s"):format(row.mark, row.name, said)) end
end

function Talk:on_start(action)
  local row = self:row(action)
  if not DOING[action.kind] then return end
  row.text, row.mark = DOING[action.kind], "·"
  if self.live then self:draw() end
end

--- What a guest reports while it is waited for.
function Talk:on_change(instance, told)
  local row = self:row { instance = instance }
  local said = told.state
  if told.state == "provisioning" then
    said = ("step %d/%d %s"):format(told.step or 0, told.steps or 0, text.escape_terminal(told.title or ""))
  elseif told.state == "checking" then
    said = "checking: " .. text.escape_terminal(told.text or "")
  end
  if said == row.text then return end
  if told.state == "ready" or told.state == "provisioned" or told.state == "healthy" then
    row.steps[#row.steps + 1] = { what = told.state, after_ms = task.now_ms() - row.begun_ms }
  end
  row.text = said
  self:show(row, said)
end

function Talk:failed(row, problem)
  row.mark = "✘"
  self:show(row, tostring(problem))
  for _, line in ipairs(type(problem) == "table" and problem.log or {}) do
    self:line(out.talk, ("  %s | %s"):format(row.name, text.escape_terminal(line)))
  end
end

function Talk:on_end(action, ok, result, took_ms)
  local row = self:row(action)
  if not ok then
    if type(result) == "table" and result.code == "ECANCELED" then return end
    return self:failed(row, result)
  end
  row.mark, row.text = "✔", result
  self:show(row, ("%s  %s"):format(result, seconds(took_ms)))
end

--- Ends the talk: what stands on the terminal stays.
function Talk:close()
  if self.closed then return end
  self.closed = true
  self:draw()
  self.drawn = 0
end
Talk.__close = Talk.close

return M
