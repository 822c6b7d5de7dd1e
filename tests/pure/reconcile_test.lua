--- The reconcile table: what is planned for each state of a machine and each change of what is wanted, as text.
local consent = require "holos.plan.consent"
local diff = require "holos.plan.diff"
local reconcile = require "tests.support.reconcile"
local seed = require "holos.plan.seed"
local table_ = require "holos.core.table"

local spec = reconcile.spec
local PORT = { { host_ip = "127.0.0.1", host = 8080, guest = 80, protocol = "tcp" } }
local BEFORE = spec "a-0"
local RUNS, state, stopped, entry = reconcile.RUNS, reconcile.state, reconcile.stopped, reconcile.entry

local OLD = spec("a-0", { disk_bytes = 10 << 30 })
local function replaced(over) return table_.merge({ spec = OLD, batch = "b", was_running = true }, over or {}) end

-- What is, in the order of a machine's life.
local OBSERVED = {
  { "never seen" },
  { "recorded, no disk yet", entry { disk_made = false }, stopped { disk = false } },
  { "its disk is gone", entry(), stopped { disk = false } },
  { "stopped", entry { desired = "stopped" }, stopped { text = "stopped" } },
  { "crashed", entry(), stopped() },
  { "runs", entry(), RUNS },
  { "its launch was cut off", entry(), state { is_cut = true } },
  { "failed to provision", entry(), state { state = "failed", text = "failed: packages" } },
  { "paused", entry(), state { halt = { cure = "resume" }, text = "paused" } },
  { "panicked", entry(), state { halt = { cure = "restart" }, text = "guest panicked" } },
  { "to be recreated, not begun", entry { disk_made = false, replaced = replaced() }, state { applied = OLD } },
  { "recreated, disk not made yet", entry { disk_made = false, replaced = replaced { is_moved = true } },
    stopped { disk = false } },
  { "recreated, not seen to serve yet", entry { replaced = replaced { is_moved = true } }, RUNS },
  { "recreated, has served", entry { replaced = replaced { is_moved = true } }, stopped { has_served = true } },
}

-- What is wanted.
local WANTED = {
  { "the same", {} },
  { "other labels", { labels = { a = "b" } } },
  { "a port", { ports = PORT } },
  { "more memory", { ["vm.memory_mib"] = 1024 } },
  { "a package more", { cloud_init = { packages = { "nginx" } } } },
  { "another image", { image = { path = "/images/fedora.qcow2", format = "qcow2", os = "systemd", mtime_ns = 2, inode = 2 } } },
  { "a smaller disk", { disk_bytes = 5 << 30 } },
  { "a larger disk", { disk_bytes = 40 << 30 } },
}

local function unreadable(seen)
  seen.problem, seen.disk_bytes = "not a qcow2 image", nil
  return seen
end
OBSERVED[#OBSERVED + 1] = { "stopped, its disk cannot be read", entry(), unreadable(stopped()) }
OBSERVED[#OBSERVED + 1] = { "runs, its disk cannot be read", entry(), unreadable(state {}) }

local function case_of(observed, wanted, more)
  return { wanted = { spec("a-0", wanted) }, recorded = { ["a-0"] = observed[2] }, seen = { ["a-0"] = observed[3] }, more = more }
end

test("the plan for each state of a machine and each change of what is wanted", function()
  local lines, count = {}, 0
  for _, observed in ipairs(OBSERVED) do
    for _, wanted in ipairs(WANTED) do
      lines[#lines + 1] = ("%s; wanted: %s"):format(observed[1], wanted[1])
      lines[#lines + 1] = reconcile.text(reconcile.plan(case_of(observed, wanted[2])))
      count = count + 1
    end
  end
  golden("reconcile/states.txt", table.concat(lines, "\n") .. "\n")
  ok(count >= 80, count .. " cases")
end)

local RUNNING, PACKAGE, IMAGE = OBSERVED[6], WANTED[5][2], WANTED[6][2]

local function answered(options, words)
  return { consent = consent.read(options, { a = true, ["a-0"] = true, b = true }, words or {}) }
end

local KEPT = { "kept", entry { kept = spec("a-0", PACKAGE) }, RUNS }
local PROTECTED = { "protected", entry { spec = spec("a-0", { protect = true }) }, RUNS }
local FAILED, LOST, PENDING, UNREADABLE = OBSERVED[8], OBSERVED[3], OBSERVED[11], OBSERVED[15]

-- Each with what the user has said.
local ANSWERS = {
  { "reprovision", RUNNING, PACKAGE, answered { reprovision = { "" } } },
  { "reprovision for another service", RUNNING, PACKAGE, answered { reprovision = { "b" } } },
  { "reprovision of what stopped", OBSERVED[5], PACKAGE, answered { reprovision = { "a" } } },
  { "reprovision a second time", { "", entry { provision_runs = 1 }, RUNS }, PACKAGE, answered { reprovision = { "a-0" } } },
  { "reprovision does not answer for an image", RUNNING, IMAGE, answered { reprovision = { "" } } },
  { "reprovision of what failed", FAILED, {}, answered { reprovision = { "a" } } },
  { "reprovision of what has not changed", RUNNING, {}, answered { reprovision = { "a" } } },
  { "keep", RUNNING, PACKAGE, answered { keep = { "" } } },
  { "keep the image", RUNNING, IMAGE, answered { keep = { "a" } } },
  { "keep, and more memory beside", RUNNING, { cloud_init = PACKAGE.cloud_init, ["vm.memory_mib"] = 1024 },
    answered { keep = { "" } } },
  { "keep the larger disk", RUNNING, WANTED[7][2], answered { keep = { "" } } },
  { "kept before, the same file", KEPT, PACKAGE },
  { "kept before, another change", KEPT, { cloud_init = { packages = { "php" } } } },
  { "kept before, the file as it was", KEPT, {} },
  { "kept before, now reprovision", KEPT, PACKAGE, answered { reprovision = { "" } } },
  { "reprovision that was not carried out, the old file again", { "", entry { spec = spec("a-0", table_.merge(PACKAGE,
    { instance_id = "i-1+1" })), provision_runs = 1 }, RUNS }, {} },
  { "reprovision that was not carried out, the same file", { "", entry { spec = spec("a-0", table_.merge(PACKAGE,
    { instance_id = "i-1+1" })), provision_runs = 1 }, RUNS }, table_.merge(PACKAGE, { instance_id = "i-1+1" }) },
  { "ids are made in another way by now", RUNNING, { instance_id = "i-other" } },
  { "recreate", RUNNING, IMAGE, answered { recreate = { "" } } },
  { "recreate what stopped", OBSERVED[4], IMAGE, answered { recreate = { "a" } } },
  { "recreate for a package", RUNNING, PACKAGE, answered { recreate = { "a" } } },
  { "recreate of what has not changed", RUNNING, {}, answered { recreate = { "a" } } },
  { "recreate a lost disk", LOST, {}, answered { recreate = { "a" } } },
  { "recreate a protected one", PROTECTED, table_.merge(IMAGE, { protect = true }), answered { recreate = { "" } } },
  { "a protected one is asked for less", PROTECTED, table_.merge(IMAGE, { protect = true }) },
  { "the instance's answer goes before that for all", RUNNING, PACKAGE, answered { keep = { "" }, recreate = { "a-0" } } },
  { "what was said of the service does not fit, so nothing was", RUNNING, IMAGE,
    answered { recreate = { "" }, reprovision = { "a" } } },
  { "recreate what cannot be read", UNREADABLE, {}, answered { recreate = { "a-0" } } },
  { "recreate what cannot be read and is protected", { "", PROTECTED[2], UNREADABLE[3] }, { protect = true },
    answered { recreate = { "" } } },
  { "force-recreate", RUNNING, {}, answered { force_recreate = true } },
  { "force-recreate of another", RUNNING, {}, answered({ force_recreate = true }, { "b" }) },
  { "force-recreate, but not of what is to be kept", RUNNING, {}, answered { force_recreate = true, keep = { "a" } } },
  { "force-recreate, but for one instance", RUNNING, IMAGE, answered({ force_recreate = true, keep = { "a-0" } }, { "a" }) },
  { "force-recreate of a service, all others kept", RUNNING, {}, answered({ force_recreate = true, keep = { "" } }, { "a" }) },
  { "force-recreate a protected one", PROTECTED, { protect = true }, answered { force_recreate = true } },
  { "no-recreate", RUNNING, IMAGE, answered { no_recreate = true } },
  { "recreation that is not begun, the old file again", PENDING, { disk_bytes = 10 << 30 } },
  { "recreation that is not begun, yet another image", PENDING, IMAGE },
  { "nothing is started: new", OBSERVED[1], {}, { no_start = true } },
  { "nothing is started: runs, more memory", RUNNING, WANTED[4][2], { no_start = true } },
  { "nothing is started: stopped", OBSERVED[4], {}, { no_start = true } },
  { "left as it is: more memory", RUNNING, WANTED[4][2], { leave_known = true } },
  { "left as it is: another image", RUNNING, IMAGE, { leave_known = true } },
  { "left as it is: stopped", OBSERVED[4], IMAGE, { leave_known = true } },
  { "left as it is: names of others", RUNNING, { hosts_id = "2-b" }, { leave_known = true } },
  { "detached", RUNNING, WANTED[4][2], { goal = "running" } },
  { "detached recreation settles later", RUNNING, IMAGE, table_.merge(answered { recreate = { "" } }, { goal = "running" }) },
}

test("the plan with what the user has said", function()
  local lines = {}
  for _, case in ipairs(ANSWERS) do
    lines[#lines + 1] = case[1]
    lines[#lines + 1] = reconcile.text(reconcile.plan(case_of(case[2], case[3], case[4])))
  end
  golden("reconcile/answers.txt", table.concat(lines, "\n") .. "\n")
end)

-- -- several machines ----------------------------------------------------------------------------------------------------

local function all_running(specs)
  local recorded, seen = {}, {}
  for _, each in ipairs(specs) do
    recorded[each.name] = entry { spec = each }
    seen[each.name] = state { applied = each }
  end
  return recorded, seen
end

local DB = { healthcheck = { test = { "CMD", "true" } } }
local NEEDS_DB = { depends_on = { { service = "db", condition = "auto" } } }

local function several(wanted, before, more, volumes)
  local recorded, seen = all_running(before)
  return reconcile.text(reconcile.plan { wanted = wanted, recorded = recorded, seen = seen, more = more, volumes = volumes })
end

local function three(changes) return { spec("web-0", changes), spec("web-1", changes), spec("web-2", changes) } end

local SEVERAL = {
  { "a first up", { spec("db-0", DB), spec("web-0", NEEDS_DB), spec("web-1", NEEDS_DB) }, {} },
  { "one more", { spec("web-0", { hosts_id = "2-b" }), spec("web-1", { hosts_id = "2-b" }) }, { spec "web-0" } },
  { "one less", { spec("web-0", { hosts_id = "1-a" }) }, { spec("web-0", { hosts_id = "2-b" }),
    spec("web-1", { hosts_id = "2-b" }) } },
  { "one less, protected", { spec("web-0", { protect = true }) }, { spec("web-0", { protect = true }),
    spec("web-1", { protect = true }) } },
  { "none left", {}, { spec "web-0" }, { managed = { web = true }, declared = { web = true } } },
  { "an orphan", { spec "web-0" }, { spec "web-0", spec "old-0" } },
  { "an orphan to be removed", { spec "web-0" }, { spec "web-0", spec "old-0" }, { remove_orphans = true } },
  { "a protected orphan to be removed", { spec "web-0" }, { spec "web-0", spec("old-0", { protect = true }) },
    { remove_orphans = true } },
  { "a service that is turned off", { spec "web-0" }, { spec "web-0", spec "off-0" },
    { declared = { web = true, off = true } } },
  { "only one service, the other has changed", { spec "web-0" }, { spec "web-0", spec "db-0" },
    { others = { spec("db-0", { ["vm.memory_mib"] = 1024 }) }, declared = { web = true, db = true } } },
  { "only one service, the other is told names", { spec("web-0", { hosts_id = "2-b" }) }, { spec "db-0" },
    { others = { spec("db-0", { hosts_id = "2-b" }) }, declared = { web = true, db = true } } },
  { "a dependency restarts", { spec("db-0", table_.merge(DB, { stop_grace_ms = 30000 })), spec("web-0", NEEDS_DB) },
    { spec("db-0", { healthcheck = DB.healthcheck, ["vm.memory_mib"] = 256 }), spec("web-0", NEEDS_DB) } },
  { "two questions of one service are one", { spec("web-0", PACKAGE), spec("web-1", PACKAGE), spec("db-0", IMAGE) },
    { spec "web-0", spec "web-1", spec "db-0" } },
  { "a question, and another change that is made whatever is answered",
    { spec("web-0", table_.merge(PACKAGE, { ["vm.memory_mib"] = 1024 })), spec("web-1", PACKAGE) },
    { spec "web-0", spec "web-1" } },
  { "a port goes from one to the other", { spec "web-0", spec("api-0", { ports = PORT }) },
    { spec("web-0", { ports = PORT }), spec "api-0" } },
  { "in groups of one", three { ["vm.memory_mib"] = 1024 }, three(),
    { rollouts = { web = { parallelism = 1, delay_ms = 5000, failure_action = "pause" } } } },
  { "in groups of two, whatever fails", three { ["vm.memory_mib"] = 1024 }, three(),
    { rollouts = { web = { parallelism = 2, delay_ms = 0, failure_action = "continue" } } } },
  { "recreated in groups of one, detached", three(), three(), { goal = "running",
    rollouts = { web = { parallelism = 1, delay_ms = 0, failure_action = "pause" } },
    consent = consent.read({ force_recreate = true }, {}, {}) } },
  { "all at once", three { ["vm.memory_mib"] = 1024 }, three(),
    { rollouts = { web = { parallelism = 0, delay_ms = 0, failure_action = "pause" } } } },
  { "in groups of one, all go back when one fails", three { ["vm.memory_mib"] = 1024 }, three(),
    { rollouts = { web = { parallelism = 1, delay_ms = 0, monitor_ms = 0, failure_action = "rollback" } } } },
  { "recreated at once and watched, detached; all go back when two fail", three(), three(), { goal = "running",
    rollouts = { web = { parallelism = 0, delay_ms = 0, monitor_ms = 9000, failure_action = "rollback", max_failure_ratio = 0.5,
      back = { parallelism = 2, delay_ms = 7000 } } },
    consent = consent.read({ force_recreate = true }, {}, {}) } },
  { "in groups of two that stay well, a third may fail", three { ["vm.memory_mib"] = 1024 }, three(),
    { rollouts = { web = { parallelism = 2, delay_ms = 0, monitor_ms = 9000, failure_action = "pause",
      max_failure_ratio = 0.34 } } } },
  { "nothing goes back that is only started, or only changed live",
    three { stop_grace_ms = 1 }, three(), { rollouts = { web = { parallelism = 1, delay_ms = 0, failure_action = "rollback" } } } },
  { "what is not started does not go back", three { ["vm.memory_mib"] = 1024 }, three(), { no_start = true,
    rollouts = { web = { parallelism = 1, delay_ms = 0, failure_action = "rollback" } } } },
  { "start of one replica", { spec "web-0" }, { spec "web-0", spec "web-1" }, { managed = false, declared = false } },
}

test("the plan for several machines", function()
  local lines = {}
  for _, case in ipairs(SEVERAL) do
    lines[#lines + 1] = case[1]
    lines[#lines + 1] = several(case[2], case[3], case[4])
  end
  golden("reconcile/several.txt", table.concat(lines, "\n") .. "\n")
end)

-- -- fields --------------------------------------------------------------------------------------------------------------

test("a field that is added to the list later changes nothing for what was recorded without it", function()
  local position = #diff.FIELDS + 1
  diff.FIELDS[position] = { name = "of tomorrow", key = "image", get = function(s) return s.of_tomorrow end, show = tostring }
  local text = reconcile.text(reconcile.plan(case_of(RUNNING, {})))
  local kept = reconcile.text(reconcile.plan(case_of(KEPT, PACKAGE)))
  diff.FIELDS[position] = nil
  equal(text, "    gate/a-0/provisioned")
  ok(kept:find("= a-0", 1, true), kept)
end)

test("whatever changes the first part is seen by one of its fields, and what is kept is the recorded one", function()
  local CHANGES = { user = "anna", packages = { "x" }, write_files = { { path = "/a", content = "b" } }, runcmd = { "true" },
    extra = { ntp = {} }, ssh_authorized_keys = { "ssh-rsa AAAA me" }, user_data = "#cloud-config" }
  for key, value in pairs(CHANGES) do
    local changed = spec("a-0", { cloud_init = { [key] = value } })
    ok(seed.first_hash_input(changed) ~= seed.first_hash_input(BEFORE), key)
    equal(#diff.grave(diff.changes(BEFORE, changed)), 1, key)
    equal(diff.changes(BEFORE, diff.keep(BEFORE, changed)), {}, key)
  end
  for _, change in ipairs { IMAGE, WANTED[7][2] } do
    equal(diff.changes(BEFORE, diff.keep(BEFORE, spec("a-0", change))), {})
  end
end)

test("what a running machine takes over is what the plan calls live, and no more", function()
  local wanted = spec("a-0", { ports = PORT, labels = { a = "b" }, stop_grace_ms = 1, ["vm.memory_mib"] = 1024, hosts_id = "2-b" })
  local left = diff.changes(diff.taken_over(BEFORE, wanted), wanted)
  equal({ #left, left[1].name }, { 1, "memory" })
end)

test("answers that exclude each other, and names that are none, are wrong usage", function()
  local known = { web = true }
  for _, options in ipairs { { keep = { "web" }, recreate = { "web" } }, { no_recreate = true, force_recreate = true },
    { keep = { "shop" } }, { reprovision = { "" }, no_recreate = true } } do
    local fine, problem = pcall(consent.read, options, known, {})
    equal({ fine, problem.exit }, { false, 64 })
  end
  equal(consent.read({ keep = { "web", "" } }, known, {}).keep, { web = true, [""] = true })
end)

test("an answer at the terminal is for the instances that were asked about: who was declined before stays", function()
  local wanted = { spec("a-0", IMAGE), spec("a-1", IMAGE) }
  local one, other = RUNNING[3], state { applied = spec "a-1" }
  local function plan(answers)
    return reconcile.plan { wanted = wanted, seen = { ["a-0"] = one, ["a-1"] = other },
      recorded = { ["a-0"] = entry { kept = wanted[1] }, ["a-1"] = entry { spec = spec "a-1" } },
      more = { consent = consent.with(consent.none(), answers) } }
  end
  local question = plan({}).questions[1]
  equal({ question.instances, question.target }, { { "a-1" }, "a-1" })
  local text = reconcile.text(plan { ["a-1"] = "recreate" })
  ok(text:find("disk/a-1", 1, true) and not text:find("disk/a-0", 1, true), text)
end)

test("--force-recreate and the opposite for the very same are refused as usage", function()
  for _, words in ipairs { {}, { "a" } } do
    local all = { words[1] or "" }
    for _, kind in ipairs { "keep", "reprovision" } do
      local options = { force_recreate = true, [kind] = all }
      raises("--force-recreate and --" .. kind .. " are both given", consent.read, options, { a = true }, words)
    end
  end
end)

local HOOKS = { post_start = { { command = { "app", "warm up" } }, { command = { "app", "open" } } },
  pre_stop = { { command = { "app", "drain" } } } }

local function rows_of(seen, wanted, more)
  local plan = reconcile.plan { wanted = { spec("a-0", wanted or HOOKS) }, more = more,
    recorded = seen and { ["a-0"] = entry { spec = spec("a-0", HOOKS) } } or {}, seen = { ["a-0"] = seen } }
  local rows = {}
  for i, row in ipairs(plan.rows) do rows[i] = ("%s %s @%s"):format(row.mark, row.text:match("^(.-)   ") or row.text, row.where) end
  return rows
end

test("commands of a start and a stop are rows of what brings them", function()
  local runs = state { applied = spec("a-0", HOOKS), runtime = { post_start = { done = 2 } } }
  local starts = "· runs `app 'warm up'`, then `app open` once it is provisioned @services.a.post_start"
  local stops = "· runs `app drain` before it stops @services.a.pre_stop"
  equal(rows_of(), { "+ debian.qcow2 @services.a", starts })
  equal(rows_of(runs), {})
  equal(rows_of(stopped()), { "~ start @nil", starts })
  local larger = table_.merge(HOOKS, { ["vm.memory_mib"] = 1024 })
  equal(rows_of(runs, larger), { "~ restart @services.a.vm.memory_mb", stops, starts })
  local anew = { consent = consent.read({ force_recreate = true }, {}, {}) }
  equal(rows_of(runs, HOOKS, anew), { "~ recreate @services.a", stops, starts })
  runs.runtime = { post_start = { done = 1, failed = { why = "exit 1" } } }
  equal(rows_of(runs), { "· runs `app open` once it is provisioned @services.a.post_start" })
  equal(rows_of(runs, HOOKS, { goal = "running" }), {})
end)
