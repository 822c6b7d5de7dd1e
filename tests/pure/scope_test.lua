-- Which login can end what we start, where it is to go, and what is said of it.
local scope = require "holos.plan.scope"

local USER = "/user.slice/user-1000.slice/"

local function v2(path) return "0::" .. path .. "\n" end

test("logins are told from what nobody's logout ends", function()
  local session = { kind = "session", uid = 1000, unit = "session-3.scope" }
  for text, wanted in pairs {
    [v2(USER .. "session-3.scope")] = session,
    [v2(USER .. "session-3.scope/below")] = session,
    ["12:pids:/user.slice/user-1000.slice\n1:name=systemd:" .. USER .. "session-3.scope\n0::/\n"] = session,
    ["1:name=systemd:" .. USER .. "session-3.scope\n0::" .. USER .. "session-3.scope\n"] = session,
    [v2 "/user.slice/user-0.slice/session-c1.scope"] = { kind = "session", uid = 0, unit = "session-c1.scope" },
    [v2(USER .. "user@1000.service/app.slice/vte-spawn-1.scope")] = { kind = "manager", uid = 1000, unit = "vte-spawn-1.scope" },
    [v2(USER .. "user@1000.service/init.scope")] = { kind = "manager", uid = 1000, unit = "init.scope" },
    [v2 "/system.slice/cron.service"] = false,
    [v2 "/system.slice/run-r12.scope"] = false,
    [v2 "/machine.slice/holos-web.scope"] = false,
    [v2(USER .. "user@1000.service/app.slice/mine.service")] = { kind = "unit", uid = 1000, unit = "mine.service" },
    [v2(USER .. "user@1000.service/app.slice/run-u8.service")] = false,
    [v2(USER .. "user@1000.service/app.slice/app-org.kde.konsole@1.service")] = { kind = "manager", uid = 1000,
      unit = "app-org.kde.konsole@1.service" },
    [v2(USER .. "user@1000.service/app.slice/gnome-terminal-server.service")] = { kind = "manager", uid = 1000,
      unit = "gnome-terminal-server.service" },
    [v2(USER .. "mine.service")] = false,
    [v2(USER .. "user@1000.service/app.slice/holos-web.scope")] = false,
    [v2(USER .. "user@1000.service/app.slice/run-u7.scope")] = false,
    [v2(USER .. "nothing")] = false,
    [v2 "/"] = false, [v2 "/init.scope"] = false, [""] = false, ["\0\255"] = false,
    [v2 "/user.slice/user-99999999999999999999.slice/session-1.scope"] = false,
  } do
    equal(scope.login(text) or false, wanted, text)
  end
end)

test("a scope of ours is known by its name", function()
  equal(scope.ours(v2(USER .. "user@1000.service/app.slice/holos-web.scope")), "holos-web.scope")
  equal(scope.ours("1:name=systemd:/machine.slice/holos.scope\n0::/\n"), "holos.scope")
  equal(scope.ours(v2 "/system.slice/holos-web.service"), nil)
  equal(scope.ours(v2(USER .. "session-3.scope")), nil)
  equal({ scope.unit "web", scope.unit() }, { "holos-web.scope", "holos.scope" })
  ok(#scope.unit(("x"):rep(1000)) < 256)
end)

local SESSION = { kind = "session", uid = 1000, unit = "session-3.scope" }
local MANAGER = { kind = "manager", uid = 1000, unit = "a.scope" }
local OWN_UNIT = { kind = "unit", uid = 1000, unit = "mine.service" }
local LINGERS, KILLS = { name = "ann", lingers = true, kills = true }, { name = "ann", lingers = false, kills = true }
local LEAVES = { name = "ann", lingers = false, kills = false }

test("where to go: root to the system, who lingers to the own manager, others only where the session would be ended", function()
  for _, case in ipairs {
    { SESSION, 0, nil, "system" }, { MANAGER, 0, nil, "system" },
    { SESSION, 1000, LINGERS, "user" }, { SESSION, 1000, KILLS, "user" }, { SESSION, 1000, LEAVES, nil },
    { SESSION, 1000, nil, nil },
    { MANAGER, 1000, LINGERS, "user" }, { MANAGER, 1000, KILLS, "user" }, { MANAGER, 1000, LEAVES, "user" },
    { MANAGER, 1000, nil, "user" }, { OWN_UNIT, 1000, LEAVES, nil }, { OWN_UNIT, 1000, LINGERS, nil }, { OWN_UNIT, 0, nil, nil },
  } do
    equal(scope.manager(case[1], case[2], case[3]), case[4], ("%s %d"):format(case[1].kind, case[2]))
  end
end)

test("what is said: nothing where all is well, else what will happen and what helps", function()
  for i, case in ipairs {
    { SESSION, 0, nil, "system" }, { SESSION, 1000, LINGERS, "user" }, { SESSION, 1000, LEAVES, nil },
    { SESSION, 0, LEAVES, nil, "it hangs" }, { MANAGER, 1000, LINGERS, "user" }, { MANAGER, 1000, LINGERS, nil, "it hangs" },
    { OWN_UNIT, 1000, LINGERS, nil },
  } do
    equal(scope.warning(table.unpack(case, 1, 5)), nil, i)
  end
  for i, case in ipairs {
    { SESSION, 1000, KILLS, "user", nil, "end with the last logout of ann", "enable-linger ann" },
    { MANAGER, 1000, LEAVES, "user", nil, "end with the last logout of ann", "enable-linger ann" },
    { OWN_UNIT, 1000, LEAVES, nil, nil, "end with the last logout of ann", "enable-linger ann" },
    { OWN_UNIT, 1000, nil, nil, nil, "may end with this login", "enable-linger 1000" },
    { SESSION, 1000, KILLS, nil, "it hangs", "(it hangs), so they end with this login", "enable-linger ann" },
    { SESSION, 1000, LINGERS, nil, "it hangs", "(it hangs), so they end with this login", "KillUserProcesses=no" },
    { SESSION, 1000, nil, nil, nil, "may end with this login", "enable-linger 1000" },
    { SESSION, 0, nil, nil, "it hangs", "(it hangs), so they may end", "KillUserProcesses=no" },
    { SESSION, 0, KILLS, nil, "it hangs", "(it hangs), so they end", "KillUserProcesses=no" },
  } do
    local said = scope.warning(table.unpack(case, 1, 5)) or ""
    ok(said:find(case[6], 1, true) and said:find(case[7], 1, true), ("%d: %s"):format(i, said))
  end
end)

local function entry(service, grace_ms, ...)
  local needs = {}
  for i, name in ipairs { ... } do needs[i] = { service = name } end
  return { spec = { service = service, stop_grace_ms = grace_ms, depends_on = needs } }
end

test("the time to end is that of the longest chain of guests", function()
  equal({ scope.stop_ms {}, scope.stop_ms { a = entry("a", 60000) } }, { scope.LEAST_MS, scope.LEAST_MS })
  local one = scope.stop_ms { a = entry("a", 600000) }
  ok(one >= scope.STOP_MS + 600000)
  equal(scope.stop_ms { a = entry("a", 600000), b = entry("b", 500000) }, one)
  equal(scope.stop_ms { a0 = entry("a", 600000), a1 = entry("a", 1000) }, one)
  ok(scope.stop_ms { a = entry("a", 600000), b = entry("b", 50000, "a"), c = entry("c", 1, "b", "gone") } >= one + 50001)
  equal(scope.longest_ms { {}, { a = entry("a", 600000) }, { a = entry("a", 60000) } }, one)
  equal(scope.longest_ms {}, scope.LEAST_MS)
end)

test("a scope that was started when less was asked of it is told of", function()
  equal(scope.shortfall("holos-web.scope", 300000, 300000), nil)
  local said = scope.shortfall("holos-web.scope", 300000, 650000)
  ok(said:find("holos-web.scope was started to end within 5 min, and guests may take 11 min", 1, true), said)
end)

test("a scope's properties", function()
  local function of(manager)
    local found = {}
    for _, property in ipairs(scope.properties { manager = manager, project = "web", pid = 7, stop_ms = 100, signal = 23,
      directory = "/state" }) do found[property[1]] = property[3] end
    return found
  end
  local system, user = of "system", of "user"
  equal({ system.PIDs, system.KillSignal, system.TimeoutStopUSec, system.RequiresMountsFor, system.DelegateControllers },
    { { 7 }, 23, 100000, { "/state" }, {} })
  equal({ system.Slice, user.Slice, user.Description }, { "machine.slice", nil, "holos project web" })
end)
