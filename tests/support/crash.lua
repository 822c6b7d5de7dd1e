--- holos is cut at a moment or at a call, on a stack of three VMs, and what must hold afterwards: no QEMU that nobody has
--- recorded, no two on a disk, no record, disk or volume lost.
local check = require "tests.support.check"
local err = require "holos.core.err"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local json = require "sys.json"
local proc = require "sys.proc"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local M = {}

M.YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 1s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, depends_on: [db], ports: ["0:80"], stop_grace_period: 1s}
volumes: {data: {size: 64M}}
]]
M.ALL = { "pair/db-0", "pair/web-0", "pair/web-1" }
M.IS_FULL = files.environment("HOLOS_TESTS") == "all"
M.LONG = { timeout_ms = 1800000 }
local IN_A_SAMPLE, AT_A_TIME, MOST_SHOWN = 3, 4, 20
local SETTLE_MS = 5000

--- What can be seen from outside when we are gone: files, directories, locks, sockets, processes. `?` = where there is one.
M.CHANGES = { "?rename", "renameat", "?renameat2", "mkdirat", "?unlink", "unlinkat", "linkat", "symlinkat", "ftruncate",
  "flock", "bind", "connect", "sendmsg", "sendto", "?fork", "clone", "kill", "pidfd_send_signal", "fsync" }

--- A stack of its own, in memory: there are thousands.
---@param yaml string?  M.YAML unless given
function M.new_stack(program, yaml)
  local stack = stack_.new { yaml = yaml or M.YAML, in_memory = true }
  stack.qemu = program
  assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  return stack
end

-- Live processes of the stack, whether anybody recorded them or not: the names of their instances, sorted, and their pids.
-- Probes have no name.
local function processes(stack)
  local names, pids, program = {}, {}, fs.realpath(stack.qemu)
  for _, entry in ipairs(fs.list("/proc")) do
    local pid = math.tointeger(tonumber(entry.name))
    if pid and fs.readlink("/proc/" .. pid .. "/exe") == program and proc.identity(pid) then
      local environ = fs.read("/proc/" .. pid .. "/environ", { max_bytes = 1 << 20 }) or "" -- its HOME is in the stack
      local words = fs.read("/proc/" .. pid .. "/cmdline", { max_bytes = 1 << 20 }) or ""
      local name = environ:find(stack.state, 1, true) and words:match("guest=([^,%z]+)")
      if name then names[#names + 1], pids[#pids + 1] = name, pid end
    end
  end
  table.sort(names)
  return names, pids
end

--- The instances that live processes of the stack are: twice the same name would be two on a disk.
---@return string[]
function M.running(stack)
  local names = processes(stack)
  return names
end

-- What is wrong with the processes of a stack, nil when nothing is.
local function wrong_processes(stack)
  local names, pids = processes(stack)
  for i = 2, #names do
    if names[i] == names[i - 1] then return "two of them: " .. names[i] end
  end
  local recorded = {}
  for _, pid in ipairs(stack:pids()) do recorded[pid] = true end
  for _, pid in ipairs(pids) do
    if not recorded[pid] then return ("nobody has recorded process %d of %s"):format(pid, table.concat(names, " ")) end
  end
end

--- A launch that was cut before its QEMU was let go ends by itself: its end of the gate is read as the end of a file. What
--- ends while we look is no orphan, so this looks until nothing is wrong.
function M.require_no_orphans(stack, where)
  local wrong
  local fine = pcall(task.within, SETTLE_MS, function()
    wrong = wrong_processes(stack)
    while wrong do
      task.wait { at_ms = task.now_ms() + 10 }
      wrong = wrong_processes(stack)
    end
  end)
  ok(fine, where .. ": " .. tostring(wrong))
end

--- How many root disks each instance has, in its place and in the trash together, and each volume.
---@return table<string, integer>
function M.disks(stack)
  local counts = {}
  for _, place in ipairs { "instances", "volumes", "trash" } do
    for _, file in ipairs(files.below(stack.state .. "/" .. place, "%.qcow2$")) do
      local name = file:match("([^/]+)/root%.qcow2$") or file:match("/volumes/.-([^/]+)%.qcow2$")
      if name then counts[name] = (counts[name] or 0) + 1 end
    end
  end
  return counts
end

--- Nothing that was there is gone, and what stands in its place is in a record that can be read.
---@param before table<string, integer>  as `disks` gave it
---@param project string?                "pair" unless given
function M.require_kept(stack, before, where, project)
  local after = M.disks(stack)
  for name, count in pairs(before) do
    ok((after[name] or 0) >= count, ("%s: a disk of %s is lost"):format(where, name))
  end
  local text = fs.read(("%s/projects/%s.json"):format(stack.state, project or "pair"))
  local record = text and json.decode(text, {})
  ok(not text or record, where .. ": the record cannot be read")
  for _, file in ipairs(files.below(("%s/instances/%s"):format(stack.state, project or "pair"), "/root%.qcow2$")) do
    local name = file:match("([^/]+)/root%.qcow2$")
    ok(record and record.instances[name], ("%s: no record leads to the disk of %s"):format(where, name))
  end
end

--- The next up makes the stack whole, the next down takes it away.
function M.require_recovery(stack, where)
  M.require_no_orphans(stack, where)
  local up = stack:run { "up", "--detach" }
  equal({ up.status, up.status ~= 0 and up.stderr or "" }, { 0, "" }, where)
  equal(M.running(stack), M.ALL, where)
  equal(#stack:pids(), 3, where)
  local down = stack:run { "down", "--timeout", "200ms" } -- firmware does not hear the power button
  equal({ down.status, down.status ~= 0 and down.stderr or "" }, { 0, "" }, where)
  equal(M.running(stack), {}, where)
end

-- -- calls ---------------------------------------------------------------------------------------------------------------

--- Runs `holos WORDS` under strace with these options.
function M.strace(stack, words, options)
  local env = stack:environment()
  env[#env + 1] = "ASAN_OPTIONS=detect_leaks=0"
  local argv = { "strace" }
  for _, list in ipairs { options, { host.executable() }, words } do table.move(list, 1, #list, #argv + 1, argv) end
  local result = tool.run(argv, { directory = stack.directory, env = env, timeout_ms = M.LONG.timeout_ms })
  if result.stderr:find("strace:", 1, true) then skip("strace cannot inject here: " .. result.stderr) end
  return result
end

--- Which calls a program makes: {call, n (the n-th of that name), line (as strace shows it)}.
---@param calls string[]
---@param run fun(options: string[])  runs it under strace with these options
function M.points_of(stack, calls, run)
  local seen, points = {}, {}
  local log = stack.directory .. "/calls"
  run { "-o", log, "-e", "trace=" .. table.concat(calls, ",") }
  for line in files.read(log):gmatch("[^\n]+") do
    local call = line:match("^([%l_%d]+)%(")
    if call then
      seen[call] = (seen[call] or 0) + 1
      points[#points + 1] = { call = call, n = seen[call], line = line }
    end
  end
  return points
end

--- The same of `holos WORDS`, in a stack made by `prepare`.
function M.points(program, words, calls, prepare)
  local stack <close> = M.new_stack(program)
  prepare(stack)
  return M.points_of(stack, calls, function(options) M.strace(stack, words, options) end)
end

--- All points, or a few from everywhere among them.
function M.sampled(points, count)
  if M.IS_FULL or #points <= count then return points end
  local some = {}
  for i = 1, count do some[i] = points[(i * #points) // count] end
  return some
end

--- The options of strace that let `inject` ("signal=KILL", "error=EIO") happen at a point.
function M.injection(point, inject)
  return { "-o", "/dev/null", "-e", "trace=" .. point.call, "-e", ("inject=%s:%s:when=%d"):format(point.call, inject, point.n) }
end

--- Runs `holos WORDS` and lets that happen.
function M.run_cut(stack, words, point, inject) return M.strace(stack, words, M.injection(point, inject)) end

local function judged(judge, point, round, problems)
  local fine, problem = pcall(judge, point, round)
  if fine then return end
  if err.is(problem, "ECANCELED") or getmetatable(problem) == check.SKIP then error(problem, 0) end
  problems[#problems + 1] = (tostring(problem):gsub("tests/support/[%w_]+%.lua:%d+: ", "")) -- such lines are not shown
end

--- Judges all points, some at the same time, also when one was found wanting; then raises what was said.
---@param judge fun(point: table, round: integer)
function M.each(points, judge)
  local problems = {}
  task.map(points, AT_A_TIME, function(point, round) judged(judge, point, round, problems) end)
  if #problems == 0 then return end
  error(("%d of %d points:\n%s"):format(#problems, #points, table.concat(problems, "\n", 1, math.min(#problems, MOST_SHOWN))), 0)
end

M.swept, M.killed = 0, 0

-- One point: a stack of its own, killed, judged. How it may end when the point was not reached: `ends`.
local function kill_at(program, words, point, round, at)
  local stack <close> = M.new_stack(program)
  at.prepare(stack)
  local before = M.disks(stack)
  local result = M.run_cut(stack, words, point, "signal=KILL")
  local where = ("holos %s, killed at %s number %d"):format(table.concat(words, " "), point.call, point.n)
  ok(result.signal == "KILL" or result.status == (at.ends or 0), where .. ": " .. result.stderr)
  M.require_no_orphans(stack, where)
  M.require_kept(stack, before, where)
  at.judge(stack, where, round)
  M.require_no_orphans(stack, where)
  M.require_kept(stack, before, where)
  equal(M.running(stack), {}, where)
  return result.signal == "KILL"
end

--- Kills `holos WORDS` at each call that changes something, each time in a new stack.
---@param at {prepare: fun(stack), judge: fun(stack, where, round), ends: integer?, settings: string[]?, among: function?,
---          sample: integer?}  `judge` comes after the kill, takes all down; `ends`: the status without a kill, 0 unless
---          given; settings: of the stand-in; among(points): those of them that are of interest
function M.sweep(words, at)
  if not tool.find "strace" then skip "strace is not installed" end
  local program = fake_qemu.install(at.settings or {})
  local points = M.points(program, words, M.CHANGES, at.prepare)
  points = M.sampled(at.among and at.among(points) or points, at.sample or IN_A_SAMPLE)
  local killed = 0
  M.each(points, function(point, round)
    if kill_at(at.settings and fake_qemu.install(at.settings) or program, words, point, round, at) then killed = killed + 1 end
  end)
  ok(killed > #points // 2, ("%d of %d points were reached"):format(killed, #points))
  M.swept, M.killed = M.swept + 1, M.killed + killed
  io.stdout:write(("        killed at %d points: holos %s\n"):format(killed, table.concat(words, " ")))
  io.stdout:flush()
end

return M
