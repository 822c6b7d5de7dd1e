--- What a table of the catalogue must hold, for those that users write. Pure.
local check = require "holos.core.schema.check"
local reference = require "holos.image.reference"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

local PLACES = { tag = true, build = true, architecture = true, url = true, directory = true }

-- An address with places to be filled in.
local function check_template(value)
  for place in value:gmatch("{(.-)}") do
    if not PLACES[place] then
      return ("{%s} stands for nothing"):format(place), "known: {" .. table.concat(tables.keys(PLACES), "}, {") .. "}"
    end
  end
  if value:find("^{url}") or value:find("^{directory}/") then return end
  return reference.check_url((value:gsub("{.-}", "x")))
end

local function check_name(value) return reference.check_name(value) end
local function check_tag(value) return reference.check_name("a", value) end
local function check_digest(value) return select(2, reference.digest(value)) end

local line = schema.text { pattern = "[^%c]+", wanted = "text on one line" }
local address = schema.text { wanted = "an https address", check = check_template }
local tag = schema.text { wanted = "a tag", check = check_tag }
local name = schema.text { wanted = "a name", check = check_name }
local architecture = schema.text { pattern = "[%l%d_]+", wanted = "an architecture such as x86_64" }
local digest = schema.text { wanted = "a digest such as sha256:…", check = check_digest }
local keyring = schema.text { pattern = "[%w._-]+", wanted = "the name of a file with keys" }

local signature = schema.record {
  { "kind", schema.choice { values = { "list", "inline", "image" } }, required = true },
  { "suffix", schema.text { pattern = "[%w._-]+", wanted = "the end of a file name" } },
  { "keyring", keyring, required = true },
}

-- What a distribution and each of its versions may say.
local function shared()
  return {
    { "user", schema.text { pattern = "[%l_][%w_-]*", wanted = "the name of a user" } },
    { "family", line }, { "note", line }, { "is_checked", schema.boolean {} },
    { "os", schema.choice { values = { "systemd", "openrc", "plain" } } },
    { "share_driver", schema.choice { values = { "virtiofs", "9p" } } },
    { "least_memory_mib", schema.integer { least = 16, most = 1 << 20 } },
    { "format", schema.choice { values = { "qcow2", "raw" } } },
    { "architectures", schema.map { key = architecture, of = line } },
    { "quirks", schema.map { key = line, of = schema.boolean {} } },
    { "checksums", address }, { "algorithm", schema.choice { values = { "sha256", "sha512" } } },
    { "signature", signature },
  }
end

local version = schema.record(tables.extend({
  { "tag", tag, required = true }, { "also", schema.list { of = tag } }, { "build", line }, { "url", address },
  { "urls", schema.map { key = architecture, of = address } },
  { "digests", schema.map { key = architecture, of = digest } },
  { "latest", schema.record { { "url", address, required = true }, { "checksums", address } } },
}, shared()))

local distribution = schema.record(tables.extend({
  { "name", name, required = true }, { "also", schema.list { of = name } }, { "default", tag },
  { "versions", schema.list { of = version }, required = true },
}, shared()))

-- Lua's lists, as lists of the schema.
local function mark_lists(value)
  if type(value) ~= "table" then return value end
  local made = {}
  for key, item in pairs(value) do made[key] = mark_lists(item) end
  return value[1] ~= nil and tables.list(made) or made
end

-- What a single field cannot tell.
local function check_version(of, at, position)
  local given = of.versions[position]
  local architectures = given.architectures or of.architectures
  local function report(message, hint)
    at[#at + 1] = { path = ("%s.versions[%d]"):format(of.name, position), message = message, hint = hint }
  end
  if not architectures then report("names no architecture", 'architectures = { x86_64 = "amd64" }') return end
  if not given.url and not given.urls then report("names no url") return end
  for key in tables.sorted_pairs(architectures) do
    if not given.url and not given.urls[key] then report("names no url for " .. key) end
    local has_digest = given.digests and given.digests[key]
    if not has_digest and not (given.checksums or of.checksums) then
      report("has neither checksums nor a digest for " .. key, "what cannot be checked is not used")
    end
  end
  local templates = tables.extend({ given.url }, given.urls and tables.map(tables.keys(given.urls), function(key)
    return given.urls[key]
  end) or {})
  local wants_build = table.concat(templates, " "):find("{build}", 1, true)
  if wants_build and not given.build then report("has {build} in its url, and no build") end
  if not (given.user or of.user) then report("names no user", 'the one that logins are for: user = "debian"') end
end

local DEFAULTS = { os = "systemd", share_driver = "virtiofs", least_memory_mib = 512 }

--- The distributions that a user's file holds, in their final form, and what is wrong with it.
---@param data any  one, or a list of them
---@return table[] distributions
---@return {path: string, message: string, hint: string?}[] findings
function M.check(data)
  local given = mark_lists(data)
  if type(given) ~= "table" then return {}, { { path = "", message = "gives no table" } } end
  local list = given.name == nil and given[1] ~= nil and given or tables.list { given }
  local at = check.new()
  local distributions = check.value(schema.list { of = distribution }, list, at)
  if #at.findings > 0 then return {}, at.findings end
  local findings = {}
  for _, of in ipairs(distributions) do
    for field, value in pairs(DEFAULTS) do
      if of[field] == nil then of[field] = value end
    end
    of.family = of.family or of.name
    for position in ipairs(of.versions) do check_version(of, findings, position) end
  end
  return distributions, findings
end

return M
