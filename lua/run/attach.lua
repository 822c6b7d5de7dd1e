--- Volumes that a running machine takes and gives up: a disk in a free slot of QEMU, and its places in the guest. Effects:
--- QEMU's monitor, the guest, runtime.json. The caller holds the instance's lock. Each step may be done again.
local attach = require "holos.plan.attach"
local disks = require "holos.plan.qemu.disks"
local err = require "holos.core.err"
local foreign = require "holos.run.foreign"
local inside = require "holos.run.inside"
local monitor = require "holos.run.monitor"
local runtime = require "holos.run.runtime"
local table_ = require "holos.core.table"
local task = require "holos.core.task"
local live = require "holos.plan.seed.live"

local M = {}

local CONNECT_MS, REACH_MS, GUEST_MS, GONE_MS = 5000, 20000, 120000, 30000

local function connect(world, at)
  return err.check(at.spec.name, monitor.try_connect(world, at.state:instance(at.spec.project, at.spec.name), CONNECT_MS))
end

local function save(world, at) runtime.save(world, at.state, at.spec.project, at.spec.name, at.now) end

-- Of what may not be there: that it was not is no error.
---@return boolean done  or about to be
local function try(session, command, arguments)
  local ok, problem = pcall(session.execute, session, command, arguments)
  if not ok and not err.is(problem, "EQMP") then error(problem, 0) end
  return ok or problem.message:find("in the process of unplug", 1, true) ~= nil
end

-- A device goes when its guest has let go of it.
local function await_gone(session, device, name)
  local ok, problem = pcall(task.within, GONE_MS, function()
    repeat local event = session:next_event() until event.event == "DEVICE_DELETED" and event.data.device == device
  end)
  if ok then return end
  if not err.is(problem, "ETIMEDOUT") then error(problem, 0) end
  err.raise { message = ("%s: its guest does not let go of the disk %s"):format(name, device), code = "EBUSY",
    hint = "try again, or let it be restarted: holos stop, then up" }
end

-- Takes a disk and all that belongs to it out of QEMU, as far as it is there.
local function pull(session, at, node, entry)
  session:subscribe { "DEVICE_DELETED" }
  if try(session, "device_del", { id = node .. "-disk" }) then await_gone(session, node .. "-disk", at.spec.name) end
  for _, name in ipairs { node, node .. "-file" } do try(session, "blockdev-del", { ["node-name"] = name }) end
  if entry.set then try(session, "remove-fd", { ["fdset-id"] = entry.set }) end
  entry.set = nil
end

-- The file of a volume as a set of QEMU's.
local function give_file(world, at, session, volume, entry)
  local mount = { volume = volume.volume, disk = volume.disk }
  local file = foreign.path_of(at.state, at.spec.project, mount)
  local is_claimed = volume.disk and volume.disk.kind == "device" and not volume.read_only
  local fd <close> = err.check(at.spec.name, world.fs.open(file, { read = true, write = not volume.read_only,
    exclusive = is_claimed or nil }))
  local answer = session:execute("add-fd", {}, { fd = fd })
  entry.set = answer["fdset-id"]
  save(world, at)
  return "/dev/fdset/" .. entry.set
end

-- As plan/qemu/disks has them at a launch.
local function push(world, at, session, node, volume, entry)
  local read_only, disk = volume.read_only or false, volume.disk or {}
  session:execute("blockdev-add", { driver = disk.kind == "device" and "host_device" or "file", ["node-name"] = node .. "-file",
    filename = give_file(world, at, session, volume, entry), ["read-only"] = read_only, ["auto-read-only"] = false,
    discard = "unmap" })
  local format = { driver = disk.format or "qcow2", ["node-name"] = node, file = node .. "-file", ["read-only"] = read_only,
    discard = "unmap" }
  if format.driver == "qcow2" then format.backing = world.json.null end
  session:execute("blockdev-add", format)
  session:execute("device_add", { driver = "virtio-blk-pci", id = node .. "-disk", drive = node, serial = volume.serial,
    bus = "spare" .. entry.port, werror = "stop", rerror = "report" })
end

-- The slot of a volume, as it is written down before QEMU hears of it; from then on it is held.
local function slot_of(world, at, serial)
  at.now.spec.mounts = attach.moving(at.now.spec, serial, attach.mounts_of(at.spec, { serial }))
  local entry = attach.attached(at.now)[serial]
  if entry then
    save(world, at)
    return entry
  end
  entry = { serial = serial, port = attach.free_port(at.now) }
  if not entry.port then
    err.raise { message = ("%s: no slot is free for another disk"):format(at.spec.name), code = "EBUSY",
      hint = "let it be restarted: holos stop, then up" }
  end
  at.now.attached = table_.list(at.now.attached or {})
  table.insert(at.now.attached, entry)
  save(world, at)
  return entry
end

local function mount(world, at, serial, seeded)
  local done, reason = inside.as_root(world, at, live.attach(serial, attach.mounts_of(seeded, { serial })), GUEST_MS)
  if done then return end
  local _, volume = disks.node_of(at.spec, serial)
  err.raise { message = ("%s: volume %s is attached, and could not be mounted in the guest: %s"):format(at.spec.name, volume.volume,
    reason), hint = "the next up tries again; after holos stop, up mounts it when the guest starts" }
end

-- What was begun before and not seen to its end is begun anew.
local function take(world, at, serial, seeded)
  local node, volume = disks.node_of(at.spec, serial)
  local entry = slot_of(world, at, serial)
  do
    local session <close> = connect(world, at)
    if not entry.is_there then
      pull(session, at, node, entry)
      push(world, at, session, node, volume, entry)
      entry.is_there = true
      save(world, at)
    end
  end
  mount(world, at, serial, seeded)
end

local function forget(at, serial)
  at.now.attached = table_.list(table_.filter(at.now.attached, function(entry) return entry.serial ~= serial end))
end

-- Of a volume whose guest may have let go of it, nobody says any more that it is mounted; and once it has, QEMU may have, too.
local function leave(world, at, serial)
  local node, volume = disks.node_of(at.now.spec, serial)
  local places, entry = attach.mounts_of(at.now.spec, { serial }), attach.attached(at.now)[serial]
  at.now.spec.mounts = attach.moving(at.now.spec, serial, places)
  save(world, at)
  local done, reason = inside.as_root(world, { state = at.state, spec = at.now.spec, now = at.now },
    live.detach(serial, places), GUEST_MS)
  if not done then
    err.raise { message = ("%s: volume %s cannot be taken out of the guest: %s"):format(at.spec.name, volume.volume, reason),
      code = "EBUSY", hint = ("end what uses it, or let it be restarted: holos stop %s, then up"):format(at.spec.service) }
  end
  entry.is_there = nil
  save(world, at)
  local session <close> = connect(world, at)
  pull(session, at, node, entry)
  forget(at, serial)
  at.now.spec.mounts = attach.without(at.now.spec, { serial })
  save(world, at)
end

--- Takes volumes out of a machine that are no longer wanted there.
---@param at table  {state, spec: as wanted, now: its runtime, with the spec that it was launched with}
function M.detach(world, at)
  local moves = attach.moves(at.now.spec, at.spec)
  for _, serial in ipairs(moves and moves.detach or {}) do leave(world, at, serial) end
end

--- Gives a machine the volumes that are wanted, and its guest their places.
function M.attach(world, at)
  local moves = attach.moves(at.now.spec, at.spec)
  if not moves or #moves.attach == 0 then return end
  local reached, reason = inside.as_root(world, at, ":", REACH_MS)
  if not reached then
    err.raise { message = ("%s: nothing was attached, as its guest cannot be told: %s"):format(at.spec.name, reason),
      hint = "try again, or let it be restarted: holos stop, then up" }
  end
  local left, fresh = table_.copy(moves.attach), table_.filter(moves.attach, function(serial)
    return not (attach.attached(at.now)[serial] or {}).is_there
  end)
  local seeded = foreign.prepare(world, at.state, at.spec, fresh, at.on_change)
  for _, serial in ipairs(moves.attach) do
    take(world, at, serial, seeded)
    table.remove(left, 1)
    at.now.spec.mounts = attach.arrived(at.now.spec, at.spec, left)
    save(world, at)
  end
end

return M
