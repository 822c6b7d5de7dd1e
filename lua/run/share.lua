--- Shares by virtiofs: one virtiofsd for each, started like a VM and recorded with it. Effects: forks virtiofsd.
--- Read-only is a read-only bind in a private mount namespace: virtiofsd of QEMU 7.2 has no switch for it, and Landlock
--- does not cover chmod (measured).
local confine = require "holos.run.confine"
local err = require "holos.core.err"
local io_wait = require "holos.run.io"

local M = {}

local FILE_MODE = tonumber("600", 8)

local function missing(spec)
  err.raise { message = spec.name .. ": virtiofsd is not installed, so directories cannot be shared", code = "ENOVIRTIOFSD",
    hint = "sudo apt install virtiofsd (QEMU 7.2 brings it along); or driver: 9p where the guest's kernel has it" }
end

--- Where a directory really is: virtiofsd of QEMU 7.2 takes no symbolic link for one.
local function real_path(world, launching, what)
  local path = err.check(launching.spec.name, world.fs.realpath(what.path))
  if not path:find("[,\\]") then return path end
  err.raise { message = ("%s: virtiofsd cannot share %s, as its name has a comma or a backslash"):format(launching.spec.name,
    path), code = "EINVAL", hint = "rename it, or share it by 9p where the guest has that (driver: 9p)" }
end

--- The daemon's arguments: everything by descriptors, no sandbox of its own that needs root. `source` has no comma.
function M.argv(source) return { "--fd=3", "-o", "source=" .. source, "-o", "sandbox=chroot", "-o", "cache=auto" } end

local function start(world, launching, directory, what, listener)
  local source = real_path(world, launching, what)
  local log <close> = err.check(what.tag, world.fs.open(("%s/%s.log"):format(directory, what.tag),
    { write = true, create = true, truncate = true, mode = FILE_MODE }))
  return err.check(launching.spec.name, world.launch.prepare {
    program = launching.virtiofsd, argv = M.argv(source), fds = { [3] = listener },
    env = confine.environment(directory), stdout = log, stderr = log, session = true, core_bytes = 0,
    namespace = { { source = source, target = source, read_only = what.read_only } },
  })
end

--- Starts virtiofsd for one share and gives the connected socket that QEMU gets.
function M.connect(world, launching, directory, what)
  if not launching.virtiofsd then missing(launching.spec) end
  local name = what.tag .. ".sock"
  world.fs.remove(("%s/%s"):format(directory, name))
  local listener <close> = err.check(what.tag, world.net.listen_unix(directory, name, { mode = FILE_MODE }))
  -- virtiofsd accepts once and takes "nobody there yet" for a failure, so for it the socket must block.
  err.check(what.tag, world.fd.nonblocking(listener, false))
  local child <close> = start(world, launching, directory, what, listener)
  launching.shares[#launching.shares + 1] = { pid = child.pid, start_time = child.start_time, tag = what.tag }
  launching.on_share()
  io_wait.go(what.tag, child)
  return world.net.connect_unix(directory, name)
end

return M
