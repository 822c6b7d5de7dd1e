--- `external` of volumes, networks, configs and secrets: true, false, or {name}, which is an old way to say true. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

return schema.either {
  boolean = schema.boolean {}, text = schema.boolean {},
  map = schema.record { { "name", rules.name, meaning = "Its name." } },
}
