--- The volume that is copied, and who copies it. Effects through run/*; prints nothing.
local block_work = require "holos.run.block_work"
local disks = require "holos.plan.qemu.disks"
local err = require "holos.core.err"
local foreign = require "holos.run.foreign"
local live = require "holos.run.block.live"
local probe = require "holos.run.probe"
local runtime = require "holos.run.runtime"
local volume_change = require "holos.use.volumes.change"
local volumes = require "holos.use.volumes"
local volumes_ = require "holos.plan.volumes"

local M = {}

local NOTHING_HELD = setmetatable({}, { __close = function() end })

local function program(world) return (err.check("QEMU", probe.find(world))) end

--- Copies a disk into an image that is there and empty: that of a machine that runs by its QEMU, any other one by a QEMU
--- without a machine.
---@param made table  of run/block/draft
---@param more {compress: boolean?, limit_rate: integer?}
function M.copy(context, source, made, more, what, tell)
  local work = { target = { path = made.path, format = made.format }, compress = more.compress, bytes_per_s = more.limit_rate }
  if source.live then
    for key, value in pairs(source.live) do work[key] = value end
    return live.copy(context.world, work, what, tell)
  end
  work.program, work.uid, work.source = program(context.world), context.record.leases.uid, { source }
  block_work.copy(context.world, work, what, tell)
end

-- Where QEMU has the disk of a volume, in the machine that writes to it, or in one that reads it; nil when none runs.
local function live_of(context, row)
  local chosen
  for _, user in ipairs(row.users) do
    if user.running and (not chosen or not user.read_only) then chosen = user end
  end
  if not chosen then return nil end
  local state = context.state
  local now = runtime.load(context.world, state, chosen.project, chosen.instance)
  local spec = runtime.applied(state, chosen.project, chosen.instance, now)
  local serial = spec and volumes_.serial(spec, row, foreign.identifier(context.world))
  local node = serial and disks.node_of(spec, serial)
  if not node then volume_change.refuse_running(context, row, "be copied") end
  return { project = chosen.project, name = chosen.instance, node = node,
    directory = state:instance(chosen.project, chosen.instance) }
end

--- A volume to be copied: what runs goes on, and what does not run is not started meanwhile.
---@return table source  {path, format, size_bytes, allocated_bytes, fs, live: {directory, name, node}?}
---@return table held    let go by <close>
function M.of(context, name, talk)
  local held = volume_change.hold_users(context, talk, { volumes.one(context, name) })
  local ok, source = pcall(function()
    local row = volumes.one(context, name)
    if row.state == "damaged" then err.raise { message = ("volume %s: %s"):format(name, row.problem), code = "EDAMAGED" } end
    return { path = row.path, format = row.format, size_bytes = row.size_bytes, allocated_bytes = row.allocated_bytes,
      fs = row.fs, live = live_of(context, row) }
  end)
  if not ok or source.live then getmetatable(held).__close() end
  if not ok then error(source, 0) end
  return source, source.live and NOTHING_HELD or held
end

return M
