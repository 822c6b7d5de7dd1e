--- Progress of commands that change something: rows in place on a terminal, one line for each change elsewhere.
--- Effects: writes to standard error, when something happens and at no other time.
local lazy = require "holos.core.lazy"
local disk_progress = lazy "holos.command.progress"
local err = require "holos.core.err"
local out = require "holos.command.out"
local recorded = lazy "holos.use.recorded"
local render = lazy "holos.plan.render"
local table_ = require "holos.core.table"
local task = require "holos.core.task"
local text = require "holos.core.text"
local transfers = lazy "holos.command.transfers"
local units = require "holos.core.units"

local M = {}

-- What a terminal that does not know its size is taken for, and how far right the header's time stands.
local DEFAULT_COLUMNS, DEFAULT_LINES, HEADER_COLUMNS = 80, 24, 72

local Talk = {}
Talk.__index = Talk

--- What the talk of `verb` goes through.
---@param verb string    "up", "down", "stop", "start"
---@param context table?  of the project: what of it runs is told when the command is interrupted
function M.new(world, verb, context)
  local talk = setmetatable({ world = world, verb = verb, context = context, rows = {}, by_name = {}, drawn = 0,
    begun_ms = task.now_ms(), live = out.is_live(world) }, Talk)
  for _, name in ipairs { "notice", "warn", "planned", "on_start", "on_change", "on_end" } do
    talk[name] = function(...) return Talk[name](talk, ...) end
  end
  function talk.transfers() return transfers.new(world) end
  return talk
end

-- What guests say may hold anything.
local function one_line(said)
  return (text.escape_terminal(said):gsub("[\n\t]+", " "))
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

function Talk:header(width)
  local done = 0
  for _, row in ipairs(self.rows) do done = done + (row.mark == "✔" and 1 or 0) end
  local left = ("[+] %s %d/%d"):format(self.verb, done, #self.rows)
  local right = units.format_duration((task.now_ms() - self.begun_ms) // 100 * 100)
  return left .. (" "):rep(math.max(1, math.min(width, HEADER_COLUMNS) - #left - #right)) .. right
end

--- Rows that fit a screen: those at work first, then the last that ended; the others are counted.
local function fitting(rows, most)
  if #rows <= most then return rows, 0 end
  local chosen, count = {}, 0
  for _, at_work in ipairs { true, false } do
    for i = #rows, 1, -1 do
      if count < most - 1 and (rows[i].mark == "·") == at_work then chosen[i], count = true, count + 1 end
    end
  end
  local kept = {}
  for i, row in ipairs(rows) do kept[#kept + 1] = chosen[i] and row or nil end
  return kept, #rows - count
end

--- The rows as they are now, in the place of those drawn before. A line must not wrap, or they could not be erased.
function Talk:draw()
  if not self.live then return end
  local width, height = self.world.tty.size(2)
  if not width then width, height = DEFAULT_COLUMNS, DEFAULT_LINES end
  local rows, hidden = fitting(self.rows, math.max(2, height - 2))
  local cells = {}
  for i, row in ipairs(rows) do cells[i] = row_cells(row) end
  local lines = text.columns(cells)
  if hidden > 0 then lines[#lines + 1] = ("   … %d more"):format(hidden) end
  table.insert(lines, 1, self:header(width - 1))
  for i, line in ipairs(lines) do lines[i] = text.truncate(line, width - 1) end
  self:erase()
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
function Talk.planned(_, plan)
  if #plan.rows == 0 then return end
  for _, line in ipairs(render.plan(plan)) do out.talk(line) end
end

function Talk:row(action)
  local name = action.instance or action.service or "volume " .. action.volume
  local row = self.by_name[name]
  if not row then
    row = { name = name, mark = "·", text = "", steps = {}, begun_ms = task.now_ms(), instance = action.instance }
    self.by_name[name], self.rows[#self.rows + 1] = row, row
  end
  return row
end

local DOING = {
  ["instance.launch"] = "launching", ["instance.await"] = "booting", ["instance.stop"] = "stopping",
  ["instance.trash"] = "moving to the trash", ["disk.create"] = "creating disk", ["disk.grow"] = "growing disk",
  ["volume.create"] = "creating", ["volume.grow"] = "growing",
  ["volume.detach"] = "taking volumes out", ["instance.apply"] = "changing",
  ["instance.resume"] = "going on", ["instance.set_aside"] = "setting the old disk aside",
  ["rollout.monitor"] = "watched: is to stay well", ["rollout.back"] = "going back",
  ["instance.go_back"] = "going back to its old disk",
}

-- What is only written down.
local SILENT = { ["instance.settle"] = true, ["ports.close"] = true, ["rollout.wait"] = true,
  ["rollout.settle"] = true }

function Talk:show(row, said)
  if row.said == said then return end
  row.said = said
  if self.live then self:draw() else out.talk(("%s %s  %s"):format(row.mark, row.name, said)) end
end

function Talk:on_start(action)
  if SILENT[action.kind] then return end
  local row = self:row(action)
  if not DOING[action.kind] then return end
  row.text, row.mark = DOING[action.kind], "·"
  if self.live then self:draw() end
end

-- The step that a guest is at, and how long the one before took.
local function step_text(row, told)
  if row.step ~= told.step then
    local took = row.step and told.step == row.step + 1
      and ("  (step %d: %s)"):format(row.step, seconds(task.now_ms() - row.step_ms))
    row.step, row.step_ms = told.step, task.now_ms()
    row.step_text = ("step %d/%d %s%s"):format(told.step or 0, told.steps or 0, one_line(told.title or ""), took or "")
  end
  return row.step_text
end

-- How far a long reading is; elsewhere than on a terminal it is told now and then.
function Talk:reading(row, told)
  row.text = ("reading %s: %s"):format(one_line(told.path), disk_progress.words(told.progress))
  row.next_ms = row.next_ms or task.now_ms() + disk_progress.EVERY_MS
  if not self.live and task.now_ms() < row.next_ms then return end
  row.next_ms = task.now_ms() + disk_progress.EVERY_MS
  self:show(row, row.text)
end

--- What a guest reports while it is waited for, and what its launch waits for.
function Talk:on_change(instance, told)
  local row = self:row { instance = instance }
  if told.state == "reading" then return self:reading(row, told) end
  local said = told.state
  if told.state == "provisioning" then
    said = step_text(row, told)
  elseif told.state == "checking" or told.state == "post_start" or told.state == "pre_stop" then
    said = told.state .. ": " .. one_line(told.text or "")
  end
  if said == row.text then return end
  if told.state == "ready" or told.state == "provisioned" or told.state == "healthy" then
    row.steps[#row.steps + 1] = { what = told.state, after_ms = task.now_ms() - row.begun_ms }
  end
  row.text = said
  self:show(row, said)
end

function Talk:failed(row, problem)
  row.mark, row.text = "✘", one_line(tostring(problem))
  self:show(row, row.text)
  for _, line in ipairs(type(problem) == "table" and problem.log or {}) do
    self:line(out.talk, ("  %s | %s"):format(row.name, text.escape_terminal(line)))
  end
end

function Talk:on_end(action, ok, result, took_ms)
  if SILENT[action.kind] and ok then return end
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

-- How those that run are spoken of, by commands that go on with it when they are given again: one, several.
local AGAIN = { up = { "runs on", "run on" }, stop = { "still runs", "still run" } }
AGAIN.start, AGAIN.down = AGAIN.up, AGAIN.stop

-- What is so when a signal ends the command: nothing is taken back, and what is not done yet is left.
function Talk:standing()
  local running, others = recorded.running(self.context), {}
  for _, row in ipairs(self.rows) do
    if row.instance and not table_.index_of(running, row.name) then others[#others + 1] = row.name end
  end
  local words = table.concat(running, ", ") .. " " .. (AGAIN[self.verb] or AGAIN.up)[#running == 1 and 1 or 2]
  if #running == 0 then words = "nothing runs"
  elseif #others > 0 then words = ("%s, %s %s not"):format(words, table.concat(others, ", "), #others == 1 and "does" or "do") end
  return words .. (AGAIN[self.verb] and (" (holos %s goes on with it)"):format(self.verb) or "")
end

function Talk:__close(problem)
  self:close()
  if not self.context or not err.is(problem) or not problem.signal then return end
  local ok, words = pcall(self.standing, self) -- a record may be damaged: that is for the next command to tell
  problem.standing = ok and words or nil
end

return M
