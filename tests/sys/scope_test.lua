-- A manager and a logind that hang, lie, refuse and talk nonsense: a warning at most, soon, and never an error.
local dbus = require "holos.core.dbus"
local scope = require "holos.run.scope"
local systemd = require "tests.support.systemd"
local task = require "holos.core.task"

local UNIT, ERROR = "holos-web.scope", "org.freedesktop.systemd1."
local WHAT = { project = "web", directory = "/state", projects = {} }
local SOON_MS = 300

-- A manager that starts the scope and takes us in; `changes` are what it does instead, by the call's member.
local function manager(host, changes, calls)
  return function(client, call)
    if calls then calls[#calls + 1] = call end
    local change = (changes or {})[call.member]
    if change then return change(client, call) end
    host.group = "0::/machine.slice/" .. UNIT .. "\n"
    if call.member == "AttachProcessesToUnit" then return client:answer(call, "") end
    client:answer(call, "o", "/job/1")
    client:removed("/job/1", "done")
  end
end

local function properties(client, call, values)
  local all = {}
  for name, value in pairs(values) do
    all[name] = dbus.variant(type(value) == "boolean" and "b" or type(value) == "table" and "as" or "s", value)
  end
  client:answer(call, "a{sv}", all)
end

-- A logind that knows ann (1000) and bob (1001); `wanted` is {kills, lingers, only, exclude}.
local function logind(wanted)
  return function(client, call)
    local uid = call.path:match("/user/_(%d+)$")
    if uid then
      local name = ({ ["0"] = "root", ["1000"] = "ann", ["1001"] = "bob" })[uid]
      if not name then return client:refuse(call, "org.freedesktop.DBus.Error.UnknownObject", "no such user") end
      return properties(client, call, { Name = name, Linger = wanted.lingers or false, State = "active" })
    end
    properties(client, call, { KillUserProcesses = wanted.kills or false, KillOnlyUsers = wanted.only or {},
      KillExcludeUsers = wanted.exclude or {} })
  end
end

local function enter(host) return task.within(10000, scope.enter, host.world, WHAT) or {} end

-- For those who never answer.
local function enter_soon(host)
  local before = scope.DEADLINE_MS
  scope.DEADLINE_MS = SOON_MS
  local _restored <close> = setmetatable({}, { __close = function() scope.DEADLINE_MS = before end })
  return enter(host)
end

-- What comes of it for root when the manager does `changes`.
local function as_root(changes, logins, hangs)
  local host = systemd.host { uid = 0 }
  local calls = {}
  local result = systemd.with(host, { system = manager(host, changes, calls), bus = logind { kills = true } }, logins,
    hangs and enter_soon or enter)
  return result, calls, host
end

local function as_user(wanted, answers, options)
  options = options or {}
  options.uid = 1000
  local host = systemd.host(options)
  answers = answers or { user = manager(host) }
  answers.bus = answers.bus or logind(wanted)
  return systemd.with(host, answers, nil, options.hangs and enter_soon or enter), host
end

test("root is taken into a scope of the system's manager by its own socket, in one connection", function()
  local result, calls, host = as_root()
  equal({ result, host.connected }, { { manager = "system" }, { "system" } })
  equal(#calls, 1)
  local unit, mode, list, others = table.unpack(calls[1].body)
  equal({ calls[1].member, calls[1].signature, unit, mode, others },
    { "StartTransientUnit", "ssa(sv)a(sa(sv))", UNIT, "replace", {} })
  local found = {}
  for _, property in ipairs(list) do found[property[1]] = property[2].value end
  equal(found.PIDs, { require("sys.proc").self().pid })
end)

test("a scope that is there takes us in; one that is just ending is started anew", function()
  local function exists(client, call) client:refuse(call, ERROR .. "UnitExists", "it is there") end
  local result, calls = as_root { StartTransientUnit = exists }
  equal(result, { manager = "system" })
  equal(calls[2].body, { UNIT, "", { require("sys.proc").self().pid } })
  local tries = 0
  result, calls = as_root { StartTransientUnit = function(client, call)
    tries = tries + 1
    if tries == 1 then return exists(client, call) end
    client:removed("/job/0", "failed") -- of somebody else
    client:removed("/job/1", "done") -- before the answer, and after it only in our own reading
    client:answer(call, "o", "/job/1")
  end, AttachProcessesToUnit = function(client, call) client:refuse(call, ERROR .. "NoSuchUnit", "gone") end }
  equal(#calls, 3)
  ok(result.warning:find("started without us", 1, true), result.warning) -- this one never moved anybody
end)

test("what a manager does wrong is one warning, soon", function()
  local function refuse(client, call) client:refuse(call, ERROR .. "UnitExists", "never\27[2J") end
  for what, changes in pairs {
    ["never?[2J"] = { StartTransientUnit = refuse, AttachProcessesToUnit = refuse },
    ["denied"] = { StartTransientUnit = function(client, call)
      client:refuse(call, "org.freedesktop.DBus.Error.AccessDenied", "denied")
    end },
    ["start of holos-web.scope: failed"] = { StartTransientUnit = function(client, call)
      client:answer(call, "o", "/job/1")
      client:removed("/job/1", "failed")
    end },
    ["without us"] = { StartTransientUnit = function(client, call)
      client:answer(call, "o", "/job/1")
      client:removed("/job/1", "done")
    end },
    ["answer of type 's'"] = { StartTransientUnit = function(client, call) client:answer(call, "s", "/job/1") end },
    ["byte order"] = { StartTransientUnit = function(client) client:send(("garbage"):rep(1000)) end },
    ["it has"] = { StartTransientUnit = function(client) client:send("l\1\0\1\255\255\255\127\1\0\0\0\0\0\0\0") end },
    ["closed the connection"] = { StartTransientUnit = function() return "goes" end },
    ["sends messages without end"] = { StartTransientUnit = function(client)
      for _ = 1, 2000 do client:removed("/job/2", "done") end
    end },
    ["of the kind 'signal' is no answer, so it timed out"] = { StartTransientUnit = function(client, call)
      client:send(dbus.encode { kind = "signal", serial = 8, path = "/a", interface = "a.b", member = "C",
        reply_serial = call.serial, signature = "o", body = { "/job/1" } })
      client:removed("/job/1", "done")
    end },
    ["of another path, so it timed out"] = { StartTransientUnit = function(client, call)
      client:answer(call, "o", "/job/1")
      client:send(dbus.encode { kind = "signal", serial = 8, path = "/other", interface = "org.freedesktop.systemd1.Manager",
        member = "JobRemoved", signature = "uoss", body = { 1, "/job/1", "x.scope", "done" } })
    end },
    ["timed out"] = { StartTransientUnit = function() end },
    ["timed out after"] = { StartTransientUnit = function(client, call) client:answer(call, "o", "/job/1") end },
  } do
    local result, calls = as_root(changes, nil, what:find("timed out", 1, true))
    equal(result.manager, nil, what)
    local wanted = what:match("timed out.*") or what
    ok(result.warning and result.warning:find(wanted, 1, true), ("%s: %s"):format(what, result.warning))
    ok(result.warning:find("end with this login; KillUserProcesses=no", 1, true), result.warning)
    ok(#calls <= 6, #calls)
  end
end)

test("what is no manager at all is one warning, too", function()
  for what, login in pairs {
    ["let us in"] = function(client) client:read_to "\r\n" client:send "REJECTED EXTERNAL\r\n" end,
    ["is no line"] = function(client) client:send(("x"):rep(100000)) end,
    ["timed out"] = function(client) client:read_to "never" end,
    ["closed the connection"] = function(client) client:read_to "\r\n" end,
  } do
    local result = as_root({}, { system = login, bus = login }, what == "timed out")
    ok(result.warning and result.warning:find(what, 1, true), ("%s: %s"):format(what, result.warning))
  end
  local host = systemd.host { uid = 0, peer_uid = 1234 }
  local result = systemd.with(host, { system = manager(host), bus = logind {} }, nil, enter)
  ok(result.warning:find("user 1234 answers there", 1, true), result.warning)
  host = systemd.host { uid = 0 }
  result = systemd.with(host, {}, nil, enter)
  ok(result.warning:find("may end with this login", 1, true), result.warning)
end)

test("without its own socket a manager is asked by the bus", function()
  local host = systemd.host { uid = 0 }
  equal(systemd.with(host, { bus = manager(host) }, nil, enter), { manager = "system" })
  host = systemd.host { uid = 1000, env = { XDG_RUNTIME_DIR = "/run/user/0" } }
  equal(systemd.with(host, { bus = logind { lingers = true }, user = manager(host) }, nil, enter), { manager = "user" })
  equal(host.connected, { "bus", "/run/user/0/systemd/private", "/run/user/0/bus", "user" })
  host = systemd.host { uid = 1000, env = { DBUS_SESSION_BUS_ADDRESS = "unix:path=/run/user/1000/bus,guid=1" } }
  equal(systemd.with(host, { bus = logind { lingers = true }, user_bus = manager(host) }, nil, enter), { manager = "user" })
end)

test("a user goes where logind's settings ask for it", function()
  equal(as_user { lingers = true }, { manager = "user" })
  equal(as_user { lingers = true, kills = true }, { manager = "user" })
  local result, host = as_user { kills = false }
  equal({ result, host.connected }, { {}, { "bus" } })
  for _, wanted in ipairs { { kills = true, exclude = { "ann" } }, { kills = true, only = { "bob" } } } do
    equal(as_user(wanted), {})
  end
  for _, wanted in ipairs { { kills = true }, { kills = true, only = { "ann" } }, { kills = true, exclude = { "bob" } } } do
    result = as_user(wanted)
    equal(result.manager, "user")
    ok(result.warning:find("last logout of ann; .*enable%-linger ann$"), result.warning)
  end
end)

test("in another's login it is the other's that counts, and who runs us that lingers", function()
  local function told(uid, wanted)
    local host = systemd.host { uid = uid }
    local user = systemd.with(host, { bus = logind(wanted), user = manager(host) }, nil, enter)
    return user, host
  end
  equal(told(1001, { kills = true, exclude = { "ann" } }), {})
  equal(told(1001, { lingers = true }), { manager = "user" })
  for _, uid in ipairs { 1001, 1002 } do -- 1002 has never logged in
    local result = told(uid, { kills = true, only = { "ann" } })
    equal(result.manager, "user")
    ok(result.warning:find("enable%-linger " .. (uid == 1001 and "bob" or "1002") .. "$"), result.warning)
  end
end)

test("a logind that says nothing of use leaves all where it is, with a warning", function()
  for what, answer in pairs {
    hangs = function() end,
    refuses = function(client, call) client:refuse(call, "org.freedesktop.DBus.Error.ServiceUnknown", "no logind") end,
    lacks = function(client, call) properties(client, call, { Name = "ann" }) end,
    lies = function(client, call)
      properties(client, call, { KillUserProcesses = "no", KillOnlyUsers = {}, KillExcludeUsers = {} })
    end,
  } do
    local result = as_user({}, { bus = answer }, { hangs = what == "hangs" })
    ok(result.warning and result.warning:find("may end with this login", 1, true), what)
    equal(result.manager, nil)
  end
end)

test("nobody is asked where no login can end anything, or where it is not wanted", function()
  for _, options in ipairs { { uid = 0, has_no_systemd = true }, { uid = 0, env = { HOLOS_SCOPE = "0" } },
    { uid = 0, group = "0::/system.slice/mine.service\n" }, { uid = 0, group = "0::/machine.slice/" .. UNIT .. "\n" } } do
    local host = systemd.host(options)
    equal({ scope.enter(host.world, WHAT), host.connected }, { nil, {} })
  end
end)

test("doctor tells what a logout does, and what helps", function()
  local doctor = require "holos.use.doctor"
  local function told(wanted, options)
    options = options or {}
    options.uid = options.uid or 1000
    local host = systemd.host(options)
    return systemd.with(host, { bus = logind(wanted) }, nil, function() return doctor.logout(host.world) end)
  end
  equal(told { lingers = true }, { name = "logout", status = "ok",
    text = "instances outlive it: a scope of your own systemd, which stays: you linger" })
  equal(told({}).text, "instances outlive it: the end of a login leaves them alone")
  equal(told({}, { has_no_systemd = true }), { name = "logout", status = "ok", text = "no logout ends what is started here" })
  equal(told { kills = true }, { name = "logout", status = "warn", text = "all instances end with the last logout of ann",
    fix = "to keep them, let the user's manager stay: sudo loginctl enable-linger ann" })
end)

test("a manager that never stops talking is given up, and an answer is found in noise", function()
  local host = systemd.host { uid = 0 }
  local noise = dbus.encode { kind = "signal", serial = 8, path = "/a", interface = "a.b", member = "UnitNew" }
  local result = systemd.with(host, { system = function(client, call)
    client:answer(call, "o", "/job/1")
    for _ = 1, 20 do pcall(client.send, client, noise:rep(100)) end -- we go meanwhile
    return "goes"
  end, bus = logind { kills = true } }, nil, enter)
  ok(result.warning:find("sends messages without end", 1, true), result.warning)
  equal(as_root { StartTransientUnit = function(client, call)
    client:send(noise:rep(300))
    client:answer(call, "o", "/job/1")
    client:send(noise:rep(300))
    client:removed("/job/1", "done")
  end }.warning:match("started without us"), "started without us")
end)

test("an address of a bus that names no socket is passed over", function()
  local host = systemd.host { uid = 1000, env = { DBUS_SESSION_BUS_ADDRESS = "unix:path=/tmp/x/" } }
  equal(systemd.with(host, { bus = logind { lingers = true }, user = manager(host) }, nil, enter), { manager = "user" })
end)

test("on a bus, a signal of somebody else ends no job", function()
  local host = systemd.host { uid = 0 }
  local function job(sender)
    return function(client, call)
      host.group = "0::/machine.slice/" .. UNIT .. "\n"
      client:send(dbus.encode { kind = "return", serial = 7, reply_serial = call.serial, sender = ":1.1", signature = "o",
        body = { "/job/1" } })
      client:send(dbus.encode { kind = "signal", serial = 8, path = "/org/freedesktop/systemd1", member = "JobRemoved",
        interface = "org.freedesktop.systemd1.Manager", sender = sender, signature = "uoss",
        body = { 1, "/job/1", "x.scope", "done" } })
    end
  end
  equal(systemd.with(host, { bus = job ":1.1" }, nil, enter), { manager = "system" })
  host = systemd.host { uid = 0 }
  ok(systemd.with(host, { bus = job ":1.9" }, nil, enter_soon).warning:find("timed out", 1, true))
end)
