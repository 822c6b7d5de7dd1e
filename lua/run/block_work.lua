--- Heavy work on disk images: copies, other formats, one file out of a chain. A QEMU without a machine does it, as nobody
--- knows its formats better; it gets descriptors and nothing else, no rights in the file system, and ends with us.
--- Effects: forks QEMU; writes to the target, which is there already and which nobody else uses.
local block_job = require "holos.run.block.job"
local confine = require "holos.run.confine"
local descriptors = require "holos.run.descriptors"
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local qmp = require "holos.run.qmp"
local task = require "holos.core.task"

local M = {}

--- Who QEMU runs as when root runs holos and no project has a uid for it.
M.NOBODY = 65534
M.START_MS = 30000
--- Closing a large image writes its tables.
M.CLOSE_MS = 5 * 60 * 1000
local END_MS = 5000
local MONITOR_FD, FIRST_FD = 3, 4
local WORDS_BYTES = 4096
local JOB = "work"

---@class holos.BlockLayer  {path: string, format: "qcow2"|"raw"}
---@class holos.BlockWork
---@field program  string              QEMU's
---@field uid      integer?            of the project, for when root runs holos
---@field source   holos.BlockLayer[]  an image, then what it rests on, if anything
---@field target   holos.BlockLayer    an image that is there, as large as the source, and empty
---@field compress boolean?            target qcow2 only
---@field bytes_per_s integer?         no faster than this

-- -- what QEMU is given -----------------------------------------------------------------------------------------------

local Command = {}
Command.__index = Command

--- A file as a node of its own, by a descriptor.
function Command:file(node, layer, is_written)
  local stat = err.check(nil, self.world.fs.stat(layer.path))
  local number = FIRST_FD + #self.files
  self.files[#self.files + 1] = { number = number, path = layer.path, is_written = is_written }
  self:add("-add-fd", ("fd=%d,set=%d"):format(number, number))
  self:add("-blockdev", ("driver=%s,node-name=%s-file,filename=/dev/fdset/%d,read-only=%s,auto-read-only=off,discard=unmap")
    :format(stat.type == "block" and "host_device" or "file", node, number, is_written and "off" or "on"))
end

--- A format over a file: nothing is ever guessed, and no name inside an image is followed.
---@param backing string|nil  the node below
function Command:image(node, layer, is_written, backing)
  self:file(node, layer, is_written)
  local wanted = { driver = layer.format, ["node-name"] = node, file = node .. "-file", ["read-only"] = not is_written,
    discard = "unmap", ["detect-zeroes"] = is_written and "unmap" or nil }
  if layer.format == "qcow2" then wanted.backing = backing or self.world.json.null end
  self:add("-blockdev", self.world.json.encode(wanted, {}))
end

function Command:add(...)
  for _, word in ipairs { ... } do self.argv[#self.argv + 1] = word end
end

--- The command line, and the files that it wants open.
---@param work holos.BlockWork
---@return table command  {argv, files}
function M.command(world, work)
  local command = setmetatable({ world = world, argv = {}, files = {} }, Command)
  command:add("-machine", "none", "-nodefaults", "-no-user-config", "-display", "none",
    "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-chardev", "socket,id=qmp,fd=" .. MONITOR_FD, "-mon", "chardev=qmp,mode=control")
  for depth = #work.source, 1, -1 do
    command:image("source" .. depth, work.source[depth], false, work.source[depth + 1] and "source" .. depth + 1)
  end
  command:image("target", work.target, true)
  return command
end

-- -- its life ---------------------------------------------------------------------------------------------------------

local function open_files(world, command, opened)
  for _, file in ipairs(command.files) do
    opened[file.number] = err.check(nil, world.fs.open(file.path, { read = true, write = file.is_written,
      nofollow = file.is_written }))
  end
end

local function prepare(world, work, command, opened, stderr)
  local here = confine.look(world, work.program)
  local who = confine.identity(world, here, { vm = { accel = "tcg" } }, work.uid or M.NOBODY)
  return err.check(nil, world.launch.prepare { program = work.program, argv = command.argv, fds = opened, stderr = stderr,
    stdout = stderr, env = confine.environment "/", session = true, dies_with_us = true, core_bytes = 0, uid = who.uid,
    gid = who.gid, groups = who.groups, landlock = here.rules })
end

--- Forks. Our copies of the descriptors are closed on return: locks on images go by open files.
---@return userdata child    at its gate
---@return userdata monitor  our end
---@return userdata words    what it says, to read
local function start(world, work)
  local command = M.command(world, work)
  local opened <close> = descriptors.new()
  open_files(world, command, opened)
  local monitor
  monitor, opened[MONITOR_FD] = err.check(nil, world.net.pair())
  local words, said = err.check(nil, world.fd.pipe())
  local _said <close> = said
  local ok, child = pcall(prepare, world, work, command, opened, said)
  if not ok then
    monitor:close()
    words:close()
    error(child, 0)
  end
  return child, monitor, words
end

--- When its scope is left QEMU is gone and reaped.
local function ended(child)
  return setmetatable({}, { __close = function()
    child:kill()
    task.shield(END_MS, io_wait.await, child, "try_wait")
    child:close()
  end })
end

-- The last line of what QEMU said, but for warnings; nil when there is none.
local function complaint(words)
  local text, last = words:try_read(WORDS_BYTES), nil
  for line in (text or ""):gmatch("[^\n]+") do
    if not line:find("warning:", 1, true) then last = line:gsub("^[^:]*: ", "") end
  end
  return last
end

local function await_event(session)
  return function(timeout_ms)
    local ok, problem = pcall(session.next_event, session, timeout_ms)
    if not ok and not err.is(problem, "ETIMEDOUT") then error(problem, 0) end
  end
end

--- Copies; then closes the images, which is when their last tables are written.
local function converse(session, work, what, tell)
  session:subscribe { "JOB_STATUS_CHANGE" }
  -- What a file without anything below does not have is not copied: it reads as zeros in the new one, too.
  local sync = #work.source == 1 and "top" or "full"
  session:execute("blockdev-backup", { ["job-id"] = JOB, device = "source1", target = "target", sync = sync,
    compress = work.compress or false, speed = work.bytes_per_s or 0, ["auto-dismiss"] = false }, { timeout_ms = M.START_MS })
  block_job.follow(what, JOB, function() return session:execute("query-jobs", nil, { timeout_ms = M.CLOSE_MS }) end,
    await_event(session), tell)
  session:execute("job-dismiss", { id = JOB })
  for _, node in ipairs { "target", "target-file" } do
    session:execute("blockdev-del", { ["node-name"] = node }, { timeout_ms = M.CLOSE_MS })
  end
  session:execute("quit")
end

-- QEMU's own words, where it had some, say more than that it is gone.
local function explain(problem, words, what)
  if not err.is_failure(problem) then return problem end
  local said = (problem.code == "EPIPE" or problem.code == "ETIMEDOUT") and complaint(words)
  return said and block_job.failure(what, said) or problem
end

--- Copies the whole disk that `work.source` makes into `work.target`. Raises when that fails; the target is then worth
--- nothing. What is at work ends when this is cancelled.
---@param work holos.BlockWork
---@param what string  begins error messages: "copying data"
---@param tell (fun(progress: holos.BlockProgress))?
function M.copy(world, work, what, tell)
  -- Opened before anything is written: it is told of every write that fails, also of those that QEMU passes over.
  local flushed <close> = err.check(what, world.fs.open(work.target.path, { read = true, nofollow = true }))
  local child, monitor, words = start(world, work)
  local _words <close> = words
  local _monitor <close> = monitor
  io_wait.go(what, child) -- it closes a child that does not go
  local _ended <close> = ended(child)
  local ok, problem = xpcall(function()
    local session <close> = qmp.connect(world, monitor, { timeout_ms = M.START_MS, name = what })
    converse(session, work, what, tell or function() end)
  end, err.trace)
  if not ok then error(explain(problem, words, what), 0) end
  local status = task.within(M.CLOSE_MS, io_wait.await, child, "try_wait")
  local said = complaint(words)
  if said or status.exit ~= 0 then error(block_job.failure(what, said or "QEMU did not end well"), 0) end
  err.check(what, flushed:sync())
end

return M
