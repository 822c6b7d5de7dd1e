--- services.*.healthcheck: is the guest doing its work? Data.
local health = require "holos.compose.health"
local schema = require "holos.core.schema"

local function parse_test(value)
  return health.parse_test(value)
end

local function canonical_list(list, at)
  for _, word in ipairs(list) do
    if not word then return nil end
  end
  local test, message = health.parse_test(list)
  if not test then return at:report(message) end
  return test
end

return schema.record({
  { "test", schema.either {
      text = schema.parsed { accepts = { text = true }, parse = parse_test },
      list = schema.list { of = schema.text { empty = true }, canonical = canonical_list },
    }, required = function(check) return not check.disable end, change = "live", hint = "write test: COMMAND",
    meaning = "Command run in the guest; exit status 0 is healthy. Text goes to the guest's shell; a list is a command "
      .. "line, with or without Docker's CMD, CMD-SHELL or NONE in front. tcp:PORT and http:PORT/PATH are checks that "
      .. "the host makes, through a published port, and need nothing in the guest." },
  { "interval", schema.duration { least_ms = 100 }, default = 30000, unit = "ms", change = "live",
    meaning = "Time between the ends and starts of two checks." },
  { "timeout", schema.duration { least_ms = 100 }, default = 5000, unit = "ms", change = "live",
    meaning = "A check that takes longer has failed." },
  { "retries", schema.integer { least = 1, most = 1000000 }, default = 3, change = "live",
    meaning = "So many failures in a row make the instance unhealthy." },
  { "start_period", schema.duration {}, default = 0, unit = "ms", change = "live",
    meaning = "For so long after the start failures do not count." },
  { "start_interval", schema.duration { least_ms = 100 }, unit = "ms",
    change = "live", default = 5000, meaning = "Time between two checks during the start period." },
  { "disable", schema.boolean {}, default = false, change = "live", meaning = "No check." },
}, { hint = 'write healthcheck: {test: "COMMAND"}' })
