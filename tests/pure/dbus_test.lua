-- Messages of D-Bus: every type there and back, bytes that are written down here, and bytes that are none.
local dbus = require "holos.core.dbus"
local types = require "holos.core.dbus_types"

local function from_hex(text)
  return (text:gsub("%s", ""):gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
end

-- By hand from the specification: a call of Hello, and an error in the other byte order.
local HELLO = from_hex [[
  6c 01 00 01  00 00 00 00  01 00 00 00  6d 00 00 00
  01 01 6f 00  15 00 00 00  2f6f72672f667265656465736b746f702f4442757300 0000
  02 01 73 00  14 00 00 00  6f72672e667265656465736b746f702e4442757300 000000
  03 01 73 00  05 00 00 00  48656c6c6f00 0000
  06 01 73 00  14 00 00 00  6f72672e667265656465736b746f702e4442757300 000000
]]
local REFUSED = from_hex [[
  42 03 01 01  00 00 00 07  00 00 00 02  00 00 00 1f
  04 01 73 00  00 00 00 03  612e6200  00 00 00 00
  05 01 75 00  00 00 00 01
  08 01 67 00  01 73 00  00
  00 00 00 02  6e 6f 00
]]

local function hello()
  return { kind = "call", serial = 1, path = "/org/freedesktop/DBus", interface = "org.freedesktop.DBus", member = "Hello",
    destination = "org.freedesktop.DBus" }
end

test("a call is the bytes that the specification asks for", function()
  equal(dbus.encode(hello()), HELLO)
  equal(dbus.size(HELLO:sub(1, dbus.HEAD_BYTES)), #HELLO)
  local message = hello()
  message.flags, message.signature, message.body = 0, "", {}
  equal(dbus.decode(HELLO), message)
end)

test("the other byte order is read as well", function()
  equal(dbus.decode(REFUSED), { kind = "error", flags = 1, serial = 2, error_name = "a.b", reply_serial = 1, signature = "s",
    body = { "no" } })
end)

test("every type comes back as it was", function()
  local signature = "ybnqiuxtdsogasa{sv}a(sa(sv))(yx)vaay"
  local body = { 255, true, -32768, 65535, -2147483648, 4294967295, math.mininteger, math.maxinteger, 0.5, "é\n", "/a/b_1", "a{sv}",
    { "", "x" }, { a = dbus.variant("b", false), b = dbus.variant("as", { "1", "2" }) },
    { { "one", { { "two", dbus.variant("(ii)", { 1, -1 }) } } } }, { 1, -5 },
    dbus.variant("v", dbus.variant("g", "")), { {}, { 1, 2 } } }
  local message = hello()
  message.signature, message.body = signature, body
  local got, reason = dbus.decode(dbus.encode(message))
  equal(reason, nil)
  equal(got.body, body)
end)

test("alignment is right whatever stands before", function()
  for length = 0, 17 do
    local message = hello()
    message.signature, message.body = "sxa{sv}a(dy)", { ("x"):rep(length), 1, { k = dbus.variant("t", 7) }, { { 1.5, 2 } } }
    equal(dbus.decode(dbus.encode(message)).body, message.body, length)
  end
end)

local function broken(change)
  local message = hello()
  message.signature, message.body = "sb", { "text", true }
  local bytes = dbus.encode(message)
  return dbus.decode(change(bytes))
end

local function replaced(bytes, at, with) return bytes:sub(1, at - 1) .. with .. bytes:sub(at + #with) end

test("what is no message is refused with a reason", function()
  for reason, change in pairs {
    ["byte order"] = function(bytes) return replaced(bytes, 1, "x") end,
    ["protocol version"] = function(bytes) return replaced(bytes, 4, "\2") end,
    ["another length"] = function(bytes) return bytes .. "\0" end,
    ["boolean"] = function(bytes) return bytes:sub(1, -5) .. "\2\0\0\0" end,
    ["a string in it is none"] = function(bytes) return (bytes:gsub("text\0", "te\0t\0")) end,
    ["padding"] = function(bytes) return (bytes:gsub("Hello\0\0\0", "Hello\0\0\1")) end,
    ["path"] = function(bytes) return (bytes:gsub("/org/freedesktop/DBus\0", "/org/freedesktop//Bus\0")) end,
    ["a call without member"] = function(bytes) return (bytes:gsub("\3\1s\0", "\99\1s\0")) end,
    ["of another type"] = function(bytes) return (bytes:gsub("\3\1s\0", "\1\1s\0")) end,
    ["signature"] = function(bytes) return (bytes:gsub("\2sb\0", "\2s{\0")) end,
  } do
    local message, said = broken(change)
    equal(message, nil, reason)
    ok(said:find(reason, 1, true), ("%s: %s"):format(reason, said))
  end
end)

test("sizes are bounded before anything is read", function()
  local size, reason = dbus.size(string.pack("<BBBBI4I4I4", 0x6c, 1, 0, 1, 0xffffffff, 1, 0xffffffff))
  equal(size, nil)
  ok(reason:find("bytes", 1, true), reason)
  equal(dbus.size(string.pack("<BBBBI4I4I4", 0x6c, 1, 0, 1, dbus.MOST_BYTES, 1, 0)), nil)
end)

test("nesting is bounded", function()
  local value = dbus.variant("b", true)
  for _ = 1, 100 do value = dbus.variant("v", value) end
  local message = hello()
  message.signature, message.body = "v", { value }
  local got, reason = dbus.decode(dbus.encode(message))
  equal(got, nil)
  ok(reason:find("deeply", 1, true), reason)
end)

test("signatures are read as the specification has them", function()
  for _, signature in ipairs { "", "s", "aas", "a{s(iv)}", "(a{yv}(((b))))", ("a"):rep(32) .. "y", ("y"):rep(255) } do
    ok(types.parse(signature), signature)
  end
  for _, signature in ipairs { "z", "a", "(", ")", "()", "(s", "a{}", "a{s}", "a{sss}", "a{vs}", "a{(s)s}", "{sv}", "a{sv", "s}",
    ("a"):rep(40) .. "y", ("("):rep(40) .. "y" .. (")"):rep(40), ("y"):rep(256) } do
    equal(types.parse(signature), nil, signature)
  end
end)

-- Bytes of a message with some of them changed, cut or repeated: an answer or a reason, never an error.
test("no bytes break the reader", function()
  local message = hello()
  message.signature = "sa{sv}a(sa(sv))aay"
  message.body = { "text", { a = dbus.variant("b", false), b = dbus.variant("as", { "1", "2" }) },
    { { "one", { { "two", dbus.variant("(ii)", { 1, -1 }) } } } }, { { 1, 2, 3 }, {} } }
  local bytes = dbus.encode(message)
  local accepted = 0
  for at = 1, #bytes do
    equal(dbus.decode(bytes:sub(1, at - 1)), nil, at)
    for _, byte in ipairs { 0, 1, 7, 0x61, 0x76, 0x7f, 0xff, bytes:byte(at) ~ 1 } do
      local got, reason = dbus.decode(replaced(bytes, at, string.char(byte)))
      ok(got or reason, at)
      accepted = accepted + (got and 1 or 0)
    end
  end
  ok(accepted > 0 and accepted < 8 * #bytes, accepted)
end)
