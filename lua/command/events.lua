--- holos events
local events = require "holos.use.events"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local table_ = require "holos.core.table"
local text = require "holos.core.text"

local M = {
  summary = "show what has happened to instances: starts, ends and why, restarts, health",
  arguments = { shared.SERVICES },
  options = {
    shared.FOLLOW,
    { "-n", "--tail", value = "EVENTS", kind = "integer", least = 0, help = "the last EVENTS only" },
    { "--since", value = "WHEN", kind = "moment", help = "from then on: 10m for ten minutes ago, or 2026-11-21T10:00:00Z" },
    { "--until", value = "WHEN", kind = "moment", help = "until then, in the same forms" },
    shared.FORMAT,
  },
  rewrite = shared.rewrite_f "--follow",
  is_endless = true,
}

local SHOWN = { time = true, type = true, instance = true }

-- A time of the command line as the log has it.
local function time_of(world, moment)
  return moment and world.clock.iso(moment.utc_ms or world.clock.utc_ms() - moment.ago_ms)
end

local function as_text(value)
  if type(value) ~= "string" then return tostring(value) end
  return text.shell_quote((text.escape_terminal(value):gsub("[\n\t]+", " ")))
end

--- "2026-11-21T10:00:00Z  web-0  instance.exited  how=crashed"
function M.line(event)
  local details = {}
  for _, key in ipairs(table_.keys(event)) do
    local value = event[key]
    if not SHOWN[key] and type(value) ~= "table" then details[#details + 1] = key .. "=" .. as_text(value) end
  end
  return ("%s  %-12s  %-20s  %s"):format(event.time, event.instance or "-", event.type, table.concat(details, " ")):gsub(" +$", "")
end

function M.run(world, options)
  local context <close> = shared.recorded(world, options, nil, events.record)
  local until_ = options["until"]
  local for_ms = until_ and (until_.utc_ms and until_.utc_ms - world.clock.utc_ms() or -until_.ago_ms)
  events.run(context, context.words, { since = time_of(world, options.since), until_ = time_of(world, until_),
    tail = options.tail, follow = options.follow, for_ms = for_ms },
    function(event)
      out.result(options.format == "json" and world.json.encode(event, {}) or (M.line(event)))
    end)
  return 0
end

return M
