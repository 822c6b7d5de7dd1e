--- Paths of the host in a document: "~" and relative ones become absolute. Pure.
local path = require "holos.core.path"

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

-- Every place of a service that holds a path, as {container, key, keys of the place}.
local function places(name, service)
  local found = { { service, "image", { "services", name, "image" } } }
  for position, mount in ipairs(service.volumes) do
    if mount and mount.kind == "bind" then
      found[#found + 1] = { mount, "source", { "services", name, "volumes", position } }
    end
  end
  for position in ipairs(service.vm.allow_paths) do
    found[#found + 1] = { service.vm.allow_paths, position, { "services", name, "vm", "allow_paths", position } }
  end
  found[#found + 1] = { service.cloud_init, "user_data", { "services", name, "cloud_init", "user_data" } }
  return found
end

--- Makes all paths of a checked tree absolute, in place.
---@param report fun(keys: table, message: string)
function M.resolve_all(tree, directory, environment, report)
  for name, service in pairs(tree.services) do
    for _, place in ipairs(places(name, service)) do
      local container, key = place[1], place[2]
      if container[key] then
        local absolute, message = M.resolve(container[key], directory, environment)
        if not absolute then report(place[3], message) end
        container[key] = absolute
      end
    end
  end
end

return M
