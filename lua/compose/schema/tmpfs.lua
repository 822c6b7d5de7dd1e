--- services.*.tmpfs[]. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local tmpfs = require "holos.compose.tmpfs"

return rules.one_or_more(schema.parsed {
  accepts = { text = true }, example = "/run/cache:size=64m", parse = function(value) return tmpfs.parse(value) end,
})
