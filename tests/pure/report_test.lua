local report = require "holos.plan.report"

local function said(...) return table.concat({ ... }, "\n") .. "\n" end

test("a boot and its steps, in the order in which they are told", function()
  equal(report.fold(""), { state = "booting" })
  equal(report.fold(said("holos1 boot")), { state = "booting" })
  equal(report.fold(said("holos1 boot", "holos1 ready")).state, "ready")
  local steps = said("holos1 boot", "holos1 ready", "holos1 step 2 3 nginx -t")
  equal(report.fold(steps), { state = "provisioning", step = 2, steps = 3, title = "nginx -t" })
  local done = report.fold(steps .. said("holos1 provisioned i-12"))
  equal({ done.state, done.instance_id }, { "provisioned", "i-12" })
end)

test("a failure keeps its log, and stays although more is said", function()
  local told = report.fold(said("holos1 boot", "holos1 ready", "holos1 step 1 2 make", "holos1 log a", "holos1 log b",
    "holos1 failed 1 7 make", "holos1 log c", "holos1 failed 2 1 other", "holos1 provisioned i-1"))
  equal(told.state, "failed")
  equal(told.failed, { step = 1, exit = 7, title = "make", log = { "a", "b" } })
end)

test("a guest that reboots by itself begins anew", function()
  equal(report.fold(said("holos1 boot", "holos1 failed 0 1 hosts", "holos1 boot", "holos1 ready")), { state = "ready" })
end)

test("a line is read when its end is there", function()
  equal(report.fold("holos1 boot\nholos1 ready").state, "booting")
  equal(report.fold("holos1 boot\nholos1 ready\n").state, "ready")
end)

test("hostile bytes: passed over, bounded, harmless", function()
  local told = report.fold(said("holos1 boot", "holos1", "holos1 ", "holos2 ready", "ready", "holos1 step",
    "holos1 step 0 1 a", "holos1 step 3 2 a", "holos1 step 99999 1 a", "holos1 step 1 2", "holos1 failed x y z",
    "holos1 provisioned ../../x",
    "holos1 provisioned " .. ("a"):rep(100), "holos1 __index x", "holos1 fold x", "\0\0\0", ("x"):rep(5000)))
  equal(told, { state = "booting" })
  told = report.fold(said("holos1 boot", "holos1 step 1 1 \27[2J\255\0" .. ("y"):rep(9000)))
  ok(utf8.len(told.title) and not told.title:find("%c"), told.title)
  ok(#told.title <= 2000)
  local lines = { "holos1 step 1 1 a" }
  for i = 1, 1000 do lines[#lines + 1] = "holos1 log " .. i end
  told = report.fold(said(table.unpack(lines)) .. said("holos1 failed 1 1 a"))
  equal(#told.failed.log, 20)
  equal(told.failed.log[20], "1000")
end)

test("random bytes never raise", function()
  math.randomseed(42)
  local words = {
    "holos1", "boot", "ready", "step", "log", "failed", "provisioned", " ", " ", "\n", "\n", "1", "2", "\0",
    "\255", "a",
  }
  for _ = 1, 2000 do
    local parts = {}
    for i = 1, math.random(40) do parts[i] = words[math.random(#words)] end
    local told = report.fold(table.concat(parts))
    ok(report.reached(told, "running"))
    report.reached(told, "provisioned")
  end
end)

test("only the end of an endless report is read", function()
  local flood = said("holos1 boot") .. ("holos1 log flood\n"):rep(200000) .. said("holos1 ready")
  equal(report.fold(flood).state, "ready")
end)

test("goals are ordered", function()
  ok(report.reached({ state = "booting" }, "running"))
  ok(not report.reached({ state = "booting" }, "ready"))
  ok(report.reached({ state = "provisioned" }, "ready"))
  ok(not report.reached({ state = "failed" }, "ready"))
end)

test("a summary comes to the state that it was made of", function()
  local reports = { "", "holos1 boot\n", "holos1 boot\nholos1 ready\n", "holos1 boot\nholos1 ready\nholos1 step 2 5 nginx -t\n",
    "holos1 boot\nholos1 ready\nholos1 step 1 1 x\nholos1 provisioned i-1234\n",
    "holos1 boot\nholos1 ready\nholos1 step 3 4 fetch\nholos1 log no \27[31mroute\nholos1 log at all\nholos1 failed 3 7 fetch\n" }
  for _, text in ipairs(reports) do equal(report.fold(report.summary(report.fold(text))), report.fold(text)) end
end)

test("what a guest has once reached stays known, when it has begun anew since then and is not there yet", function()
  local earlier = "holos1 boot\nholos1 ready\nholos1 provisioned i-1\nholos1 boot\n"
  equal({ report.has_ever_reached(earlier, "provisioned"), report.has_ever_reached(earlier, nil) }, { true, false })
  equal(report.fold(earlier).state, "booting")
  equal(report.has_ever_reached("holos1 boot\nholos1 ready\nholos1 boot\n", "provisioned"), false)
  equal(report.has_ever_reached("holos1 boot\nholos1 failed 1 2 x\nholos1 provisioned i-1\n", "provisioned"), false)
end)
