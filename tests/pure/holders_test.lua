-- Who has a volume, and who is to have it next.
local reconcile = require "tests.support.reconcile"

local spec, state, stopped, entry = reconcile.spec, reconcile.state, reconcile.stopped, reconcile.entry

local function mounts(read_only)
  return { mounts = { { kind = "volume", volume = "data", serial = "vol-data", target = "/data", read_only = read_only } } }
end

local function plan_of(case)
  local foreign = case.foreign or {}
  case.more = { disk_of = function(mount) return "1:" .. mount.volume, "/volumes/" .. mount.volume end,
    foreign_users = function(id) return id == "1:data" and foreign or {} end, managed = case.managed }
  case.volumes, case.disks = { data = { size_bytes = 1 << 30 } }, { data = { size_bytes = 1 << 30 } }
  return reconcile.plan(case)
end

local function action(plan, id)
  for _, one in ipairs(plan.actions) do
    if one.id == id then return table.concat(one.after, " ") end
  end
end

local function refusals(plan)
  local list = {}
  for i, refusal in ipairs(plan.refusals) do
    list[i] = ("%s: %s %s"):format(refusal.instance, refusal.change.name, refusal.change.from)
  end
  return list
end

-- a-0 has the volume, b-0 is to get it.
local function moved(over)
  local has = spec("a-0", mounts())
  return plan_of { wanted = { spec("b-0", mounts()), spec("a-0", over) },
    recorded = { ["a-0"] = entry { spec = has } }, seen = { ["a-0"] = state { applied = has } } }
end

test("a launch waits for the stop of the machine that gives the volume up", function()
  local plan = moved()
  equal({ refusals(plan), action(plan, "launch/b-0") }, { {}, "disk/b-0 stop/a-0" })
end)

test("where that stop waits for the launch itself, it is refused", function()
  local plan = moved { depends_on = { { service = "b", condition = "auto" } } }
  equal(refusals(plan), { "b-0: volume data in use by a-0" })
end)

test("a machine that keeps it, or that nobody stops, is a refusal; readers are none for readers", function()
  local keeps = spec("a-0", mounts(true))
  local function beside(b, seen)
    return refusals(plan_of { wanted = { b }, recorded = { ["a-0"] = entry { spec = keeps } }, seen = { ["a-0"] = seen },
      managed = {} })
  end
  equal(beside(spec("b-0", mounts()), state { applied = keeps }), { "b-0: volume data in use by a-0" })
  equal(beside(spec("b-0", mounts(true)), state { applied = keeps }), {})
  equal(beside(spec("b-0", mounts()), stopped()), {})
end)

test("machines of other projects count by what they write", function()
  local function with(can_write, read_only)
    return refusals(plan_of { wanted = { spec("b-0", mounts(read_only)) },
      foreign = { { name = "x-0 of project other", path = "/volumes/data", can_write = can_write } } })
  end
  equal(with(true, true), { "b-0: volume data in use by x-0 of project other" })
  equal(with(false, false), { "b-0: volume data in use by x-0 of project other" })
  equal(with(false, true), {})
end)
