--- Fields of a spec that came with the whole language: what a machine starts from, and what its boot part sets up.
--- Pure. All are absent in older specs. Values that may be secret are never shown, only that they changed.
local lazy = require "holos.core.lazy"
local hook = lazy "holos.plan.hook"
local table_ = require "holos.core.table"
local units = require "holos.core.units"

local M = {}

local function words(list)
  return list and #list > 0 and table.concat(table_.map(list, tostring), " ") or "none"
end

--- "A added, B removed, C changed": what differs between two maps, without their values.
local function tell_map(from, to)
  local told, names = {}, {}
  for name in pairs(from or {}) do names[name] = true end
  for name in pairs(to or {}) do names[name] = true end
  for _, name in ipairs(table_.keys(names)) do
    local before, now = from and from[name], to and to[name]
    local what = before == nil and "added" or now == nil and "removed" or not table_.deep_equal(before, now) and "changed"
    if what then told[#told + 1] = name .. " " .. what end
  end
  local text = table.concat(told, ", ")
  return text, text
end

local function tell_grants(from, to)
  local function by_target(grants)
    local map = {}
    for _, grant in ipairs(grants or {}) do map[("%s (%s)"):format(grant.key, grant.target)] = grant end
    return map
  end
  return tell_map(by_target(from), by_target(to))
end

local function bytes(count) return count and units.format_bytes(count) or "default" end

local function app_words(app) return app and words(app.argv) or "none" end

local function tell_app(from, to)
  local before, now = app_words(from), app_words(to)
  if before ~= now then return before, now end
  return tell_map(from, to)
end

local function cdrom_words(cdroms)
  return words(table_.map(cdroms or {}, function(cdrom) return cdrom.path end))
end

local function extra_host_words(hosts)
  return words(table_.map(hosts or {}, function(host) return host.name .. "=" .. host.address end))
end

local function logging_words(logging)
  if not logging then return "default" end
  return ("%s, %d files"):format(bytes(logging.max_bytes), logging.max_files or 2)
end

local function restart_words(restart)
  if not restart then return "no" end
  local shown = restart.policy .. (restart.max_attempts and ":" .. restart.max_attempts or "")
  return shown .. (restart.on_unhealthy and " and when unhealthy" or "")
end

local function hook_words(hooks)
  return hooks and table.concat(table_.map(hooks, function(one) return hook.title(one) end), ", ") or "none"
end

local function text(value) return tostring(value or "none") end

--- As plan/diff's; `tell(from, to)` gives both texts where one side alone says too little or too much.
M.FIELDS = {
  { name = "boot", key = "boot", get = function(s) return s.boot end, tell = tell_map },
  { name = "cdrom", key = "cdrom", get = function(s) return s.cdroms end, show = cdrom_words },
  { name = "rtc", key = "rtc", get = function(s) return s.rtc end, show = text },
  { name = "hostname", key = "hostname", get = function(s)
      return s.hostname and { s.hostname, s.domainname }
    end, show = function(names) return names and table.concat(names, ".") or "none" end },
  { name = "environment", key = "environment", get = function(s) return s.environment end, tell = tell_map },
  { name = "configs", key = "configs", get = function(s) return s.configs end, tell = tell_grants },
  { name = "secrets", key = "secrets", get = function(s) return s.secrets end, tell = tell_grants },
  { name = "dns", key = "dns", get = function(s) return s.dns end, show = words },
  { name = "dns_search", key = "dns_search", get = function(s) return s.dns_search end, show = words },
  { name = "dns_opt", key = "dns_opt", get = function(s) return s.dns_options end, show = words },
  { name = "sysctls", key = "sysctls", get = function(s) return s.sysctls end, tell = tell_map },
  { name = "shm_size", key = "shm_size", get = function(s) return s.shm_size_bytes end, show = bytes },
  { name = "command", key = "command", get = function(s) return s.app end, tell = tell_app },
  { name = "extra_hosts", key = "extra_hosts", get = function(s) return s.extra_hosts end, show = extra_host_words },
  { name = "logging", key = "logging", get = function(s) return s.logging end, show = logging_words },
  { name = "restart", key = "restart", at = { "restart" }, get = function(s) return s.restart end, show = restart_words },
  { name = "post_start", key = "post_start", at = { "post_start" }, get = function(s) return s.post_start end, show = hook_words },
  { name = "pre_stop", key = "pre_stop", at = { "pre_stop" }, get = function(s) return s.pre_stop end, show = hook_words },
  { name = "cpus", class = "live", key = "cpus", at = { "vm", "cpu_quota" },
    get = function(s) return s.vm.cpu_quota end, show = text },
}

return M
