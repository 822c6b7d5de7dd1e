--- What an instance's boot part sets up: names, environment, resolver, kernel parameters, configs, secrets, the app.
--- Pure. Absent is what the file says nothing about: specs of older records have none of these fields.
local table_ = require "holos.core.table"

local M = {}

--- A secret is root's alone unless the file says otherwise; a config may be read by everybody.
M.SECRET_MODE, M.CONFIG_MODE = tonumber("400", 8), tonumber("444", 8)
--- Bits for writing have no meaning: both are put in place anew at every boot.
local NO_WRITING = tonumber("555", 8)

local function present(map) return map and next(map) ~= nil and table_.copy(map) or nil end
local function present_list(list) return list and #list > 0 and table_.list(table_.copy(list)) or nil end

--- The host name: the file's, numbered where there are several; else the instance's.
function M.hostname(service, index, name)
  if not service.hostname then return name end
  return service.replicas > 1 and ("%s-%d"):format(service.hostname, index) or service.hostname
end

-- Files with their digests: a change of content is a change of the spec, and the content itself stays out of it.
local function grants(list, digests, mode)
  local made = table_.map(list or {}, function(grant)
    return { key = grant.key, target = grant.target, uid = tostring(grant.uid or 0), gid = tostring(grant.gid or 0),
      mode = (grant.mode or mode) & NO_WRITING, digest = digests[grant.key] }
  end)
  return #made > 0 and made or nil
end

local function app_of(service)
  local app = service.app
  if not app or #app.argv == 0 then return nil end
  return { argv = table_.list(table_.copy(app.argv)), working_dir = app.working_dir, user = app.user,
    group_add = present_list(app.group_add), ulimits = present(app.ulimits), pids_limit = app.pids_limit,
    stop_signal = app.stop_signal }
end

--- Lays the fields of the boot part into a spec.
---@param spec table
---@param digests {configs: table<string, string>, secrets: table<string, string>}?  from the host's files
function M.fill(spec, service, index, digests)
  digests = digests or { configs = {}, secrets = {} }
  spec.hostname, spec.domainname = M.hostname(service, index, spec.name), service.domainname
  spec.environment = present(service.environment)
  spec.dns, spec.dns_search = present_list(service.dns), present_list(service.dns_search)
  spec.dns_options, spec.extra_hosts = present_list(service.dns_options), present_list(service.extra_hosts)
  spec.sysctls = present(service.sysctls)
  spec.shm_size_bytes = service.shm_size_bytes
  spec.configs = grants(service.configs, digests.configs, M.CONFIG_MODE)
  spec.secrets = grants(service.secrets, digests.secrets, M.SECRET_MODE)
  spec.app = app_of(service)
end

return M
