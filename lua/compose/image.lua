--- What `image:` names. Pure.

local M = {}

-- Systems whose makers publish cloud images, by the names that people use for them.
local CATALOGUE = {
  alma = true, almalinux = true, alpine = true, amazonlinux = true, arch = true, archlinux = true, centos = true,
  debian = true, fedora = true, freebsd = true, opensuse = true, oraclelinux = true, rocky = true, rockylinux = true,
  ubuntu = true,
}

-- Container images that many files name, and the packages of Debian that hold what they hold.
local PACKAGES = {
  caddy = "caddy", golang = "golang", gradle = "gradle", haproxy = "haproxy", httpd = "apache2", mariadb = "mariadb-server",
  maven = "maven", memcached = "memcached", mosquitto = "mosquitto", mysql = "default-mysql-server", nats = "nats-server",
  nginx = "nginx", node = "nodejs", openjdk = "default-jre-headless", perl = "perl", php = "php", postgres = "postgresql",
  python = "python3", rabbitmq = "rabbitmq-server", redis = "redis-server", registry = "docker-registry", ruby = "ruby",
  rust = "rustc", tomcat = "tomcat10", valkey = "valkey-server", varnish = "varnish",
}

local DISK_EXTENSIONS = { [".qcow2"] = "qcow2", [".raw"] = "raw", [".img"] = "unknown" }

-- Formats that QEMU could read and holos does not run from.
local FOREIGN = {
  [".vmdk"] = true, [".vdi"] = true, [".vhd"] = true, [".vhdx"] = true, [".ova"] = true, [".box"] = true,
}

-- ".qcow2" of "a/b.QCOW2"; "" without one. From the end: a pattern without "^" is tried at every position.
local function extension(text)
  return (text:match("^.*[^/.](%.%w+)$") or ""):lower()
end

--- Whether a text is meant as a path: by its start, or by the extension of a disk image.
function M.is_path(text)
  return text:find("^%.?%.?/") ~= nil or text:find("^~/") ~= nil or DISK_EXTENSIONS[extension(text)] ~= nil
end

local IN_A_MACHINE = "name a cloud image (`holos init -o -` says where one is to be had), and install the program in it:\n"
  .. "image: ./debian.qcow2\ncloud_init: %s"

local function check_name(text)
  local name, tag = text:match("^([^:@]+):?([%w._-]*)")
  if CATALOGUE[name] then
    local file = tag ~= "" and name .. "-" .. tag or name
    return ('"%s": images by name are not available yet'):format(text),
      ("fetch its cloud image, and name the file: ./%s.qcow2"):format(file)
  end
  local holds = PACKAGES[(name or text):match("[^/]+$")]
  local hint = IN_A_MACHINE:format(holds and ("{packages: [%s]}"):format(holds) or "{packages: [...], runcmd: [...]}")
  return ('"%s" is a container image; a virtual machine starts from a disk image'):format(text),
    hint .. ('\n(a file of this name is written "./%s")'):format(text)
end

--- Why `text` names no image that can be used; nil when it is the path of a disk image.
---@return string? message
---@return string? hint
function M.check(text)
  local suffix = extension(text)
  if text:find("%c") then return "the path has a control character" end
  if text:find("^%a+://") then
    return ('"%s": images from the network are not available yet'):format(text),
      "download it and name the file: ./image.qcow2"
  end
  if FOREIGN[suffix] then return ('"%s": %s images are not read'):format(text, suffix), "convert it to qcow2" end
  if suffix == ".iso" then
    return ('"%s" is a CD-ROM; the root disk starts from a disk image'):format(text), "name it with cdrom: or iso:"
  end
  if M.is_path(text) then return end
  return check_name(text)
end

--- The format that a file's name promises: "qcow2", "raw", or nil when only its content can tell.
function M.format_of(name)
  local format = DISK_EXTENSIONS[extension(name)]
  return format ~= "unknown" and format or nil
end

return M
