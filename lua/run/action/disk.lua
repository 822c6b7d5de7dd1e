--- Actions on disks: volumes and root disks are made and grown, instances go to the trash. Effects: files.
local contents = require "holos.run.contents"
local disk = require "holos.run.disk"
local journal = require "holos.run.journal"
local lazy = require "holos.core.lazy"
local lease = require "holos.plan.lease"
local stop = require "holos.run.stop"
local trash = require "holos.run.trash"
local volume = lazy "holos.run.volume"

local M = {}

local function spec_of(job, action) return job.record.instances[action.instance].spec end

M["volume.create"] = function(world, job, action)
  disk.create_volume(world, job.state, job.record.name, action.volume, action.size_bytes)
  local entry = job.record.volumes[action.volume]
  entry.made, entry.fs = true, action.fs
  return "created"
end

M["volume.grow"] = function(world, job, action) return volume.grow(world, job, action) end

M["disk.create"] = function(world, job, action)
  disk.create_root(world, job.state, spec_of(job, action))
  local entry = job.record.instances[action.instance]
  entry.disk_made, entry.anonymous = true, nil
  return "created"
end

M["disk.grow"] = function(world, job, action)
  disk.grow_root(world, job.state, spec_of(job, action))
  return "grown"
end

M["instance.trash"] = function(world, job, action)
  local _held <close> = job.take_lock(action.instance)
  stop.require_ended(world, job.state, job.record.name, action.instance)
  contents.copy_to_trash(world, job.state, spec_of(job, action), job.batch)
  trash.take_instance(world, job.state, job.record.name, action.instance, job.batch)
  job.record.instances[action.instance] = nil
  lease.forget(job.record, action.instance)
  journal.append(world, job.state, job.record.name, { type = "instance.removed", instance = action.instance })
  return "removed"
end

return M
