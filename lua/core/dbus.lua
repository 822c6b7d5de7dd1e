--- Messages of D-Bus: plain values to bytes and back, as the D-Bus specification has them (protocol version 1). Pure.
--
-- Integers, floats, booleans and strings are Lua's; an array is a list, a dictionary a table, a struct a list of its
-- members, a variant {signature=, value=}. What comes in is hostile: sizes, types, depths and padding are checked.

local err = require "holos.core.err"
local table_ = require "holos.core.table"
local types = require "holos.core.dbus_types"

local M = {}

--- The least of a message that says how long it is.
M.HEAD_BYTES = 16
--- The specification allows 128 MiB; nobody whom we ask has that much to say.
M.MOST_BYTES = 256 << 10
local MOST_DEPTH = 32
local LITTLE, VERSION, ALIGN_BODY = "l", 1, 8

local KINDS = { "call", "return", "error", "signal" }
local KIND_NUMBERS = { call = 1, ["return"] = 2, error = 3, signal = 4 }
--- Header fields by their codes: name, type.
local FIELDS = { { "path", "o" }, { "interface", "s" }, { "member", "s" }, { "error_name", "s" }, { "reply_serial", "u" },
  { "destination", "s" }, { "sender", "s" }, { "signature", "g" }, { "unix_fds", "u" } }
local NEEDED = { call = { "path", "member" }, ["return"] = { "reply_serial" }, error = { "error_name", "reply_serial" },
  signal = { "path", "interface", "member" }, other = {} }

local function refuse(reason) err.raise { message = "D-Bus message: " .. reason, code = "EDBUS" } end

--- A value of a type that only its reader has to know.
---@return {signature: string, value: any}
function M.variant(signature, value) return { signature = signature, value = value } end

local function padding(at, align) return (align - at % align) % align end

-- -- to bytes ------------------------------------------------------------------------------------------------------------

local Writer = {}
Writer.__index = Writer

local function new_writer() return setmetatable({ parts = {}, size = 0 }, Writer) end

function Writer:put(bytes)
  self.parts[#self.parts + 1], self.size = bytes, self.size + #bytes
end

function Writer:align(align) self:put(("\0"):rep(padding(self.size, align))) end

local write = {}

local function write_value(writer, kind, value)
  writer:align(kind.align)
  if kind.format then return writer:put(string.pack("<" .. kind.format, value)) end
  return write[kind.code](writer, kind, value)
end

function write.b(writer, _, value) writer:put(string.pack("<I4", value and 1 or 0)) end
function write.s(writer, _, value) writer:put(string.pack("<s4B", value, 0)) end
write.o = write.s
function write.g(writer, _, value) writer:put(string.pack("<s1B", value, 0)) end

function write.v(writer, _, value)
  write.g(writer, nil, value.signature)
  write_value(writer, types.single(value.signature), value.value)
end

write["("] = function(writer, kind, value)
  for position, member in ipairs(kind.members) do write_value(writer, member, value[position]) end
end

function write.a(writer, kind, value)
  local place, item = #writer.parts + 1, kind.item
  writer:put("\0\0\0\0")
  writer:align(item.align)
  local begun = writer.size
  if item.code == "{" then
    for key, each in table_.sorted_pairs(value) do
      writer:align(item.align)
      write_value(writer, item.members[1], key)
      write_value(writer, item.members[2], each)
    end
  else
    for _, each in ipairs(value) do write_value(writer, item, each) end
  end
  writer.parts[place] = string.pack("<I4", writer.size - begun)
end

local function write_all(writer, signature, values)
  for position, kind in ipairs(types.parse(signature)) do write_value(writer, kind, values[position]) end
  return table.concat(writer.parts)
end

--- The bytes of a message.
---@param message {kind: "call"|"return"|"error"|"signal", serial: integer, no_reply: boolean?, path: string?, interface: string?,
---  member: string?, error_name: string?, reply_serial: integer?, destination: string?, signature: string?, body: any[]?}
---@return string bytes
function M.encode(message)
  local body = write_all(new_writer(), message.signature or "", message.body or {})
  local fields = {}
  for code, field in ipairs(FIELDS) do
    local value = message[field[1]]
    if value ~= nil and value ~= "" then fields[#fields + 1] = { code, M.variant(field[2], value) } end
  end
  local writer = new_writer()
  local head = write_all(writer, "yyyyuua(yv)", { LITTLE:byte(), KIND_NUMBERS[message.kind], message.no_reply and 1 or 0, VERSION,
    #body, message.serial, fields })
  return head .. ("\0"):rep(padding(#head, ALIGN_BODY)) .. body
end

-- -- from bytes ----------------------------------------------------------------------------------------------------------

local Reader = {}
Reader.__index = Reader

local function new_reader(bytes, order) return setmetatable({ bytes = bytes, at = 0, order = order, depth = 0 }, Reader) end

function Reader:skip(count)
  if self.at + count > #self.bytes then refuse "it is cut off" end
  self.at = self.at + count
end

function Reader:align(align)
  local from = self.at
  self:skip(padding(from, align))
  if self.bytes:sub(from + 1, self.at):find("[^\0]") then refuse "its padding is not zero" end
end

function Reader:unpack(format, size)
  local from = self.at
  self:skip(size)
  return (string.unpack(self.order .. format, self.bytes, from + 1))
end

-- `length` bytes and the zero behind them.
function Reader:text(length)
  local from = self.at
  self:skip(length + 1)
  local text = self.bytes:sub(from + 1, from + length)
  if self.bytes:byte(self.at) ~= 0 or text:find("\0", 1, true) or not utf8.len(text) then refuse "a string in it is none" end
  return text
end

local read = {}

local function read_value(reader, kind)
  reader:align(kind.align)
  if kind.format then return reader:unpack(kind.format, kind.align) end
  if not kind.is_container then return read[kind.code](reader, kind) end
  reader.depth = reader.depth + 1
  if reader.depth > 2 * MOST_DEPTH then refuse "it is nested too deeply" end
  local value = read[kind.code](reader, kind)
  reader.depth = reader.depth - 1
  return value
end

function read.b(reader)
  local number = reader:unpack("I4", 4)
  if number > 1 then refuse "a boolean in it is neither" end
  return number == 1
end

function read.s(reader) return reader:text(reader:unpack("I4", 4)) end

function read.o(reader)
  local path = read.s(reader)
  if not types.is_path(path) then refuse "a path in it is none" end
  return path
end

function read.g(reader)
  local signature = reader:text(reader:unpack("B", 1))
  if not types.parse(signature) then refuse "a signature in it is none" end
  return signature
end

function read.v(reader)
  local signature = read.g(reader)
  local kind = types.single(signature)
  if not kind then refuse "a variant in it has not one value" end
  return M.variant(signature, read_value(reader, kind))
end

read["("] = function(reader, kind)
  local values = {}
  for position, member in ipairs(kind.members) do values[position] = read_value(reader, member) end
  return values
end

function read.a(reader, kind)
  local length = reader:unpack("I4", 4)
  reader:align(kind.item.align)
  local last, values = reader.at + length, {}
  if last > #reader.bytes then refuse "it is cut off" end
  while reader.at < last do
    if kind.item.code == "{" then
      reader:align(kind.item.align)
      local key = read_value(reader, kind.item.members[1])
      if key ~= key then refuse "a key in it is not a number" end
      values[key] = read_value(reader, kind.item.members[2])
    else
      values[#values + 1] = read_value(reader, kind.item)
    end
  end
  if reader.at ~= last then refuse "an array in it has another length" end
  return values
end

local function order_of(bytes)
  local mark = bytes:sub(1, 1)
  if mark == LITTLE then return "<" elseif mark == "B" then return ">" end
  refuse "its byte order is neither"
end

local function size_of(bytes)
  local order = order_of(bytes)
  if bytes:byte(4) ~= VERSION then refuse "its protocol version is not 1" end
  local body_bytes, _, fields_bytes = string.unpack(order .. "I4I4I4", bytes, 5)
  local head_bytes = M.HEAD_BYTES + fields_bytes
  local size = head_bytes + padding(head_bytes, ALIGN_BODY) + body_bytes
  if size > M.MOST_BYTES then refuse(("it has %d bytes"):format(size)) end
  return size
end

local function read_field(message, code, variant)
  local field = FIELDS[code]
  if not field then return end -- of later versions
  if variant.signature ~= field[2] then refuse(field[1] .. " is of another type") end
  message[field[1]] = variant.value
end

local function read_body(message, reader)
  message.signature, message.body = message.signature or "", {}
  for position, kind in ipairs(types.parse(message.signature)) do message.body[position] = read_value(reader, kind) end
  if reader.at ~= #reader.bytes then refuse "its body has another length" end
end

local function read_message(bytes)
  if #bytes < M.HEAD_BYTES or size_of(bytes) ~= #bytes then refuse "it has another length" end
  local reader = new_reader(bytes, order_of(bytes))
  local head = {}
  for position, kind in ipairs(types.parse "yyyyuua(yv)") do head[position] = read_value(reader, kind) end
  local message = { kind = KINDS[head[2]] or "other", flags = head[3], serial = head[6] }
  for _, field in ipairs(head[7]) do read_field(message, field[1], field[2]) end
  for _, name in ipairs(NEEDED[message.kind]) do
    if message[name] == nil then refuse(("a %s without %s"):format(message.kind, name)) end
  end
  reader:align(ALIGN_BODY)
  read_body(message, reader)
  return message
end

local function guarded(fn, bytes)
  local ok, result = pcall(fn, bytes)
  if ok then return result end
  if not err.is(result, "EDBUS") then error(result, 0) end
  return nil, result.message
end

--- How long the message is that begins with these bytes, at least HEAD_BYTES of them.
---@return integer? size_bytes
---@return string? message
function M.size(bytes) return guarded(size_of, bytes) end

--- A message from its bytes, with the fields of `encode`; `kind` is "other" for one that is to be ignored.
---@return table? message
---@return string? reason
function M.decode(bytes) return guarded(read_message, bytes) end

return M
