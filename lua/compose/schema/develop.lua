--- services.*.develop: what happens when files change. Data.
local process = require "holos.compose.schema.process"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local NEEDS_NO_TARGET = { rebuild = true, restart = true }

return schema.record {
  { "watch", schema.list { of = schema.record {
      { "path", schema.text {}, required = true, meaning = "Directory or file to watch." },
      { "action", schema.choice { values = { "sync", "rebuild", "restart", "sync+restart", "sync+exec" } },
        required = true, meaning = "What to do." },
      { "target", rules.guest_path,
        required = function(rule) return rule.action and not NEEDS_NO_TARGET[rule.action] end,
        meaning = "Where files go in the guest." },
      { "ignore", rules.texts, meaning = "Patterns of files that do not count." },
      { "include", rules.texts, meaning = "Patterns of the only files that count." },
      { "initial_sync", schema.boolean {}, meaning = "Bring everything over at the start." },
      { "exec", process.hooks.of, meaning = "Command for sync+exec." },
    } }, meaning = "Rules." },
}
