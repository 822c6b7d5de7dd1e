--- Names of container images, which are no disks: what to write instead. Pure.
local M = {}

-- Container images that many files name, and the packages of Debian that hold what they hold.
local PACKAGES = {
  caddy = "caddy", golang = "golang", gradle = "gradle", haproxy = "haproxy", httpd = "apache2", mariadb = "mariadb-server",
  maven = "maven", memcached = "memcached", mosquitto = "mosquitto", mysql = "default-mysql-server", nats = "nats-server",
  nginx = "nginx", node = "nodejs", openjdk = "default-jre-headless", perl = "perl", php = "php", postgres = "postgresql",
  python = "python3", rabbitmq = "rabbitmq-server", redis = "redis-server", registry = "docker-registry", ruby = "ruby",
  rust = "rustc", tomcat = "tomcat10", valkey = "valkey-server", varnish = "varnish",
}

local MESSAGE = '"%s" is a container image; a virtual machine starts from a disk image'
local IN_A_MACHINE = "name a system, and install the program in it:\nimage: debian\ncloud_init: %s"

-- The package that holds what an image holds.
local function package_of(text) return PACKAGES[text:match("^([^:@]+)"):match("[^/]+$")] end

--- What to write instead of a container image, as a sentence.
function M.instead(text)
  local holds = package_of(text)
  return IN_A_MACHINE:format(holds and ("{packages: [%s]}"):format(holds) or "{packages: [...], runcmd: [...]}")
end

--- Whether a name is one of a container image that many know, or has a registry in it.
function M.is_known(text)
  local name = text:match("^([^:@]+)")
  return name ~= nil and (name:find("/", 1, true) ~= nil or PACKAGES[name] ~= nil or text:find("^[^/]*:[^/]*/") ~= nil)
end

--- Why `text` names no image of ours, and what to write instead; nil when it may be one.
---@return string? message
---@return string? hint
function M.advice(text)
  if not M.is_known(text) then return end
  return MESSAGE:format(text),
    M.instead(text) .. ('\n(a file of this name is written "./%s")'):format(text)
end

--- The same for the FROM of a Dockerfile.
---@return string? message
---@return string? hint
function M.advice_of_from(text)
  if not M.is_known(text) then return end
  local official = text:match("^docker%.io/library/([^/]+)$") or text:match("^library/([^/]+)$")
  if official and not package_of(text) then
    return MESSAGE:format(text), "begin with the system of that name:\nFROM " .. official:gsub("%-slim$", "")
  end
  return MESSAGE:format(text), ("begin with a system, and install the program in it:\nFROM debian:12\n"
    .. "RUN apt-get update && apt-get install -y %s"):format(package_of(text) or "...")
end

return M
