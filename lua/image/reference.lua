--- What `image:` may name: a file, an image of the catalogue or the store, an address, a digest. Pure.
local lazy = require "holos.core.lazy"
local container = lazy "holos.image.container"

local M = {}

---@class holos.ImageReference
---@field kind "path"|"name"|"url"|"digest"
---@field path string?    kind "path": as it was written
---@field name string?    kind "name"
---@field tag string?     kind "name"; nil: the default one
---@field url string?     kind "url", without the digest
---@field digest string?  "sha256:…" or "sha512:…": what the file must hold; kind "digest": sha256

local DISK_EXTENSIONS = { [".qcow2"] = "qcow2", [".raw"] = "raw", [".img"] = "unknown" }

-- Formats that QEMU could read and holos does not run from.
local FOREIGN = {
  [".vmdk"] = true, [".vdi"] = true, [".vhd"] = true, [".vhdx"] = true, [".ova"] = true, [".box"] = true,
}

-- What packs a file, and the command that unpacks it beside the packed one.
local PACKED = {
  [".gz"] = "gunzip -k", [".xz"] = "unxz -k", [".zst"] = "unzstd", [".bz2"] = "bunzip2 -k", [".zip"] = "unzip", [".7z"] = "7z x",
}

local DIGEST_DIGITS = { sha256 = 64, sha512 = 128 }

local LONGEST_NAME <const>, LONGEST_TAG <const>, LONGEST_URL <const> = 64, 128, 4096

-- ".qcow2" of "a/b.QCOW2"; "" without one. From the end: a pattern without "^" is tried at every position.
local function extension(text) return (text:match("^.*[^/.](%.%w+)$") or ""):lower() end

--- Whether a text is meant as a path: by its start, or by the extension of a disk image.
function M.is_path(text)
  if text:find("^%a[%w+.-]*://") then return false end
  return text:find("^%.?%.?/") ~= nil or text:find("^~/") ~= nil or DISK_EXTENSIONS[extension(text)] ~= nil
end

--- The format that a file's name promises: "qcow2", "raw", or nil when only its content can tell.
function M.format_of(name)
  local format = DISK_EXTENSIONS[extension(name)]
  return format ~= "unknown" and format or nil
end

--- "sha256:…" or "sha512:…" in lower case; nil and why `text` is none.
---@return string? digest
---@return string? message
function M.digest(text)
  local algorithm, hex = text:lower():match("^(%w+):(%x+)$")
  local digits = DIGEST_DIGITS[algorithm]
  if not digits then return nil, ('"%s" is no digest; one is written sha256:… or sha512:…'):format(text) end
  if #hex ~= digits then return nil, ("a %s digest has %d hexadecimal digits, not %d"):format(algorithm, digits, #hex) end
  return algorithm .. ":" .. hex
end

-- "a@sha256:…" is "a" and its digest. Another "@" belongs to what stands before.
local function split_digest(text)
  local rest, digest = text:match("^(.*)@(%w+:%x*)$")
  if not rest then return text end
  local good, message = M.digest(digest)
  if not good then return nil, message end
  return rest, good
end

-- Why a file with this extension is no root disk that can be used.
local function check_extension(text)
  local suffix = extension(text)
  if FOREIGN[suffix] then return ('"%s": %s images are not read'):format(text, suffix), "convert it to qcow2" end
  if suffix == ".iso" then
    return ('"%s" is a CD-ROM; the root disk starts from a disk image'):format(text), "name it with cdrom: or iso:"
  end
  if PACKED[suffix] then
    return ('"%s" is packed; a disk image is used as it is'):format(text),
      ("fetch it, unpack it (%s), and name what comes out"):format(PACKED[suffix])
  end
end

-- The host of an address, without its port; nil when none is there.
local function host_of(authority)
  local literal = authority:match("^%[([%x:.]+)%]:?%d*$")
  return literal or authority:match("^([%w._-]+):?%d*$")
end

--- The host that an address names.
---@return string?
function M.host(url)
  local authority = url:match("^%a[%w+.-]*://([^/?#]*)")
  return authority and host_of(authority:match("[^@]*$")) or nil
end

--- A text as it may be shown and logged: of an address without its query, in which tokens are written. Others as they are.
function M.show(text) return text:find("^%a[%w+.-]*://") and text:gsub("[?#].*$", "") or text end

--- Whether only this host can be at the other end.
function M.is_loopback(host) return host == "localhost" or host == "::1" or host:find("^127%.[%d.]+$") ~= nil end

--- Why nothing is fetched from an address; nil when it may be.
---@return string? message
---@return string? hint
function M.check_url(url)
  local scheme, authority = url:match("^(%a[%w+.-]*)://([^/?#]*)")
  if not scheme then return ('"%s" is no address'):format(url) end
  if #url > LONGEST_URL then return ("the address is longer than %d bytes"):format(LONGEST_URL) end
  if url:find("[%z\1-\32\127]") then return "the address has a blank or a control character" end
  if scheme:lower() == "file" then return ('"%s": files are named by their path'):format(url), "write image: /path/of/the.qcow2" end
  if authority:find("@", 1, true) then
    return "the address has a name or password in it, which logs and records would show", "use a server that asks for none"
  end
  local host = host_of(authority)
  if not host then return ('"%s" names no host'):format(M.show(url)) end
  if scheme:lower() == "https" or scheme:lower() == "http" and M.is_loopback(host) then return end
  return ('"%s": images are fetched by https only'):format(M.show(url)),
    "use the https address, or fetch the file and name its path"
end

local function parse_url(text, digest)
  local url = text:gsub("#.*$", "")
  local message, hint = M.check_url(url)
  if not message then message, hint = check_extension(M.show(url)) end
  if message then return nil, message, hint end
  return { kind = "url", url = url, digest = digest }
end

--- Why `name` or `tag` cannot name an image; nil when they can.
---@return string? message
---@return string? hint
function M.check_name(name, tag)
  local small = name:lower()
  if #name > LONGEST_NAME or not small:find("^%l[%w._-]*$") and not small:find("^%d[%w._-]*%l[%w._-]*$") then
    return ('"%s" is no name of an image: those are letters, digits, ".", "_" and "-", at most %d'):format(name, LONGEST_NAME)
  end
  if name ~= small then
    return ('"%s": names of images are in small letters'):format(name), ('did you mean "%s"?'):format(small)
  end
  if tag and (#tag > LONGEST_TAG or not tag:find("^[%w_][%w._-]*$")) then
    return ('"%s" is no tag of an image: those are letters, digits, ".", "_" and "-", at most %d'):format(tag, LONGEST_TAG)
  end
end

local function parse_name(text, digest, advise)
  local message, hint = (advise or container.advice)(text)
  if message then return nil, message, hint end
  local name, colon, tag = text:match("^([^:]*)(:?)(.*)$")
  if colon == "" then tag = nil end
  message, hint = M.check_name(name, tag)
  if message then return nil, message, hint end
  return { kind = "name", name = name, tag = tag, digest = digest }
end

--- What a text names; nil, why it names nothing, and what helps.
---@param text string
---@param advise (fun(text: string): string?, string?)?  about names of container images; container.advice where none is given
---@return holos.ImageReference? reference
---@return string? message
---@return string? hint
function M.parse(text, advise)
  if text == "" then return nil, "no image is named" end
  if text:find("%c") then return nil, "the path has a control character" end
  if text:find("^sha%d+:") then
    local digest, message = M.digest(text)
    if digest and digest:find("^sha512:") then return nil, "images are known by their sha256 digest" end
    if not digest then return nil, message end
    return { kind = "digest", digest = digest }
  end
  if M.is_path(text) then
    local message, hint = check_extension(text)
    if message then return nil, message, hint end
    return { kind = "path", path = text }
  end
  local rest, digest = split_digest(text)
  if not rest then return nil, digest end
  if rest:find("^%a[%w+.-]*://") then return parse_url(rest, digest) end
  local message, hint = check_extension(rest)
  if message then return nil, message, hint end
  return parse_name(rest, digest, advise)
end

--- Why FROM of a Dockerfile names nothing that a machine can start from; nil when it does.
---@return string? message
---@return string? hint
function M.check_from(text)
  local named, message, hint = M.parse(text, container.advice_of_from)
  if not named then return message, hint end
end

--- A reference as it is written.
function M.write(reference)
  if reference.kind == "path" then return reference.path end
  if reference.kind == "digest" then return reference.digest end
  local text = reference.url or reference.name .. (reference.tag and ":" .. reference.tag or "")
  return reference.digest and text .. "@" .. reference.digest or text
end

return M
