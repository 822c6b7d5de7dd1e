--- The files of an image store, as text: their names, and what tags and images say of themselves. Pure.
--
-- sha256/<hex>.<format> is an image, sha256/<hex>.json what is known of it, tags/<name>/<tag>.json which image a name means.
local check = require "holos.core.schema.check"
local schema = require "holos.core.schema"

local M = {}

--- The tag of names that say none.
M.DEFAULT_TAG = "latest"
-- Where images are found that were pulled by their URL; no name begins with "@".
local BY_URL = "@url"
local HEX = ("%x"):rep(64)

local line, flag, count = schema.text {}, schema.boolean {}, schema.integer { least = 0 }
local word = schema.text { pattern = "[%w_.-]+", wanted = "a word" }
local digest = schema.text { pattern = "sha256:" .. HEX, wanted = "a SHA-256 digest" }

local function record(fields, must)
  local list = {}
  for name, rule in pairs(fields) do list[#list + 1] = { name, rule, required = (must or ""):find(name, 1, true) ~= nil } end
  return schema.record(list, { open = true })
end

-- What a guest made from an image is known to be. Of later versions there may be more.
local facts = record { user = line, family = word, os = schema.choice { values = { "systemd", "openrc", "plain" } },
  share_driver = schema.choice { values = { "9p", "virtiofs" } }, least_memory_mib = schema.integer { least = 1 },
  quirks = schema.map { of = schema.any {} } }

local source = record { url = line, file = line, kind = word, pulled_at = line, is_signed = flag, etag = line,
  last_modified = line,
  sha512 = schema.text { pattern = HEX .. HEX, wanted = "a SHA-512 digest" } }

--- tags/<name>/<tag>.json
M.tag = record({ digest = digest, facts = facts, source = source, pulled_at = line }, "digest")
--- sha256/<hex>.json
M.image = record({ digest = digest, format = schema.choice { values = { "qcow2", "raw" } }, size_bytes = count,
  virtual_bytes = count, facts = facts, source = source, added_at = line }, "digest format size_bytes")

--- What is wrong with what was read; nil when nothing is.
---@param rule table  M.tag or M.image
---@return string?
function M.complaint(rule, value)
  if type(value) ~= "table" then return "it holds no mapping" end
  local at = check.new()
  check.value(rule, value, at)
  local first = at.findings[1]
  return first and (first.path ~= "" and first.path .. ": " or "") .. first.message
end

--- The digits of a digest, "sha256:<64 hex digits>"; nil when it is none.
---@return string? hex
function M.hex(text) return text:match("^sha256:(" .. HEX:gsub("%%x", "[0-9a-f]") .. ")$") end

--- "sha256:1a2b3c4d5e6f", as lists show a digest.
function M.short(text) return text:sub(1, #"sha256:" + 12) end

--- The digest and format that the name of an image's file tells; nil for other files.
---@return string? digest
---@return string? format
function M.of_file_name(name)
  local hex, format = name:match("^(%x+)%.(%w+)$")
  if not hex or not M.hex("sha256:" .. hex) or format ~= "qcow2" and format ~= "raw" then return nil end
  return "sha256:" .. hex, format
end

--- Whether a name and a tag can be kept: they become parts of paths.
function M.is_name(name, tag)
  return (name == BY_URL or name:find("^[a-z0-9][a-z0-9._-]*$") ~= nil) and #name <= 128
    and tag:find("^[%w_][%w_.-]*$") ~= nil and #tag <= 128
end

--- Under which name and tag the image of a reference is kept; nil for digests and paths.
---@param reference table  of image/reference
---@param sha256 fun(text: string): string
---@return string? name
---@return string? tag
function M.pointer(reference, sha256)
  if reference.kind == "url" then return BY_URL, sha256(reference.url) end
  if reference.kind == "name" then return reference.name, reference.tag or M.DEFAULT_TAG end
end

--- How a name and a tag are shown: "debian:12"; nil for what is kept by its URL.
function M.shown(name, tag) return name ~= BY_URL and name .. ":" .. tag or nil end

return M
