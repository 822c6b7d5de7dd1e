--- Sources of COPY and ADD: paths of the context, addresses of files, git repositories. Pure.
local path = require "holos.core.path"

local M = {}

-- "https://host/a.git#branch:directory"
local function git(text)
  local url, fragment = text:match("^([^#]*)#?(.*)$")
  local ref, directory = fragment:match("^([^:]*):?(.*)$")
  local name = url:gsub("%.git$", ""):match("([^/]+)/*$")
  return {
    kind = "git", url = url, ref = ref ~= "" and ref or nil, subdir = directory ~= "" and directory or nil, name = name,
  }
end

-- "https://name:password@host/…" without what goes before the host.
local function without_credentials(address)
  local scheme, authority, rest = address:match("^(%a+://)([^/?]*)(.*)$")
  return scheme and scheme .. authority:gsub("^.*@", "") .. rest or address
end

-- A file's address as it is fetched, and as it may be told where that is something else.
local function file(address)
  local url = address:gsub('["\\]', function(byte) return ("%%%02X"):format(byte:byte()) end)
  local shown, location = without_credentials(url), address:gsub("%?.*$", "")
  return { kind = "url", url = url, shown = shown ~= url and shown or nil, name = location:match("^%a+://[^/]+/.-([^/]+)$") }
end

local NO_KEYS = "no SSH key reaches the steps of a machine"

--- What a source of ADD outside of the context is; nil for a path.
---@return {kind: "url"|"git", url: string, shown: string?, name: string?, ref: string?, subdir: string?}? remote
---@return string? message
---@return string? hint
function M.remote(text)
  if text:find("^git@") or text:find("^ssh://") then
    return nil, without_credentials(text) .. ": " .. NO_KEYS, "name it by https://, or fetch on the host and COPY it"
  end
  local address = text:match("^https?://[^#]*") or text:match("^git://[^#]*")
  local other = not address and text:match("^%a[%w+.-]*://")
  if other then
    return nil, ("ADD does not fetch by %s"):format(other), "name it by https://, or fetch on the host and COPY it"
  end
  if not address then return nil end
  local shown = without_credentials(text)
  if text:find("[%c ]") then return nil, ("the address %q has a blank or a control character"):format(shown) end
  if not (address:find("^git://") or address:find("%.git/?$")) then return file(address) end
  if shown ~= text then
    return nil, ("the address of the repository %s has a name or a password in it, which git would show to every process"):format(
      shown), "clone it on the host and COPY it"
  end
  return git(text)
end

-- "a/./b" of --parents: what is behind the dot is kept.
local function with_pivot(text)
  local before, behind = text:match("^(.-)/%./(.*)$")
  if not before then return nil end
  local left, right = path.normalize("/" .. before), path.normalize("/" .. behind)
  return (left == "/" and "." or left:sub(2)) .. "/./" .. (right == "/" and "." or right:sub(2))
end

--- A path or pattern as it lies in the context: nothing before it, nothing leads out of it.
---@param keeps_pivot boolean?
function M.in_context(text, keeps_pivot)
  if keeps_pivot then
    local pivoted = with_pivot(text)
    if pivoted then return pivoted end
  end
  local whole = path.normalize("/" .. text)
  return whole == "/" and "." or whole:sub(2)
end

--- "user", "1000:1000", "user:group"
function M.is_owner(text)
  local user, group = text:match("^([%w_][%w_.-]*%$?)(.*)$")
  return user ~= nil and #text <= 256 and (group == "" or group:find("^:[%w_][%w_.-]*%$?$") ~= nil)
end

--- "755", "u=rwX,go=rX"
function M.is_mode(text)
  if text:find("^[0-7][0-7]?[0-7]?[0-7]?$") then return true end
  if text:find("^0[0-7][0-7][0-7][0-7]$") then return true end
  if text == "" or #text > 256 then return false end
  for clause in (text .. ","):gmatch("([^,]*),") do
    if not clause:find("^[ugoa]*[-+=][rwxXst]*$") then return false end
  end
  return true
end

local DIGITS = { sha256 = 64, sha384 = 96, sha512 = 128 }

--- "sha256:…", or the commit of a git repository.
function M.is_checksum(text, kind)
  if kind == "git" then return text:find("^%x+$") ~= nil and #text >= 7 and #text <= 64 end
  local algorithm, hex = text:match("^(sha%d+):(%x+)$")
  return algorithm ~= nil and DIGITS[algorithm] == #hex
end

return M
