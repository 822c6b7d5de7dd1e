--- What a service is, as one text to be hashed: the same however the files say it. Pure.
--
-- Order of keys, comments, anchors, spelling and the number of files do not matter; nor do how many instances there are,
-- what they wait for, and which profiles they are in.
local json = require "holos.core.json"
local tables = require "holos.core.table"

local M = {}

--- Goes with every change of `FIELDS`.
M.VERSION = "h1"

--- Fields of a service of the project that count.
M.FIELDS = {
  "annotations", "app", "attach", "boot", "build", "cdroms", "cloud_init", "console_login", "container_name", "configs", "dns",
  "dns_options", "dns_search", "domainname", "environment", "expose", "extra_hosts", "healthcheck", "host_access", "hostname",
  "image", "labels", "logging", "mac", "mounts", "network_mode", "networks", "platform", "ports", "post_start", "pre_stop",
  "protect", "ready", "restart", "rtc", "secrets", "shm_size_bytes", "stop_grace_ms", "sysctls", "vm",
}

--- Fields that do not, each with the reason.
M.LEFT_OUT = {
  name = "another name is another service anyway", replicas = "instances come and go beside each other",
  depends_on = "it says when, not what", profiles = "they say whether, not what", is_enabled = "as profiles",
  not_yet = "it has no effect", update_config = "it says how machines are replaced, not by what",
  pull_policy = "it says when an image is fetched, not which", pull_refresh_after = "the same",
}

-- Whether a missing directory is made says nothing about the machine.
local function mounts_of(mounts)
  return tables.map(mounts, function(mount)
    local copy = tables.copy(mount)
    copy.create_host_path = nil
    return copy
  end)
end

-- What granted configs and secrets hold; of secrets only where they come from.
local function sources_of(project, service, digest)
  local sources = {}
  for _, grant in ipairs(service.configs or {}) do
    local config = project.configs[grant.key]
    sources["configs." .. grant.key] = digest(config) or config.source
  end
  for _, grant in ipairs(service.secrets or {}) do
    sources["secrets." .. grant.key] = (project.secrets[grant.key] or {}).source
  end
  return sources
end

-- Which image a name stands for changes from pull to pull.
local function image_of(image)
  return image and image.name and { name = image.name, os = image.os } or image
end

-- What a Dockerfile does in the machine; what it says of the app is the service's. The files that it takes along are not read.
local function build_of(build)
  if not build then return nil end
  return { context = build.context, steps = tables.list(tables.map(build.recipe.steps, function(step)
    local copy = tables.copy(step)
    copy.line, copy.title = nil, nil
    return copy
  end)) }
end

-- Nothing, and an empty list of it, are the same.
local function present(value)
  if type(value) == "table" and next(value) == nil then return nil end
  return value
end

--- The text.
---@param project table
---@param name string  of the service
---@param digest fun(config: table): string?  of what a config holds
function M.text(project, name, digest)
  local service, counted = project.services[name], {}
  for _, field in ipairs(M.FIELDS) do counted[field] = present(service[field]) end
  counted.image = image_of(service.image)
  counted.build = build_of(service.build)
  counted.mounts, counted.sources = mounts_of(service.mounts), sources_of(project, service, digest)
  return M.VERSION .. "\n" .. json.encode(counted)
end

--- The hash of a service: "h1:<64 hexadecimal digits>".
---@param sha256 fun(text: string): string
function M.of(project, name, digest, sha256)
  return M.VERSION .. ":" .. sha256(M.text(project, name, digest))
end

return M
