--- What an image must hold, by what the catalogue or its publisher says. Effects: fetches lists and signatures.
local checksum = require "holos.image.checksum"
local err = require "holos.core.err"
local http = require "holos.run.http"
local lazy = require "holos.core.lazy"
local reference = require "holos.image.reference"
local signature = lazy "holos.run.images.signature"

local M = {}

---@class holos.Expected
---@field algorithm "sha256"|"sha512"?  nil: nothing is known, TLS alone vouches for it
---@field hex string?
---@field is_signed boolean  a good signature says so; for those over the image itself, once it was judged
---@field said_by "catalogue"|"list"|"reference"|nil

local function options_for(url, o)
  local host = reference.host(url)
  return { ca_file = o.ca_file, connections = o.connections, allow_http = host ~= nil and reference.is_loopback(host) }
end

--- A small text of the publisher; raises when it cannot be had.
function M.fetch(world, url, o)
  local got, message, code, status = http.get(world, url, options_for(url, o))
  if got then return got.body end
  err.raise { message = message, code = code or "EHTTP", status = status }
end

-- The list of checksums, as far as it may be believed.
local function list_of(world, state, source, o)
  local text = M.fetch(world, source.checksum.url, o)
  local signed = o.is_signed and source.signature
  if not signed or signed.kind == "image" then return text, false end
  local what = source.checksum.url:match("[^/]*$")
  if signed.kind == "inline" then return signature.signed_part(world, state, text, signed.keyring, what), true end
  local beside = M.fetch(world, source.checksum.url .. (signed.suffix or ".asc"), o)
  signature.require_text(world, state, text, beside, signed.keyring, what)
  return text, true
end

local function pinned(source)
  for _, algorithm in ipairs { "sha512", "sha256" } do
    local hex = source.checksum[algorithm]
    if hex then return { algorithm = algorithm, hex = hex, is_signed = false, said_by = "catalogue" } end
  end
end

local function require_signature(source, o)
  if not o.is_signed or source.signature then return end
  err.raise { code = "ENOSIGNATURE", message = ("%s: no signature of its publisher is known"):format(reference.show(source.url)),
    hint = (source.checksum.url or pinned(source)) and "leave --signed out; the checksum is compared all the same"
      or "leave --signed out; then TLS alone vouches for it, unless its digest is written behind its address (@sha256:…)" }
end

-- What a list says of the file, which may not be something else than what is known of it.
local function listed(world, state, source, o, known)
  local text, is_signed = list_of(world, state, source, o)
  local name = source.url:gsub("[?#].*$", ""):match("[^/]*$")
  local found, message = checksum.find(text, name, known and known.algorithm or source.checksum.algorithm)
  if not found then
    err.raise { code = "ECHECKSUM", message = ("%s: %s"):format(source.checksum.url, message),
      hint = "nothing is taken that cannot be checked" }
  end
  if known and known.hex ~= found.hex then
    err.raise { code = "ECHECKSUM", message = ("%s: says %s of %s, and %s is known of it"):format(source.checksum.url,
      found.hex, name, known.hex), hint = "the publisher replaced a build, or somebody else did: nothing was taken" }
  end
  return { algorithm = found.algorithm, hex = found.hex, is_signed = is_signed, said_by = "list" }
end

--- What must be in the file of a source. What the catalogue has in itself needs no network, unless a signature over the
--- publisher's list is asked for.
---@param source {url: string, checksum: table, signature: table?}
---@param o {is_signed: boolean?, ca_file: string?}
---@return holos.Expected
function M.of(world, state, source, o)
  require_signature(source, o)
  local known = pinned(source)
  local wants_list = o.is_signed and source.signature and source.signature.kind ~= "image"
  if known and not wants_list then return known end
  if source.checksum.url then return listed(world, state, source, o, known) end
  return known or { is_signed = false }
end

--- Raises unless the signature over the image itself is good, where it is one of that kind and asked for; says whether it
--- was.
---@return boolean
function M.judge_image(world, state, source, file, o)
  local signed = o.is_signed and source.signature
  if not signed or signed.kind ~= "image" then return false end
  local beside = M.fetch(world, source.url .. (signed.suffix or ".sig"), o)
  signature.require_file(world, state, file, beside, signed.keyring, source.url:match("[^/]*$"))
  return true
end

return M
