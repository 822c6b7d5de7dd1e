--- holos events
local err = require "holos.core.err"
local events = require "holos.use.events"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local table_ = require "holos.core.table"
local text = require "holos.core.text"
local units = require "holos.core.units"

local M = {
  summary = "show what has happened to instances: starts, ends and why, restarts, health",
  arguments = { shared.SERVICES },
  options = {
    shared.FOLLOW,
    { "-n", "--tail", value = "EVENTS", kind = "integer", least = 0, help = "the last EVENTS only" },
    { "--since", value = "TIME", help = "from then on: 10m for ten minutes ago, or 2026-11-21T10:00:00Z" },
    { "--until", value = "TIME", help = "until then, in the same forms" },
    shared.FORMAT,
  },
  rewrite = shared.rewrite_follow,
}

local SHOWN = { time = true, type = true, instance = true }

--- A time of the command line as the log has it: "10m", "2026-11-21", "2026-11-21T10:00:00Z".
function M.time(world, name, value)
  if not value then return nil end
  if value:find("^%d%d%d%d%-%d%d%-%d%d") then return value end
  local ago_ms = units.parse_duration(value:find("^%d+$") and value .. "s" or value)
  if ago_ms then return world.clock.iso(world.clock.utc_ms() - ago_ms) end
  err.raise { message = ("%s: expected 10m, or a time such as 2026-11-21T10:00:00Z, got %q"):format(name, value),
    code = "EUSAGE", exit = 64 }
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
  local context = shared.recorded(world, options)
  local since, until_ = M.time(world, "--since", options.since), M.time(world, "--until", options["until"])
  events.run(context, context.words, { since = since, until_ = until_, tail = options.tail, follow = options.follow },
    function(event)
      out.result(options.format == "json" and world.json.encode(event, {}) or (M.line(event)))
    end)
  return 0
end

return M
