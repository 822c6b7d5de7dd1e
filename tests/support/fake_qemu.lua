--- Puts the stand-in for QEMU (tests/life/fake-qemu.c) where a test wants it, with settings of its own.

local files = require "tests.support.files"
local fs = require "sys.fs"

local M = {}

local RUNNABLE, READABLE = tonumber("755", 8), tonumber("644", 8)

--- Where `make fake-qemu` puts it.
function M.program()
  return files.directory .. "/../build/fake-qemu"
end

--- Sets what the VMs of a stand-in do from their next start on.
---@param program string     as `install` gave it
---@param settings string[]  lines for its fake-qemu.conf, such as "report=none" or "web-1: powerdown=ignore"
function M.set(program, settings)
  local directory = program:match("^(.*)/[^/]*$")
  local path = directory .. "/fake-qemu.conf"
  assert(fs.write_atomic(path, table.concat(settings, "\n") .. "\n", { mode = READABLE, sync = false }))
end

--- Copies the stand-in into a directory of its own, which users without rights can reach, as QEMU's is.
---@param settings string[]?
---@return string program  for HOLOS_QEMU_SYSTEM
function M.install(settings)
  if not fs.stat(M.program()) then skip("make fake-qemu has not been run") end
  local base = tmpdir()
  local directory, program = base .. "/bin", base .. "/bin/qemu-system-x86_64"
  assert(fs.mkdir_all(directory, RUNNABLE))
  assert(fs.chmod(base, RUNNABLE))
  assert(fs.chmod(directory, RUNNABLE))
  assert(fs.copy(M.program(), program, { mode = RUNNABLE }))
  M.set(program, settings or {})
  return program
end

return M
