--- services.*.deploy. Data.
local device = require "holos.compose.schema.device"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local SWARM = "it is for several hosts"

local mode = schema.parsed {
  accepts = { text = true }, wanted = '"replicated"', values = { "replicated", "global" },
  parse = function(value)
    if value == "replicated" or value == "global" then return value end
    if value:find("%-job$") then return nil, ('mode "%s" is of Swarm'):format(value), "leave the line out" end
    return nil, ('expected "replicated", got "%s"'):format(value), "leave the line out"
  end,
}

-- One of some words, of which some (`never`) cannot be had.
local function word(options)
  local values, never = options.values, options.never or {}
  return schema.either {
    text = schema.parsed {
      accepts = { text = true }, wanted = "one of " .. table.concat(values, ", "), values = values,
      parse = function(value)
        if tables.index_of(values, value) then return value end
        return nil, ('expected one of "%s", got "%s"'):format(table.concat(values, '", "'), value)
      end,
    },
    canonical = function(value, at)
      if tables.index_of(never, value) then at:refuse(options.reason, options.hint) end
      return value
    end,
  }
end

local failure_ratio = schema.parsed {
  accepts = { text = true, integer = true, number = true }, wanted = "a number from 0 to 1",
  parse = function(value)
    local number = tonumber(value)
    if number and number >= 0 and number <= 1 then return number end
    return nil, ('expected a number from 0 to 1, got "%s"'):format(tostring(value))
  end,
}

local NO_START_FIRST = {
  values = { "stop-first", "start-first" }, never = { "start-first" },
  reason = "start-first would run two machines with the disk, the addresses and the host ports of one instance",
  hint = "write stop-first, and more replicas than parallelism: the others serve meanwhile",
}

local update = schema.record {
  { "parallelism", schema.integer { least = 0 }, default_text = "1", meaning = "So many instances at a time; 0: all." },
  { "delay", schema.duration {}, unit = "ms", default_text = "0s", meaning = "Time between two groups." },
  { "failure_action", word { values = { "continue", "pause", "rollback" } }, default_text = "pause",
    meaning = "What follows when one fails: the next ones, nothing more, or all of the service back to what they were." },
  { "monitor", schema.duration {}, unit = "ms", default_text = "0s",
    meaning = "So long one has to stay well before the next group." },
  { "max_failure_ratio", failure_ratio, default_text = "0", meaning = "Such a part may fail before failure_action follows." },
  { "order", word(NO_START_FIRST),
    default_text = "stop-first",
    meaning = "The old one ends before the new one starts; start-first is refused, as both would have one disk." },
}

local ALL_GO_BACK = "all go back, whatever becomes of one of them"

local rollback = schema.record {
  { "parallelism", schema.integer { least = 0 }, default_text = "1", meaning = "So many instances at a time; 0: all." },
  { "delay", schema.duration {}, unit = "ms", default_text = "0s", meaning = "Time between two groups." },
  { "failure_action", word { values = { "continue", "pause" } }, class = "ignored", idle = "continue", reason = ALL_GO_BACK },
  { "monitor", schema.duration {}, unit = "ms", class = "ignored", reason = ALL_GO_BACK },
  { "max_failure_ratio", failure_ratio, class = "ignored", reason = ALL_GO_BACK },
  { "order", word { values = { "stop-first", "start-first" } }, class = "ignored", idle = "stop-first",
    reason = "an instance has one disk, so one machine ends before the other starts" },
}

local generic = schema.list { of = schema.any {} }

local resources = schema.record {
  { "limits", schema.record {
      { "cpus", rules.cpus, change = "restart", same_as = "vm.vcpu", meaning = "As cpus of the service." },
      { "memory", schema.size { least_bytes = 64 << 20 }, unit = "bytes", change = "restart", same_as = "vm.memory_mb",
        meaning = "Memory of each instance." },
      { "pids", schema.integer { least = -1 }, change = "restart",
        meaning = "As pids_limit of the service." },
    }, meaning = "What an instance may use." },
  { "reservations", schema.record {
      { "cpus", rules.cpus, class = "ignored", reason = "the host's scheduler shares the CPUs out" },
      { "memory", schema.size { least_bytes = 1 << 20 }, unit = "bytes", change = "restart", same_as = "vm.memory_mb",
        meaning = "Memory of each instance where no limit is named; a machine has all of its memory to itself." },
      { "devices", device.requests, class = "later", change = "restart", meaning = "GPUs and the like." },
      { "generic_resources", generic, class = "ignored", reason = SWARM },
    }, meaning = "What an instance is sure to get." },
}

local restart_policy = schema.record {
  { "condition", schema.choice { values = { "none", "on-failure", "any" } }, default_text = "any", meaning = "When." },
  { "delay", schema.duration {}, unit = "ms", meaning = "Time between two tries." },
  { "max_attempts", schema.integer { least = 0 }, meaning = "How often." },
  { "window", schema.duration {}, unit = "ms",
    meaning = "So long it must serve, once provisioned or healthy, to count as started." },
}

local placement = schema.record {
  { "constraints", rules.lines, class = "ignored", reason = SWARM },
  { "preferences", schema.list { of = schema.any {} }, class = "ignored", reason = SWARM },
  { "max_replicas_per_node", schema.integer {}, class = "ignored", reason = SWARM },
}

return schema.record {
  { "mode", mode, default_text = "replicated", meaning = "global is one instance on the one host." },
  { "replicas", schema.integer { least = 0, most = 253 }, change = "live", default_text = "1", same_as = "replicas",
    meaning = "As replicas of the service." },
  { "resources", resources, meaning = "CPUs and memory." },
  { "restart_policy", restart_policy, change = "live", meaning = "What happens when a machine ends; counts before restart." },
  { "update_config", update, change = "live",
    meaning = "How instances of one service are stopped and started anew: in groups, each waited for before the next." },
  { "rollback_config", rollback, change = "live",
    meaning = "How instances go back after failure_action: rollback: in groups, each waited for before the next." },
  { "labels", rules.pairs, class = "ignored", reason = "they are of a Swarm service; write labels: in the service" },
  { "placement", placement, meaning = "Nothing: there is one host." },
  { "endpoint_mode", rules.line, class = "ignored", reason = SWARM },
}
