--- events: what was written down of a project, read back or followed. Effects: reads, inotify.
local choose = require "holos.use.choose"
local err = require "holos.core.err"
local follow = require "holos.run.follow"
local record_ = require "holos.run.record"
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

-- The log is put aside at 4 MiB (see supervise/project); a line is a few hundred bytes.
local MOST_BYTES = 16 << 20

--- The record of a project; an empty one where only its events are left.
function M.record(world, state, name)
  local known = record_.load(world, state, name)
  if known or not world.fs.stat(state:events(name)) then return known end
  return { name = name, instances = {} }
end

local function read(world, file)
  local bytes, message, code = world.fs.read(file, { max_bytes = MOST_BYTES })
  if not bytes and code ~= "ENOENT" then err.raise { message = message, code = code } end
  return bytes or ""
end

local function is_wanted(event, options)
  local instance = event.instance or ""
  if options.words and not (options.words[instance] or options.words[instance:match("^(.*)%-%d+$")]) then return false end
  local time = event.time
  return not (options.since and time < options.since) and not (options.until_ and time > options.until_)
end

-- Lines are hostile until parsed: a machine that fails in the middle of one leaves half of it.
local function parse(world, lines)
  local events = {}
  for _, line in ipairs(lines) do
    local event = world.json.decode(line, {})
    if type(event) == "table" and type(event.time) == "string" and type(event.type) == "string" then
      events[#events + 1] = event
    end
  end
  return events
end

local function emit(world, lines, options, write)
  local chosen = {}
  for _, event in ipairs(parse(world, lines)) do
    if is_wanted(event, options) then chosen[#chosen + 1] = event end
  end
  for i = math.max(1, #chosen - (options.tail or #chosen) + 1), #chosen do write(chosen[i]) end
end

-- The words as a set, nil for none. Of a project that is gone nobody can say which services it had.
local function words_of(record, words)
  if #words == 0 then return nil end
  if next(record.instances) then choose.instances(record, words) end
  local set = {}
  for _, word in ipairs(words) do set[word] = true end
  return set
end

--- Writes the events of a project, oldest first.
---@param words string[]  services or instances; none = all, and those of the project itself
---@param options {since: string?, until_: string?, tail: integer?, follow: boolean?, for_ms: integer?}  times as the log has
---                them, UTC; for_ms: how long is followed, nil for ever
---@param write fun(event: table)  {time, type, instance, …}; texts may be a guest's: escape them for a terminal
function M.run(context, words, options, write)
  local world, file = context.world, context.state:events(context.name)
  options.words = words_of(context.record, words)
  local before, now = read(world, file .. ".1"), read(world, file)
  emit(world, text.lines(before .. now), options, write)
  if not options.follow then return end
  options.tail = nil
  task.race {
    function() follow.lines(world, file, file:match("^(.*)/"), #now, function(lines) emit(world, lines, options, write) end) end,
    options.for_ms and function() task.wait { at_ms = task.now_ms() + options.for_ms } end,
  }
end

return M
