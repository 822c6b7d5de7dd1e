--- One command of post_start or pre_stop in a guest. Effects: as of run/ssh; a wait for the end of a VM.
local err = require "holos.core.err"
local hook_ = require "holos.plan.hook"
local ssh = require "holos.run.ssh"
local task = require "holos.core.task"
local text = require "holos.core.text"
local units = require "holos.core.units"

local M = {}

--- Of what a command says the last lines are kept, to be shown when it fails.
M.LOG_LINES = 20
local LOG_BYTES, LINE_BYTES = 16 << 10, 400

-- keep(chunk), and the last lines of all that was kept.
local function tail()
  local said = ""
  local function lines()
    local all = text.lines(said)
    local last = table.move(all, math.max(1, #all - M.LOG_LINES + 1), #all, 1, {})
    for i, line in ipairs(last) do last[i] = text.cut(text.escape_terminal(line), LINE_BYTES) end
    return last
  end
  return function(chunk) said = (said .. chunk):sub(-LOG_BYTES) end, lines
end

local function reason(ok, result, timeout_ms)
  if ok then return result.status and "exit " .. result.status or "killed by SIG" .. result.signal end
  if result.code == "ETIMEDOUT" and result.waited_ms then return "not done after " .. units.format_duration(timeout_ms) end
  return result.message
end

--- Why a guest cannot be reached, for a sentence that names it.
function M.unreachable(spec, problem)
  local prefix = spec.name .. ": "
  return problem.message:sub(1, #prefix) == prefix and problem.message:sub(#prefix + 1) or problem.message
end

--- Runs a command to its end; what it says is dropped when it ends well.
---@param session holos.SshSession
---@param hook holos.Hook
---@return {why: string, log: string[], is_lost: boolean}? failed  is_lost: the connection was
function M.run(session, spec, hook, timeout_ms)
  local keep, lines = tail()
  local ok, result = pcall(session.exec, session, ssh.command_line(hook_.words(spec, hook)),
    { stdout = keep, stderr = keep, timeout_ms = timeout_ms })
  if not ok and not err.is_failure(result) then error(result, 0) end
  if ok and result.status == 0 then return nil end
  return { why = reason(ok, result, timeout_ms), log = lines(), is_lost = not ok and result.code ~= "ETIMEDOUT" }
end

--- Whether a machine ends within so long: a command may have switched it off, which takes its connection along.
---@param process table  of runtime.process
function M.ends(process, timeout_ms)
  local ok, problem = pcall(task.within, math.max(1, timeout_ms), task.wait, { process = process })
  if not ok and not err.is(problem, "ETIMEDOUT") then error(problem, 0) end
  return ok
end

return M
