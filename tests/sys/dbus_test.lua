-- The D-Bus codec and connection, judged by the reference bus: what it lets through is right, and what busctl makes of our
-- bytes, and we of its, is the same.
local bus_ = require "holos.run.bus"
local dbus = require "holos.core.dbus"
local json = require "sys.json"
local proc = require "sys.proc"
local program = require "tests.support.program"
local task = require "holos.core.task"
local tool = require "tests.support.tool"
local world = require "holos.run.world"

local BUS = "org.freedesktop.DBus"
local SIGNATURE = "ybnqiuxtdsogas(sa{sv})a{sv}v"
--- The same values as words of busctl.
local WORDS = { "255", "true", "-32768", "65535", "-2147483648", "4294967295", "-9223372036854775808", "9223372036854775807",
  "0.5", "é ü", "/a/b_1", "a{sv}", "2", "", "x", "one", "1", "k", "s", "v", "1", "pids", "au", "2", "1", "4294967295", "(si)",
  "two", "-1" }
local VALUES = { 255, true, -32768, 65535, -2147483648, 4294967295, math.mininteger, math.maxinteger, 0.5, "é ü", "/a/b_1", "a{sv}",
  { "", "x" }, { "one", { k = dbus.variant("s", "v") } }, { pids = dbus.variant("au", { 1, 4294967295 }) },
  dbus.variant("(si)", { "two", -1 }) }

local function with_bus(body)
  if not tool.find "dbus-daemon" then skip "dbus-daemon is not here" end
  local directory = tmpdir()
  local address = ("unix:path=%s/bus"):format(directory)
  local daemon <close> = program.start { "sh", "-c", 'exec dbus-daemon "$@" 2>/dev/null', "sh", "--session", "--nofork",
    "--nopidfile", "--address=" .. address, "--print-address=1" }
  ok(daemon:line():find("bus", 1, true))
  local connection <close> = task.within(10000, bus_.connect, world, { directory = directory, name = "bus" })
  return task.within(30000, body, connection, address)
end

local function ask(connection, member, signature, body, gives)
  return connection:call({ destination = BUS, path = "/org/freedesktop/DBus", interface = BUS, member = member,
    signature = signature, body = body }, gives)
end

test("the bus knows who we are, and says what it lacks", function()
  with_bus(function(connection)
    local names = ask(connection, "ListNames", "", {}, "as")[1]
    local own = names[#names]:find("^:") and names[#names] or names[1]
    local told = ask(connection, "GetConnectionCredentials", "s", { own }, "a{sv}")[1]
    equal(told.ProcessID.value, proc.self().pid)
    local done, problem = pcall(ask, connection, "Nothing", "s", { "x" }, "")
    equal({ done, problem.name }, { false, "org.freedesktop.DBus.Error.UnknownMethod" })
  end)
end)

test("what busctl sends is read as it was meant", function()
  if not tool.find "busctl" then skip "busctl is not here" end
  with_bus(function(connection, address)
    connection:listen "type='signal',interface='org.holos.Test'"
    local sent = tool.run { tool.find "busctl", "--address=" .. address, "--", "emit", "/org/holos", "org.holos.Test", "Said",
      SIGNATURE, table.unpack(WORDS) }
    equal(sent.status, 0, sent.stderr)
    local message = connection:signal(nil, function(message) return message.member == "Said" end)
    equal({ message.signature, message.body }, { SIGNATURE, VALUES })
  end)
end)

-- What `busctl monitor` wrote of the first message with that member.
local function monitored(monitor, member)
  while true do
    local message = assert(json.decode(assert(monitor:line()), {}))
    if message.member == member then return message end
  end
end

test("what we send the bus takes, and busctl reads as it was meant", function()
  if not tool.find "busctl" then skip "busctl is not here" end
  with_bus(function(connection, address)
    local monitor <close> = program.start { "sh", "-c", 'exec busctl "$@" 2>/dev/null', "sh", "--address=" .. address,
      "--json=short", "monitor" }
    -- Until the monitor is one, calls pass it by.
    local message
    task.race {
      function() message = monitored(monitor, "Said") end,
      function()
        while true do
          pcall(ask, connection, "Said", SIGNATURE, VALUES, "")
          task.wait { at_ms = task.now_ms() + 20 }
        end
      end,
    }
    equal(message.payload.type, SIGNATURE)
    equal(json.encode(message.payload.data, {}), json.encode({ 255, true, -32768, 65535, -2147483648, 4294967295, math.mininteger,
      math.maxinteger, 0.5, "é ü", "/a/b_1", "a{sv}", { "", "x" }, { "one", { k = { type = "s", data = "v" } } },
      { pids = { type = "au", data = { 1, 4294967295 } } }, { type = "(si)", data = { "two", -1 } } }, {}))
  end)
end)

test("the reference bus has nothing against bytes of any length and alignment", function()
  with_bus(function(connection)
    for length = 0, 40 do
      local done, problem = pcall(ask, connection, "Nothing", "sa{sv}as", { ("x"):rep(length), { [("k"):rep(length)] =
        dbus.variant("(yx)", { 1, length }) }, { ("y"):rep(length) } }, "")
      equal({ done, problem.name }, { false, "org.freedesktop.DBus.Error.UnknownMethod" }, length)
    end
    equal(#ask(connection, "GetId", "", {}, "s")[1], 32)
  end)
end)
