--- services.*.depends_on. Data.
local depends = require "holos.compose.depends"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local dependency = schema.record {
  { "condition", schema.parsed {
      accepts = { text = true }, wanted = "a condition", values = depends.words,
      parse = function(value) return depends.parse_condition(value) end, form = "condition",
    }, default = "auto", change = "live",
    meaning = "What to wait for: service_started, service_ready (it answers), service_provisioned (its first steps are "
      .. "done), service_healthy, service_completed_successfully (it switched itself off); absent: healthy where there is "
      .. "a check, else started." },
  { "restart", schema.boolean {}, default_text = "false", change = "live",
    meaning = "Restart with the dependency when holos restarts that." },
  { "required", schema.boolean {}, default_text = "true", change = "live",
    meaning = "false: start also when the dependency is missing or fails; up tells of the failure at its end." },
}

return schema.either {
  list = schema.list {
    of = rules.label,
    canonical = function(list, at)
      return depends.from_list(list, at.marks, function(position, name)
        at:enter(list, position)
        at:report(('"%s" is here twice'):format(name))
        at:leave()
      end)
    end,
  },
  map = schema.map { of = dependency, key = rules.label, empty = function() return {} end },
}
