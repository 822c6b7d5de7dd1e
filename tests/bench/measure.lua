--- Runs holos and says what that took.
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local launch = require "sys.launch"
local task = require "holos.core.task"

local M = {}

local TIMEOUT_MS = 120000
local INSIDE = fs.realpath(files.directory .. "/bench/inside.lua")

--- Runs a program to its end.
---@return integer wall_ms
---@return integer status
function M.run_program(directory, program, words, env)
  local begun_ms = task.now_ms()
  local child <close> = assert(launch.prepare { program = program, argv = words, directory = directory,
    env = { "PATH=/usr/bin:/bin", table.unpack(env or {}) } })
  assert(child:go())
  local ended = task.within(TIMEOUT_MS, io_wait.await, child, "try_wait")
  return task.now_ms() - begun_ms, ended.exit
end

--- Runs holos; its VMs and its supervisor are nobody's children and not counted.
---@param status integer?  what it should end with
---@return {wall_ms: integer, cpu_ms: number, peak_mib: number}
function M.run(directory, words, env, status)
  local file = directory .. "/took"
  local wall_ms, exit = M.run_program(directory, host.executable(), { "lua", INSIDE, file, table.unpack(words) }, env)
  if exit ~= (status or 0) then error(("%s ended with %s"):format(table.concat(words, " "), exit)) end
  local cpu_us, peak_kib = assert(fs.read(file)):match("^(%d+) (%d+)")
  return { wall_ms = wall_ms, cpu_ms = cpu_us / 1000, peak_mib = peak_kib / 1024 }
end

function M.median(list, name)
  local values = {}
  for i, item in ipairs(list) do values[i] = item[name] end
  table.sort(values)
  return values[(#values + 1) // 2]
end

--- The medians of runs, and the least times, which others on the machine disturb least.
function M.summary(list)
  local least = { wall_ms = math.huge, cpu_ms = math.huge }
  for _, took in ipairs(list) do
    least.wall_ms, least.cpu_ms = math.min(least.wall_ms, took.wall_ms), math.min(least.cpu_ms, took.cpu_ms)
  end
  return { wall_ms = M.median(list, "wall_ms"), cpu_ms = M.median(list, "cpu_ms"), least = least,
    peak_mib = M.median(list, "peak_mib") }
end

--- Runs `body` so often.
function M.rounds(count, body)
  local list = {}
  for round = 1, count do list[round] = body(round) end
  return M.summary(list)
end

return M
