--- Several user-data parts as one MIME message, as cloud-init takes them. Pure.
--- Bodies travel as Base64: cloud-init's mail parser mends any others that are not ASCII.
local base64 = require "holos.core.base64"

local M = {}

-- What a user-data file is, by how it begins, longest first (cloud-init, "User-data formats").
local KINDS = {
  { "#cloud-config-archive", "text/cloud-config-archive" },
  { "#cloud-config-jsonp", "text/cloud-config-jsonp" },
  { "#cloud-config", "text/cloud-config" },
  { "#cloud-boothook", "text/cloud-boothook" },
  { "#include-once", "text/x-include-once-url" },
  { "#include", "text/x-include-url" },
  { "#part-handler", "text/part-handler" },
  { "## template: jinja", "text/jinja2" },
  { "#!", "text/x-shellscript" },
}

--- The MIME type of a user-data file, nil for one that is MIME already; unmarked files are taken for cloud-config.
function M.kind(data)
  local start = data:sub(1, 64):lower()
  if start:find("^content%-type:") or start:find("^mime%-version:") then return nil end
  for _, kind in ipairs(KINDS) do
    if data:sub(1, #kind[1]) == kind[1] then return kind[2] end
  end
  return "text/cloud-config"
end

-- Lists of later parts are appended to those of earlier ones; where both set one value, the earlier part wins.
local HEADERS = [[
Content-Type: %s; charset="utf-8"
Content-Transfer-Encoding: base64
Merge-Type: list(append)+dict(recurse_array)+str()

%s]]

-- A message of the user's own is a part as it is: it brings its headers.
local function part(data)
  local kind = M.kind(data)
  return kind and HEADERS:format(kind, base64.encode(data, 76)) or data
end

local function boundary_for(parts)
  local all, number = table.concat(parts, "\n"), 0
  while all:find("=====holos-" .. number, 1, true) do number = number + 1 end
  return "=====holos-" .. number .. "====="
end

--- One message of user-data files.
---@param files string[]
function M.message(files)
  local parts = {}
  for i, data in ipairs(files) do parts[i] = part(data) end
  local boundary = boundary_for(parts)
  local lines = { ('Content-Type: multipart/mixed; boundary="%s"\nMIME-Version: 1.0\n'):format(boundary) }
  for _, text in ipairs(parts) do lines[#lines + 1] = "--" .. boundary .. "\n" .. text end
  return table.concat(lines, "\n") .. "\n--" .. boundary .. "--\n"
end

return M
