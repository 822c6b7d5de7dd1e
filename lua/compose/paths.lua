--- Paths of the host in a document: "~" and relative ones become absolute. Pure.
local path = require "holos.core.path"
local reference = require "holos.image.reference"
local tables = require "holos.core.table"

local M = {}

--- One path: absolute, "~", "~/x", or relative to `directory`.
---@param environment table<string, string>
---@return string? absolute
---@return string? message
function M.resolve(text, directory, environment)
  if text ~= "~" and text:sub(1, 2) ~= "~/" then return path.absolute(text, directory) end
  local home = environment.HOME
  if not home or home:sub(1, 1) ~= "/" then return nil, ('"%s" needs HOME, which is not set'):format(text) end
  return path.absolute("." .. text:sub(2), home)
end

--- Whether the context of a build is a directory of this host, not the address of a repository or another image.
function M.is_directory(text)
  return not (text:find("://", 1, true) or text:find("^git@") or text:find("^github%.com/") or text:find("^service:"))
end

local function each_path_of(key)
  return function(list, visit)
    for position, entry in ipairs(list) do
      if entry then visit(entry, "path", key, position) end
    end
  end
end

-- Keys that few services have: function(value, visit, service).
local RARE = { env_file = each_path_of "env_file", cdrom = each_path_of "cdrom" }

function RARE.label_file(list, visit)
  for position in ipairs(list) do visit(list, position, "label_file", position) end
end

function RARE.iso(_, visit, service) visit(service, "iso", "iso") end

function RARE.dockerfile(_, visit, service) visit(service, "dockerfile", "dockerfile") end

function RARE.build(build, visit)
  if build.context and M.is_directory(build.context) then visit(build, "context", "build", "context") end
end

function RARE.boot(boot, visit)
  for _, key in ipairs { "kernel", "initrd", "firmware" } do
    if boot[key] ~= "bios" and boot[key] ~= "uefi" then visit(boot, key, "boot", key) end
  end
end

-- What of a part at top level is a path.
local DECLARED = { { "configs", "file" }, { "secrets", "file" }, { "volumes", "device" } }

local RARE_KEYS = tables.keys(RARE)

-- Calls visit(container, key, …) for every place of a service that can hold a path; … are the keys that lead there.
local function each_place(service, visit)
  if service.image and reference.is_path(service.image) then visit(service, "image", "image") end
  for position, mount in ipairs(service.volumes) do
    if mount and mount.kind == "bind" then visit(mount, "source", "volumes", position) end
  end
  for position in ipairs(service.vm.allow_paths) do
    visit(service.vm.allow_paths, position, "vm", "allow_paths", position)
  end
  if service.cloud_init then visit(service.cloud_init, "user_data", "cloud_init", "user_data") end
  for position = 1, #RARE_KEYS do
    local key = RARE_KEYS[position]
    local value = service[key]
    if value then RARE[key](value, visit, service) end
  end
end

--- Makes all paths of a checked tree absolute, in place.
---@param report fun(keys: table, message: string)
function M.resolve_all(tree, directory, environment, report)
  local map, name
  local resolved = {} -- many services share an image
  local function resolve(container, key, ...)
    local text, message = container[key], nil
    if not text then return end
    if not resolved[text] then resolved[text], message = M.resolve(text, directory, environment) end
    if message then report({ map, name, ... }, message) end
    container[key] = resolved[text]
  end
  map = "services"
  for service_name, service in pairs(tree.services) do
    name = service_name
    each_place(service, resolve)
  end
  for _, declared in ipairs(DECLARED) do
    local kind, key = declared[1], declared[2]
    map = kind
    for source_name, source in pairs(tree[kind] or {}) do
      name = source_name
      resolve(source, key, key)
    end
  end
end

return M
