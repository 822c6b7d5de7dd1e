--- The systems whose makers publish cloud images: what is known of each, and what users add. Pure.
--
-- One distribution is one table of data (image/catalogue/*.lua; its shape is image/catalogue_schema): the fields that all
-- its versions share, and a list of versions, which may say each of them otherwise. An entry is what comes out for one
-- version and one architecture.
local built_in = require "holos.image.built_in"
local lazy = require "holos.core.lazy"
local reference = require "holos.image.reference"
local schema = lazy "holos.image.catalogue_schema"
local tables = require "holos.core.table"
local text_ = lazy "holos.core.text"

local M = {}

---@class holos.ImageEntry
---@field name string
---@field tag string            the one that it is kept under
---@field aliases string[]      other tags that mean it
---@field is_default boolean    what the name alone means
---@field architecture string   "x86_64", "aarch64"
---@field url string            of one build, which stays what it is
---@field format "qcow2"|"raw"
---@field checksum {url: string?, algorithm: string?, sha256: string?, sha512: string?}  at least one of list and digests
---@field latest {url: string, checksum: {url: string, algorithm: string?}}?  where the newest build is; it changes
---@field signature {kind: "list"|"inline"|"image", suffix: string?, keyring: string}?  over the list of checksums, in it, or
---                             over the image itself; its address is that of what it signs and the suffix
---@field user string
---@field family string
---@field os "systemd"|"openrc"|"plain"
---@field share_driver "virtiofs"|"9p"
---@field least_memory_mib integer
---@field quirks table<string, boolean>
---@field is_checked boolean    whether somebody has pulled and booted it
---@field note string?          what is not certain
---@field source string?        the file that it comes from; nil: holos itself

--- The catalogue that is built in.
---@return table catalogue  opaque; for the functions of this module
function M.new() return { added = {}, also = tables.copy(built_in.also) } end

--- Adds what a user's file says; a version that is there already is replaced.
---@param data any  one distribution, or a list of them
---@param source string  the file, for messages
---@return {path: string, message: string, hint: string?}[] findings  none: all of it was taken
function M.extend(catalogue, data, source)
  local distributions, findings = schema.check(data)
  if #findings > 0 then return findings end
  for _, distribution in ipairs(distributions) do
    distribution.source = source
    local name = distribution.name
    catalogue.added[name] = catalogue.added[name] or {}
    table.insert(catalogue.added[name], 1, distribution)
    catalogue.also[name] = nil
    for _, other in ipairs(distribution.also or {}) do catalogue.also[other] = name end
  end
  return {}
end

-- All tables of one name, those of the user first.
local function tables_of(catalogue, name)
  local list = tables.extend({}, catalogue.added[name] or {})
  list[#list + 1] = built_in.distributions[name]
  return list
end

--- The names of all distributions, sorted.
---@return string[]
function M.names(catalogue)
  local all = {}
  for name in pairs(built_in.distributions) do all[name] = true end
  for name in pairs(catalogue.added) do all[name] = true end
  return tables.keys(all)
end

-- What of the fields of a version and of its distribution is the same in an entry.
local PLAIN = { "user", "family", "os", "share_driver", "least_memory_mib", "note" }

-- The fields of a version, and where it says nothing, those of its distribution.
local function laid_over(version, distribution)
  return setmetatable({}, { __index = function(_, key)
    if version[key] ~= nil then return version[key] end
    return distribution[key]
  end })
end

-- "{build}" and the like in addresses.
local function fill(template, values) return template and (template:gsub("{(%a+)}", values)) end

-- What the places of templates stand for; `url` is the address of the image that lies beside what is named.
local function values_of(fields, architecture, url)
  return { tag = fields.tag, build = fields.build, architecture = fields.architectures[architecture], url = url,
    directory = url and url:match("^(.*)/") }
end

local function checksum_of(fields, architecture, url)
  local checksum = { url = fill(fields.checksums, values_of(fields, architecture, url)), algorithm = fields.algorithm }
  local digest = fields.digests and fields.digests[architecture]
  if digest then
    local algorithm, hex = digest:match("^(%w+):(%x+)$")
    checksum[algorithm] = hex
  end
  return checksum
end

local function latest_of(fields, architecture)
  local latest = fields.latest
  if not latest then return end
  local url = fill(latest.url, values_of(fields, architecture))
  local list = fill(latest.checksums or fields.checksums, values_of(fields, architecture, url))
  return { url = url, checksum = { url = list, algorithm = fields.algorithm } }
end

-- A version for one architecture.
local function entry_of(distribution, version, architecture)
  local fields = laid_over(version, distribution)
  local template = fields.urls and fields.urls[architecture] or fields.url
  local entry = { name = distribution.name, tag = version.tag, aliases = tables.list(tables.copy(version.also)),
    architecture = architecture, is_default = version.tag == distribution.default, source = distribution.source,
    url = fill(template, values_of(fields, architecture)), quirks = fields.quirks or {},
    is_checked = fields.is_checked == true, latest = latest_of(fields, architecture), signature = fields.signature }
  for _, name in ipairs(PLAIN) do entry[name] = fields[name] end
  entry.format = fields.format or reference.format_of(entry.url) or "qcow2"
  entry.checksum = checksum_of(fields, architecture, entry.url)
  return entry
end

local function has_tag(version, tag)
  return version.tag == tag or tables.index_of(version.also or {}, tag) ~= nil
end

local function default_tag(list)
  for _, distribution in ipairs(list) do
    if distribution.default then return distribution.default end
  end
  return list[1].versions[1].tag
end

-- The version that a tag means, and the distribution that it stands in.
local function version_of(list, tag)
  for _, distribution in ipairs(list) do
    for _, version in ipairs(distribution.versions) do
      if has_tag(version, tag) then return version, distribution end
    end
  end
end

local function unknown_name(catalogue, name)
  local near = text_.nearest(name, M.names(catalogue))
  return nil, ('no image is called "%s"'):format(name), near and ('did you mean "%s"?'):format(near)
    or "the images that are known: " .. table.concat(M.names(catalogue), ", ")
end

local function unknown_tag(list, name, tag)
  local tags = {}
  for _, distribution in ipairs(list) do
    for _, version in ipairs(distribution.versions) do tags[#tags + 1] = version.tag end
  end
  -- Containers of a system have variants, "bookworm-slim".
  local plain = tag:match("^([%w.]+)%-")
  local near = plain and version_of(list, plain) and ('did you mean "%s:%s"? '):format(name, plain) or ""
  return nil, ('%s has no "%s"'):format(name, tag), near .. "there are " .. table.concat(tags, ", ")
end

--- The name and the tag that an image is kept under: "debian" and nil give "debian" and "12".
---@return string? name
---@return string tag_or_message
---@return string? hint
function M.canonical(catalogue, name, tag)
  name = catalogue.also[name] or name
  local list = tables_of(catalogue, name)
  if #list == 0 then return unknown_name(catalogue, name) end
  local version = version_of(list, (tag == nil or tag == "latest") and default_tag(list) or tag) or version_of(list, tag)
  if not version then return unknown_tag(list, name, tag) end
  return name, version.tag
end

-- What a version is published for; x86_64 first.
local function architectures_of(distribution, version)
  local names = tables.keys(version.architectures or distribution.architectures)
  table.sort(names, function(a, b) return a > b end)
  return names
end

--- The image of a name.
---@param tag string?  nil or "latest": the default one
---@param architecture string  "x86_64", "aarch64"
---@return holos.ImageEntry? entry
---@return string? message
---@return string? hint
function M.find(catalogue, name, tag, architecture)
  local found, wanted, hint = M.canonical(catalogue, name, tag)
  if not found then return nil, wanted, hint end
  local version, distribution = version_of(tables_of(catalogue, found), wanted)
  local architectures = architectures_of(distribution, version)
  if not tables.index_of(architectures, architecture) then
    return nil, ("%s:%s is not published for %s"):format(found, wanted, architecture),
      "it is for " .. table.concat(architectures, ", ")
  end
  return entry_of(distribution, version, architecture)
end

--- All entries: by name, versions in the order of the data, those of the user first.
---@return holos.ImageEntry[]
function M.list(catalogue)
  local entries = {}
  for _, name in ipairs(M.names(catalogue)) do
    local seen = {}
    for _, distribution in ipairs(tables_of(catalogue, name)) do
      for _, version in ipairs(distribution.versions) do
        for _, architecture in ipairs(seen[version.tag] and {} or architectures_of(distribution, version)) do
          entries[#entries + 1] = entry_of(distribution, version, architecture)
        end
        seen[version.tag] = true
      end
    end
  end
  return entries
end

return M
