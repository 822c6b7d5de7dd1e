--- holos.lock: which image each name of a project means, exactly. Pure.
--
-- A JSON file beside the project's file, to be kept with it: {version = 1, images = {["debian:12"] = {digest, sha512, url,
-- architecture, …}}}, by architecture where a name has several.
local check = require "holos.core.schema.check"
local schema = require "holos.core.schema"

local M = {}

M.NAME = "holos.lock"
M.VERSION = 1

local HEX = ("%x"):rep(64)

local line = schema.text { pattern = "[^%c]+", wanted = "text on one line" }
local image = schema.record({
  { "digest", schema.text { pattern = "sha256:" .. HEX, wanted = "a SHA-256 digest" }, required = true },
  { "sha512", schema.text { pattern = HEX .. HEX, wanted = "a SHA-512 digest" } },
  { "url", line }, { "format", schema.choice { values = { "qcow2", "raw" } } }, { "locked_at", line },
}, { open = true })

M.rule = schema.record({
  { "version", schema.integer { least = 1 }, required = true },
  { "images", schema.map { key = line, of = schema.map { key = line, of = image } }, required = true },
}, { open = true })

--- What is wrong with what was read; nil when nothing is.
---@return string? complaint
---@return boolean? is_newer  a later holos can read it, so nobody may write it anew
function M.complaint(value)
  if type(value) ~= "table" then return "it holds no mapping" end
  if math.type(value.version) == "integer" and value.version > M.VERSION then
    return ("it was written by a newer holos (version %d)"):format(value.version), true
  end
  local at = check.new()
  check.value(M.rule, value, at)
  local first = at.findings[1]
  return first and ("%s: %s"):format(first.path, first.message) or nil
end

--- A lock that holds nothing.
function M.new() return { version = M.VERSION, images = {} } end

--- What is locked for a name; nil when it is not there.
---@param name string  as files say it: "debian:12", "https://…"
function M.get(lock, name, architecture) return (lock.images[name] or {})[architecture] end

--- A lock with one image more, or another one; other architectures and names stay.
---@param locked {digest: string, sha512: string?, url: string?, format: string?, locked_at: string?}
function M.set(lock, name, architecture, locked)
  lock.images[name] = lock.images[name] or {}
  lock.images[name][architecture] = locked
  return lock
end

--- What names are in a lock that a project does not name any more.
---@param names table<string, any>
---@return string[]
function M.surplus(lock, names)
  local surplus = {}
  for name in pairs(lock.images) do
    if names[name] == nil then surplus[#surplus + 1] = name end
  end
  table.sort(surplus)
  return surplus
end

return M
