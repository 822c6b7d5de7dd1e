--- logs: console and report of instances, read back or followed. Effects: reads, inotify.
local choose = require "holos.use.choose"
local follow = require "holos.run.follow"
local table_ = require "holos.core.table"
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

--- Sources of lines: file in the instance directory, by the word of --source.
M.SOURCES = { console = "console.log", provision = "report.log", qemu = "qemu.log" }

local LINE_BYTES = 200

--- The last `count` lines of a file, all of them when `count` is nil; and where following goes on.
local function tail_lines(world, file, count)
  local stat = world.fs.stat(file)
  if not stat then return {}, 0 end
  local bytes = world.fs.tail(file, count and math.max(1, count) * LINE_BYTES or stat.size_bytes + 1) or ""
  local lines = text.lines(bytes)
  if count then lines = { table.unpack(lines, math.max(1, #lines - count + 1)) } end
  return lines, stat.size_bytes
end

--- Report lines as people read them: "step 2/4 nginx", "provisioned".
function M.readable(source, line)
  if source ~= "provision" then return line end
  local kind, rest = line:match("^holos1 (%l+) ?(.*)$")
  if not kind then return nil end
  if kind == "step" then return ("step %s/%s %s"):format(rest:match("^(%d+) (%d+) (.*)$")) end
  if kind == "failed" then return ("failed: step %s, exit %s: %s"):format(rest:match("^(%d+) (%-?%d+) (.*)$")) end
  return kind == "log" and rest or kind .. (kind == "provisioned" and "" or rest)
end

local function emit(write, name, source, lines)
  for _, line in ipairs(lines) do
    local shown = M.readable(source, line)
    if shown then write(name, source, shown) end
  end
end

--- Writes the logs of the chosen instances.
---@param options {tail: integer?, follow: boolean, sources: string[]}
---@param write fun(name: string, source: string, line: string)  lines are guest bytes: escape them for a terminal
function M.run(context, words, options, write)
  local followers = {}
  for _, name in ipairs(table_.keys(choose.instances(context.record, words))) do
    local directory = context.state:instance(context.record.name, name)
    for _, source in ipairs(options.sources) do
      local file = directory .. "/" .. M.SOURCES[source]
      local lines, from = tail_lines(context.world, file, options.tail)
      emit(write, name, source, lines)
      if options.follow and context.world.fs.stat(file) then
        followers[#followers + 1] = function()
          follow.lines(context.world, file, file, from, function(more) emit(write, name, source, more) end)
        end
      end
    end
  end
  if #followers > 0 then task.all(followers) end
end

return M
