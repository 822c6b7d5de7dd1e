--- What a guest says on its report port, as state. Pure; the lines are a stranger's: what is not understood is passed
--- over.
local M = {}

local LOG_LINES, LINE_BYTES = 20, 400
local RANK = { booting = 1, ready = 2, provisioning = 3, provisioned = 4 }

local readers = {}

function readers.boot(told) told.state = "booting" end

function readers.ready(told)
  if told.state == "booting" then told.state = "ready" end
end

function readers.step(told, rest)
  local step, steps, title = rest:match("^(%d%d?%d?%d?) (%d%d?%d?%d?) (.*)$")
  if not step then return end
  told.state, told.step, told.steps, told.title = "provisioning", tonumber(step), tonumber(steps), title
  told.log = {}
end

function readers.log(told, rest)
  told.log[#told.log + 1] = rest
  if #told.log > LOG_LINES then table.remove(told.log, 1) end
end

function readers.failed(told, rest)
  local step, exit, title = rest:match("^(%d%d?%d?%d?) (%d%d?%d?) (.*)$")
  if not step or told.failed then return end
  told.failed = { step = tonumber(step), exit = tonumber(exit), title = title, log = told.log }
  told.log = {}
end

function readers.provisioned(told, rest)
  told.state, told.instance_id = "provisioned", rest
end

--- The state that a report amounts to.
---@param text string  the report since the launch
---@return {state: "booting"|"ready"|"provisioning"|"provisioned"|"failed", step: integer?, steps: integer?, title: string?,
---         failed: {step: integer, exit: integer, title: string, log: string[]}?, instance_id: string?}
function M.fold(text)
  local told = { state = "booting", log = {} }
  for line in text:gmatch("[^\n]+") do
    local kind, rest = line:sub(1, LINE_BYTES):match("^holos1 (%l+) ?(.*)$")
    if kind and readers[kind] then readers[kind](told, rest) end
  end
  if told.failed then told.state = "failed" end
  return told
end

--- Whether a state is at least `goal`.
function M.reached(told, goal) return goal == "running" or (RANK[told.state] or 0) >= RANK[goal] end

return M
