--- Going back that was cut off, in plans: what `up` makes of it, and what commands do that leave it alone.
local consent = require "holos.plan.consent"
local diff = require "holos.plan.diff"
local reconcile = require "tests.support.reconcile"
local table_ = require "holos.core.table"

local spec, entry, state, stopped = reconcile.spec, reconcile.entry, reconcile.state, reconcile.stopped

local NEW_IMAGE = { path = "/images/fedora.qcow2", format = "qcow2", os = "systemd", mtime_ns = 2, inode = 2 }
local OLD, NEW, MORE = spec "a-0", spec("a-0", { image = NEW_IMAGE }), spec("a-0", { ["vm.memory_mib"] = 1024 })
local KEPT = spec("a-0", { cloud_init = { packages = { "nginx" } } })

local function going(over) return table_.merge({ spec = OLD, desired = "running", is_going_back = true }, over or {}) end
local function moved(over) return table_.merge({ spec = OLD, batch = "b", is_moved = true }, over or {}) end

-- What is recorded and seen; what the record is to say of it.
local CASES = {
  { "its old disk is in the trash", entry { spec = NEW, replaced = moved(), previous = going { has_new_disk = true, kept = KEPT } },
    state { applied = NEW } },
  { "the new disk was not made yet", entry { spec = NEW, disk_made = false, replaced = moved(),
    previous = going { has_new_disk = true } }, stopped { disk = false } },
  { "its old disk was being put back", entry { spec = NEW, replaced = moved { is_put_back = true } }, stopped { disk = false } },
  { "its old disk is back already", entry { spec = OLD, previous = going { has_new_disk = true } }, stopped() },
  { "its turn had not come", entry { spec = NEW, replaced = { spec = OLD, batch = "b" }, previous = going { has_new_disk = true } },
    state {} },
  { "it runs as changed", entry { spec = MORE, previous = going { kept = KEPT } }, state { applied = MORE } },
  { "it was stopped", entry { spec = MORE, previous = going() }, stopped() },
  { "its disk is gone", entry { spec = MORE, previous = going() }, stopped { disk = false } },
}

local function plan(case, wanted, more)
  return reconcile.plan { wanted = { wanted }, recorded = { ["a-0"] = case[2] }, seen = { ["a-0"] = case[3] }, more = more }
end

local function says(made)
  local intent, lines = made.intents["a-0"], { reconcile.text(made) }
  local previous = intent and intent.previous
  if intent then
    lines[2] = ("    recorded: %s, %d MiB%s%s"):format(intent.spec.image.path:match("[^/]+$"), intent.spec.vm.memory_mib,
      intent.kept and ", kept" or "", previous and (", before: %s%s%s"):format(previous.spec.image.path:match("[^/]+$"),
        previous.is_going_back and ", going back" or "", previous.kept and ", kept" or "") or "")
  end
  return table.concat(lines, "\n")
end

local HOW = {
  { "up, the file of before", OLD, { finishes = true } },
  { "up, the new file", NEW, { finishes = true } },
  { "up --recreate, the new file", NEW, { finishes = true, consent = consent.read({ recreate = { "" } }, { a = true }, {}) } },
  { "scale", NEW, { finishes = true, leave_known = true } },
  { "upgrade-hardware", NEW, { finishes = true, leave_known = true, renews = true } },
  { "create", OLD, { finishes = true, no_start = true } },
}

test("plans of what goes back", function()
  local lines = {}
  for _, case in ipairs(CASES) do
    for _, how in ipairs(HOW) do
      lines[#lines + 1] = ("%s; %s"):format(case[1], how[1])
      lines[#lines + 1] = says(plan(case, how[2], how[3]))
    end
    lines[#lines + 1] = ("%s; start"):format(case[1])
    lines[#lines + 1] = says(plan(case, case[2].spec))
  end
  golden("reconcile/back.txt", table.concat(lines, "\n") .. "\n")
end)

test("no plan for what goes back asks, recreates, or forgets where it goes back to before it is there", function()
  for _, case in ipairs(CASES) do
    for _, how in ipairs(HOW) do
      local made, where = plan(case, how[2], how[3]), case[1] .. "; " .. how[1]
      equal(#made.questions, 0, where)
      for _, action in ipairs(made.actions) do ok(action.kind ~= "instance.set_aside" or case[3].disk == false, where) end
      local intent = made.intents["a-0"]
      local is_moved = case[2].replaced and case[2].replaced.is_moved
      if intent and is_moved then
        equal({ intent.replaced, intent.previous.is_going_back, intent.spec }, { case[2].replaced, true, case[2].spec }, where)
      elseif intent and case[3].disk then
        equal(#diff.changes(intent.spec, OLD), 0, where)
      end
    end
  end
end)

test("others of a service that goes back are not changed by that up; who is only told keeps where it goes back to", function()
  local wanted = { spec("a-0", { ["vm.memory_mib"] = 1024 }), spec("a-1", { ["vm.memory_mib"] = 1024 }) }
  local recorded = { ["a-0"] = entry { spec = MORE, previous = going() }, ["a-1"] = entry { spec = spec "a-1" } }
  local seen = { ["a-0"] = state { applied = MORE }, ["a-1"] = state { applied = spec "a-1" } }
  local made = reconcile.plan { wanted = wanted, recorded = recorded, seen = seen, more = { finishes = true } }
  equal(table_.map(made.actions, function(action) return action.id end), { "stop/a-0", "launch/a-0", "gate/a-0/provisioned",
    "gate/a-1/provisioned" })
  equal(made.intents["a-1"].spec.vm.memory_mib, 512)

  made = reconcile.plan { wanted = {}, recorded = recorded, seen = seen, more = { finishes = true,
    others = { spec("a-0", { hosts_id = "2-b" }) } } }
  equal(made.intents["a-0"].previous, recorded["a-0"].previous)
  equal(made.warnings[1], "a-0 is on its way back to what it was, and left as it is; go on with: holos up")
end)

test("a recreation that is taken up again goes back to what was before the first of them", function()
  local before = { spec = OLD, desired = "stopped", kept = KEPT, has_new_disk = true }
  local made = reconcile.plan { wanted = { NEW }, seen = { ["a-0"] = state {} },
    recorded = { ["a-0"] = entry { spec = NEW, disk_made = false, replaced = { spec = OLD, batch = "b" }, previous = before } },
    more = { finishes = true, rollouts = { a = { parallelism = 1, delay_ms = 0, failure_action = "rollback" } } } }
  equal(made.intents["a-0"].previous, before)
end)

test("29 of 100 may fail where the file says 0.29", function()
  local case = { wanted = {}, recorded = {}, seen = {}, more = { rollouts = { a = { parallelism = 0, delay_ms = 0,
    failure_action = "rollback", max_failure_ratio = 0.29 } } } }
  for i = 0, 99 do
    local name = "a-" .. i
    case.wanted[i + 1] = spec(name, { ["vm.memory_mib"] = 1024 })
    case.recorded[name], case.seen[name] = entry { spec = spec(name) }, state { applied = spec(name) }
  end
  ok(reconcile.plan(case).promises[1].text:find("when more than 29 of 100 fail", 1, true))
end)
