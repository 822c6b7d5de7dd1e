--- RUN --mount: what a step finds at a path while it runs. Pure.
local path = require "holos.core.path"
local source = require "holos.dockerfile.instruction.source"
local scope = require "holos.dockerfile.scope"
local stage = require "holos.dockerfile.stage"
local table_ = require "holos.core.table"
local text_ = require "holos.core.text"
local units = require "holos.core.units"

local M = {}

local ALIASES = { src = "source", dst = "target", destination = "target", readonly = "ro", readwrite = "rw" }

-- type → keys that it takes; "flag" may stand alone.
local TYPES = {
  bind = { source = "text", target = "text", ro = "flag", rw = "flag", from = "text" },
  cache = { id = "text", source = "text", target = "text", ro = "flag", sharing = "text", mode = "mode", uid = "number",
    gid = "number", from = "text" },
  tmpfs = { target = "text", size = "size" },
  secret = { id = "text", target = "text", env = "text", required = "flag", mode = "mode", uid = "number", gid = "number" },
}

local readers = {}

function readers.text(value) return value ~= "" and value or nil end
function readers.flag(value) return ({ [""] = 1, ["true"] = 1, ["1"] = 1, ["false"] = 0, ["0"] = 0 })[value:lower()] end
function readers.number(value) return #value < 10 and value:find("^%d+$") and math.tointeger(tonumber(value)) or nil end
function readers.mode(value) return value:find("^[0-7][0-7]?[0-7]?[0-7]?$") and tonumber(value, 8) or nil end
function readers.size(value) return (units.parse_bytes(value)) end

-- "a=b,c" as fields; a field in double quotes may have commas.
local function fields_of(text)
  local fields, at = {}, 1
  while at <= #text + 1 do
    local quoted, stop = text:match('^"([^"]*)"()', at)
    if not quoted then quoted, stop = text:match("^([^,]*)()", at) end
    fields[#fields + 1] = quoted
    at = stop + 1
  end
  return fields
end

local function refused_type(kind)
  if kind == "ssh" then
    return nil, "--mount=type=ssh: no SSH agent reaches the steps of a machine",
      "fetch it on the host, and COPY it"
  end
  local nearest = text_.nearest(kind, { "bind", "cache", "tmpfs", "secret" })
  return nil, ("unsupported mount type %q"):format(kind), nearest and "did you mean " .. nearest .. "?" or nil
end

local function split(text)
  local values = {}
  for _, field in ipairs(fields_of(text)) do
    local key, value = field:match("^%s*([^=]-)%s*=(.*)$")
    key = (key or field):lower()
    values[ALIASES[key] or key] = value or ""
  end
  return values
end

--- What is written after --mount= by key; texts are not expanded yet.
---@return table? mount
---@return string? message
---@return string? hint
function M.read(text)
  local values, mount = split(text), {}
  local kind = values.type or "bind"
  local keys = TYPES[kind]
  if not keys then return refused_type(kind) end
  values.type = nil
  for _, name in ipairs(table_.keys(values)) do
    if not keys[name] then return nil, ("unexpected key %q for mount type %q"):format(name, kind) end
    mount[name] = readers[keys[name]](values[name])
    if mount[name] == nil then return nil, ("--mount: %q is no value for %s"):format(values[name], name) end
    if keys[name] == "flag" then mount[name] = mount[name] == 1 end
  end
  if mount.from then
    return nil, "--mount=…,from=" .. mount.from .. ": builds of several stages are not available yet",
      "bind from the context: take from= away"
  end
  mount.type = kind
  return M.check(mount)
end

--- The mount when nothing it needs is missing.
function M.check(mount)
  local needs_target = mount.type ~= "secret"
  if needs_target and not mount.target then
    return nil, ("--mount=type=%s needs a target"):format(mount.type), ("--mount=type=%s,target=/path"):format(mount.type)
  end
  if mount.type == "secret" and not (mount.id or mount.target or mount.env) then
    return nil, "--mount=type=secret needs an id", "--mount=type=secret,id=NAME"
  end
  local sharing = mount.sharing
  if sharing and sharing ~= "shared" and sharing ~= "private" and sharing ~= "locked" then
    return nil, ("--mount: sharing=%s is neither shared nor private nor locked"):format(sharing)
  end
  return mount
end

local function without_slash(text) return text ~= "/" and text:gsub("/$", "") or text end

local finish = {}

function finish.bind(mount) mount.source, mount.ro = source.in_context(mount.source or "."), not mount.rw end

function finish.cache(mount)
  mount.id, mount.sharing = mount.id or mount.target, mount.sharing or "shared"
  mount.mode = mount.mode or tonumber("755", 8)
end

function finish.tmpfs(mount) mount.size_bytes, mount.size = mount.size, nil end

function finish.secret(mount)
  mount.id = mount.id or mount.target and path.base(mount.target) or mount.env
  if not mount.env then mount.target = mount.target or "/run/secrets/" .. mount.id end
  mount.mode = mount.mode or tonumber("400", 8)
end

--- The mount as a step holds it: {type, target, source, id, mode, …}. Nil when it is wrong, which is reported.
function M.make(state, read)
  local mount, message, hint = {}, nil, nil
  if state.options.mount then message, hint = state.options.mount(read) end
  if message then return stage.report(state, message, hint) end
  for key, value in table_.sorted_pairs(read) do
    if type(value) == "string" and key ~= "type" then value = scope.expand(state, value) end
    if value == nil then return nil end
    mount[key] = value
  end
  if mount.target then
    local target = stage.absolute(state, mount.target, read.target)
    if not target then return nil end
    mount.target = without_slash(target)
  end
  if mount.target == "/" then return stage.report(state, "--mount: the target / would hide the machine's system") end
  finish[mount.type](mount)
  return mount
end

return M
