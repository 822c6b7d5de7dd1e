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
    # The disk that root disks start from: a local qcow2 or raw image with cloud-init, or one of the image store, such as
    # debian:12. It is never written to.
$ADVICE    image: $IMAGE
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

local ADVICE = [[
    # It is not here so far; this fetches it:
    #   curl -LO https://cloud.debian.org/images/cloud/bookworm/latest/$FILE
]]

local USER_COLUMNS = 19

-- A directory may be called 2024 or true.
local function written_name(name) return (yaml.encode(name):gsub("\n$", "")) end

-- The machine's name as Debian's image files have it.
local ARCHITECTURES = { x86_64 = "amd64", aarch64 = "arm64" }

-- Users by what the names of images begin with; any other guest gets one of this name too.
local USERS = { "alpine", "arch", "debian", "fedora", "rocky", "ubuntu" }

--- The name of the image that a file asks for when none is there.
function M.image_for(architecture)
  return ("debian-12-generic-%s.qcow2"):format(ARCHITECTURES[architecture] or "amd64")
end

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
  if base_of(options.image or ""):find("^alpine") then return lines .. "    image_os: openrc\n" end
  return lines .. "    # image_os: plain           # for a guest without cloud-init\n"
end

--- The file's text.
---@param options {name: string, image: string?, format: string?, is_name: boolean?, architecture: string}  `image` as the
---  user would write it; absent: one that has to be fetched first. `format` where the name does not tell it; is_name: of the
---  image store
function M.text(options)
  local file = M.image_for(options.architecture)
  local values = { NAME = written_name(options.name), IMAGE = written_path(options.image or file, options.is_name),
    KIND = kind_lines(options), USER = ("%-" .. USER_COLUMNS .. "s"):format(user_for(options.image or file)),
    ADVICE = options.image and "" or ADVICE:gsub("%$FILE", file) }
  return (TEXT:gsub("%$(%u+)", values))
end

return M
