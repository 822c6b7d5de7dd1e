--- The text of a compose file to start from. Pure.
local yaml = require "holos.core.yaml"

local M = {}

-- What is commented out is left to the reader; what is not passes `holos validate` as it stands, once its image is there.
local TEXT = [[
# A stack of virtual machines: `holos validate` checks this file, `holos plan` shows what `holos up` would do.
# Paths are seen from the directory of this file.
name: $NAME

services:
  web:                          # a kind of machine; its instances are called web-0, web-1, ...
    # The disk that root disks start from: an image by its name (`holos images known` lists them), or a qcow2 or raw file
    # of this host. It is never written to.
    image: $IMAGE
$KIND    # replicas: 2               # so many machines of this kind
    vm:
      vcpu: 1
      memory: 1G
      # disk_size: 20G          # the root disk; it takes only the room that is used of it
    # ports: ["8080:80"]        # 127.0.0.1:8080 of this host is port 80 of the machine; more replicas get 8081, ...
    # depends_on: [db]          # started once db is up, or healthy where it has a healthcheck
    # volumes:
    #   - ./www:/srv/www:ro     # a directory of this host
    #   - data:/var/lib/data    # a disk that outlives its machine; declared at the end of this file
    # environment: {GREETING: hello}
    cloud_init:
      user: $USER # the user that is made; `holos exec web` logs in as this one
      # packages: [nginx]       # installed at the first start
      # runcmd: ["systemctl enable --now nginx"]

# volumes:
#   data: {size: 10G}
]]

--- The image of files that name no other.
M.IMAGE = "debian:12"

local USER_COLUMNS = 19

-- A directory may be called 2024 or true.
local function written_name(name) return (yaml.encode(name):gsub("\n$", "")) end

-- Users by what the names of images begin with; any other guest gets one of this name too.
local USERS = { "alpine", "arch", "debian", "fedora", "rocky", "ubuntu" }

local function base_of(image) return image:match("[^/]*$"):lower() end

local function user_for(image)
  for _, user in ipairs(USERS) do
    if base_of(image):find("^" .. user) then return user end
  end
  return "admin"
end

-- A path as a YAML scalar, with the start that makes any name a path.
local function written_path(image, is_name)
  local is_path = is_name or image:find("^%.?%.?/") or image:find("^~/")
  local name = is_path and image or "./" .. image
  if name:find("^[%w/._~+@-]+$") or is_name and name:find("^[%w._-]+:[%w._-]+$") then return name end
  return '"' .. name:gsub('[\\"]', "\\%0"):gsub("%$", "$$") .. '"'
end

-- What has to be said of an image beside its path.
local function kind_lines(options)
  local lines = options.format and ("    image_format: %s\n"):format(options.format) or ""
  if options.is_name then return lines end
  if base_of(options.image):find("^alpine") then return lines .. "    image_os: openrc\n" end
  return lines .. "    # image_os: plain           # for a guest without cloud-init\n"
end

--- The file's text.
---@param options {name: string, image: string, format: string?, is_name: boolean?}  `image` as the user would write it;
---  `format` where the name does not tell it; is_name: an image by name, no file
function M.text(options)
  local values = { NAME = written_name(options.name), IMAGE = written_path(options.image, options.is_name),
    KIND = kind_lines(options), USER = ("%-" .. USER_COLUMNS .. "s"):format(user_for(options.image)) }
  return (TEXT:gsub("%$(%u+)", values))
end

return M
