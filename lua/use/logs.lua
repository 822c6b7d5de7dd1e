--- logs: console and report of instances, read back or followed. Effects: reads, inotify.
local choose = require "holos.use.choose"
local follow = require "holos.run.follow"
local log_file = require "holos.run.log_file"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local M = {}

--- Sources of lines: file in the instance directory, by the word of --source.
M.SOURCES = { console = "console.log", provision = "report.log", qemu = "qemu.log" }

--- Report lines as people read them: "step 2/4 nginx", "provisioned".
function M.readable(source, line)
  if source ~= "provision" then return line end
  local kind, rest = line:match("^holos1 (%l+) ?(.*)$")
  if not kind then return nil end
  if kind == "step" then return ("step %s/%s %s"):format(rest:match("^(%d+) (%d+) (.*)$")) end
  if kind == "failed" then return ("failed: step %s, exit %s: %s"):format(rest:match("^(%d+) (%-?%d+) (.*)$")) end
  return kind == "log" and rest or kind .. (kind == "provisioned" and "" or rest)
end

-- What gets the lines of one log.
local function writer(name, source, write)
  return function(line)
    local shown = M.readable(source, line)
    if shown then write(name, source, shown) end
  end
end

-- Where the lines begin that were asked for.
local function first_byte(world, file, options)
  local at = options.since_ms and log_file.since(world, file, options.since_ms) or 0
  if not options.tail then return at end
  return math.max(at, log_file.last_lines(world, file, options.tail))
end

--- Writes the logs of the chosen instances.
---@param options {tail: integer?, since_ms: integer?, follow: boolean, sources: string[]}
---@param write fun(name: string, source: string, line: string)  lines are guest bytes: escape them for a terminal
function M.run(context, words, options, write)
  local world, followers = context.world, {}
  for _, name in ipairs(table_.keys(choose.instances(context.record, words))) do
    for _, source in ipairs(options.sources) do
      local file = ("%s/%s"):format(context.state:instance(context.record.name, name), M.SOURCES[source])
      if world.fs.stat(file) then
        local emit = writer(name, source, write)
        local ended = log_file.lines(world, file, first_byte(world, file, options), emit)
        followers[#followers + 1] = function()
          follow.lines(world, file, file, ended, function(lines) table_.map(lines, emit) end)
        end
      end
    end
  end
  if options.follow and #followers > 0 then task.all(followers) end
end

return M
