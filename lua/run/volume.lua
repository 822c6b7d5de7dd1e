--- Volumes that grow: as files, or below a machine that runs, whose guest then lets its file system follow. Effects: files,
--- QEMU's monitor, the guest.
local disks = require "holos.plan.qemu.disks"
local err = require "holos.core.err"
local inside = require "holos.run.inside"
local monitor = require "holos.run.monitor"
local runtime = require "holos.run.runtime"
local live = require "holos.plan.seed.live"

local M = {}

local CONNECT_MS, FOLLOW_MS = 5000, 120000
local SECTOR = 512

local function label(action) return "volume " .. action.volume end

local function grow_file(world, job, action)
  err.check(label(action), world.qcow2.grow(job.state:volume(job.record.name, action.volume), action.size_bytes))
end

-- The guest's file system; one that cannot be told now follows at its next start, and the next up tries again.
local function let_follow(world, job, action, now, serial)
  local at = { state = job.state, spec = now.spec, now = now }
  local told, reason = inside.as_root(world, at, live.grown(serial, action.size_bytes), FOLLOW_MS)
  if told then
    job.record.volumes[action.volume].is_growing = nil
    return "grown"
  end
  job.warn(("volume %s has grown, and its file system in %s not yet: the next start or up sees to it: %s"):format(action.volume,
    action.holder, reason))
  return "disk grown"
end

-- nil when the machine does not run, or runs without it.
local function grow_below(world, job, action)
  local now = runtime.load(world, job.state, job.record.name, action.holder)
  local process <close> = runtime.process(world, now)
  local spec = process and runtime.applied(job.state, job.record.name, action.holder, now)
  local serial = spec and disks.serial_of(spec, action.volume)
  if not serial then return nil end
  local node = disks.node_of(spec, serial)
  local info = err.check(label(action), world.qcow2.info(job.state:volume(job.record.name, action.volume)))
  if info.virtual_bytes > action.size_bytes then -- QEMU would cut it off
    err.raise { message = ("volume %s is larger than that already"):format(action.volume), code = "ESHRINK" }
  end
  do
    local session <close> = err.check(action.holder, monitor.try_connect(world,
      job.state:instance(job.record.name, action.holder), CONNECT_MS))
    session:execute("block_resize", { ["node-name"] = node, size = action.size_bytes }, { timeout_ms = CONNECT_MS })
  end
  return let_follow(world, job, action, now, serial)
end

--- Makes a volume larger.
---@param action table  {volume, size_bytes, holder: the running machine that has it, nil for none}
---@return string result
function M.grow(world, job, action)
  if action.holder then
    local _held <close> = job.take_lock(action.holder)
    local result = grow_below(world, job, action)
    if result then return result end
  end
  grow_file(world, job, action)
  job.record.volumes[action.volume].is_growing = nil
  return "grown"
end

--- Raises when any process has one of these volumes open, whatever records say: its locks are asked. No volume is
--- smaller than a sector, so nothing is written.
function M.require_free(world, state, project, names)
  for _, name in ipairs(names) do
    local _, _, code = world.qcow2.grow(state:volume(project, name), SECTOR)
    if code == "EBUSY" then
      err.raise { message = ("volume %s is in use by another process"):format(name), code = code, exit = 3,
        hint = "it was not taken; stop the machine that has it, then try again" }
    end
  end
end

return M
