--- What a supervisor keeps in mind of a recorded instance: a small part of its spec. Pure.
local M = {}

--- The parts of a spec that are looked at while a VM runs; the rest is read again when it is launched.
local KEPT = { "name", "project", "service", "user", "restart", "healthcheck", "logging", "stop_grace_ms", "ports", "nics",
  "post_start", "ready", "depends_on", "index" }

---@param entry table  of a record
---@return {desired: string, spec: table}
function M.of(entry)
  local spec = {}
  for _, key in ipairs(KEPT) do spec[key] = entry.spec[key] end
  spec.image = { path = entry.spec.image.path, name = entry.spec.image.name }
  spec.boot = entry.spec.boot and { kernel = entry.spec.boot.kernel }
  spec.app = entry.spec.app and { working_dir = entry.spec.app.working_dir, user = entry.spec.app.user }
  spec.environment = entry.spec.environment and {}
  return { desired = entry.desired, spec = spec }
end

return M
