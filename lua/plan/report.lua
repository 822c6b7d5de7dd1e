--- What a guest says on its report port, as state. Pure; the lines are a stranger's: what is not understood is passed
--- over, what is kept is bounded and made harmless.
local text = require "holos.core.text"

local M = {}

local LOG_LINES, LINE_BYTES = 20, 400
--- Of a longer report only so much of the end is read.
M.MAX_BYTES = 1 << 20

local RANK = { booting = 1, ready = 2, provisioning = 3, provisioned = 4 }

local readers = {}

-- A guest that reboots by itself begins anew.
function readers.boot() return { state = "booting", log = {} } end

function readers.ready(told)
  if told.state == "booting" then told.state = "ready" end
end

function readers.step(told, rest)
  local step, steps, title = rest:match("^(%d%d?%d?%d?) (%d%d?%d?%d?) (.+)$")
  step, steps = tonumber(step), tonumber(steps)
  if not step or step < 1 or step > steps then return end
  told.state, told.step, told.steps, told.title = "provisioning", step, steps, text.escape_terminal(title)
  told.log = {}
end

function readers.log(told, rest)
  told.log[#told.log + 1] = text.escape_terminal(rest)
  if #told.log > LOG_LINES then table.remove(told.log, 1) end
end

function readers.failed(told, rest)
  local step, exit, title = rest:match("^(%d%d?%d?%d?) (%d%d?%d?) (.+)$")
  if step and not told.failed then
    told.failed = { step = tonumber(step), exit = tonumber(exit), title = text.escape_terminal(title), log = told.log }
  end
  told.log = {}
end

function readers.provisioned(told, rest)
  if #rest > 64 or not rest:find("^[%w._-]+$") then return end
  told.state, told.instance_id = "provisioned", rest
end

local function read_line(told, line)
  local kind, rest = line:sub(1, LINE_BYTES):match("^holos1 (%l+) ?([^\r]*)")
  if not kind or not readers[kind] then return told end
  return readers[kind](told, rest) or told
end

--- The state that a report amounts to. A failed part of the boot is step 0; the first failure of a boot is kept.
---@param report string  the report since the launch; a last line without its end is not there yet
---@return {state: "booting"|"ready"|"provisioning"|"provisioned"|"failed", step: integer?, steps: integer?,
---         title: string?, failed: {step: integer, exit: integer, title: string, log: string[]}?, instance_id: string?}
function M.fold(report)
  local told = { state = "booting", log = {} }
  for line in report:sub(-M.MAX_BYTES):gmatch("([^\n]*)\n") do told = read_line(told, line) end
  if told.failed then told.state = "failed" end
  told.log = nil
  return told
end

--- Whether a state was reached at any time of a report, by a guest that has begun anew since then, too.
---@param goal "ready"|"provisioned"|nil  nil: nothing that a report tells
function M.has_ever_reached(report, goal)
  local told = { state = "booting", log = {} }
  for line in report:gmatch("([^\n]*)\n") do
    told = read_line(told, line)
    if goal and not told.failed and M.reached(told, goal) then return true end
  end
  return false
end

-- As a line of a report: what people are shown has been made harmless, so it can be said again.
local function say(...) return ("holos1 " .. table.concat({ ... }, " ")):gsub("\n", " ") .. "\n" end

--- A short report that comes to the same state.
---@param told table  as from `fold`
function M.summary(told)
  local lines = { say "boot" }
  if told.state ~= "booting" then lines[2] = say "ready" end
  if told.step then lines[#lines + 1] = say("step", told.step, told.steps, told.title) end
  local failed = told.failed
  if failed then
    for _, line in ipairs(failed.log) do lines[#lines + 1] = say("log", line) end
    lines[#lines + 1] = say("failed", failed.step, failed.exit, failed.title)
  end
  if told.instance_id then lines[#lines + 1] = say("provisioned", told.instance_id) end
  return table.concat(lines)
end

--- Whether a state is at least `goal`.
function M.reached(told, goal) return goal == "running" or (RANK[told.state] or 0) >= RANK[goal] end

return M
