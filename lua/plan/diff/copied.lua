--- What the steps of a Dockerfile copy, as far as a record keeps it: a mark of each file, of whole directories where there are
--- many, to say which of them have changed. Marks are too short to try out what a file holds. Pure.
local table_ = require "holos.core.table"

local M = {}

-- A record has this for each instance.
local MOST_NAMES, MOST_BYTES, MOST_DEPTH = 200, 8 << 10, 16
local MARK_DIGITS, MOST_SHOWN = 4, 3

local function mark_of(entry, sha256)
  local text = ("%s %o %s %q"):format(entry.type, entry.mode, entry.digest or entry.target or "-", entry.name)
  return tonumber(sha256(text):sub(1, MARK_DIGITS), 16)
end

-- By its place in the context; records hold valid text only.
local function name_of(entry)
  local name = (entry.from or entry.name:match("^[^/]*/(.*)$")) .. (entry.type == "directory" and "/" or "")
  return utf8.len(name) and name or name:gsub("[\x80-\xff]", "?")
end

local function add(files, name, mark) files[name] = (files[name] or 0) ~ mark end

-- Names of some depth; a directory at its end has the marks of all that is below.
local function cut(files, depth)
  local pattern, made = "^" .. ("[^/]*/"):rep(depth), {}
  for name, mark in pairs(files or {}) do add(made, name:match(pattern) or name, mark) end
  return made
end

local function numbers_of(step)
  local numbers = { step.number }
  for _, mount in ipairs(step.mounts or {}) do numbers[#numbers + 1] = mount.number end
  return numbers
end

local function fits(listed)
  local count, bytes = 0, 0
  for _, files in ipairs(listed) do
    for name in pairs(files) do count, bytes = count + 1, bytes + #name end
  end
  return count <= MOST_NAMES and bytes <= MOST_BYTES
end

--- Gives steps of a spec what a record keeps of the files that they take along.
---@param lists holos.ContextEntry[][]  with digests
---@return integer? depth  of the directories that are listed; nil: there is too much even in those at the top
function M.list(steps, lists, sha256)
  local marked = table_.map(steps, function(step)
    local files = {}
    for _, number in ipairs(numbers_of(step)) do
      for _, entry in ipairs(lists[number]) do add(files, name_of(entry), mark_of(entry, sha256)) end
    end
    return files
  end)
  for depth = MOST_DEPTH, 1, -1 do
    local listed = table_.map(marked, function(files) return cut(files, depth) end)
    if fits(listed) then
      for position, files in ipairs(listed) do steps[position].files = next(files) and files or nil end
      return depth
    end
  end
end

local function differences(from, to)
  local told = {}
  for _, name in ipairs(table_.keys(table_.merge(from, to))) do
    local what = not from[name] and "added" or not to[name] and "removed" or from[name] ~= to[name] and "changed"
    if what then told[#told + 1] = name .. " " .. what end
  end
  return told
end

local function shorten(told)
  local text = table.concat(told, ", ", 1, math.min(#told, MOST_SHOWN))
  return #told > MOST_SHOWN and ("%s, %d more"):format(text, #told - MOST_SHOWN) or text
end

--- "step 4 of 7: COPY src/ /app (src/main.py changed, src/new.py added)"; nil where the records do not say.
---@param from table  spec.build, whose steps do the same as those of `to`
---@return string?
function M.tell(from, to)
  if not from.listed or not to.listed then return nil end
  local depth, text, more = math.min(from.listed, to.listed), nil, 0
  for position, step in ipairs(to.steps) do
    local told = differences(cut(from.steps[position].files, depth), cut(step.files, depth))
    if #told > 0 and text then more = more + 1 end
    if #told > 0 and not text then text = ("step %d of %d: %s (%s)"):format(position, #to.steps, step.title, shorten(told)) end
  end
  return more > 0 and ("%s, and what %d more %s"):format(text, more, more == 1 and "step copies" or "steps copy") or text
end

return M
