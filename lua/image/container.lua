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

local IN_A_MACHINE = "name a system, and install the program in it:\nimage: debian\ncloud_init: %s"

--- What to write instead of a container image, as a sentence.
function M.instead(text)
  local holds = PACKAGES[text:match("^([^:@]+)"):match("[^/]+$")]
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
  return ('"%s" is a container image; a virtual machine starts from a disk image'):format(text),
    M.instead(text) .. ('\n(a file of this name is written "./%s")'):format(text)
end

return M
