--- What tests say: equal, ok, raises, skip, golden. Failures raise; the harness counts them.

local err = require "holos.core.err"
local tables = require "holos.core.table"
local files = require "tests.support.files"

local M = {}

M.SKIP = { __name = "tests.skip" }

local function show_table(value, depth)
  if depth > 6 then return "{…}" end
  local parts, is_list = {}, tables.is_list(value)
  for key, item in tables.sorted_pairs(value) do
    local name = type(key) == "string" and key:match("^[%a_][%w_]*$") or "[" .. M.show(key) .. "]"
    parts[#parts + 1] = (is_list and math.type(key) and "" or name .. "=") .. M.show(item, depth + 1)
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local MOST_SHOWN = 300

--- A value as Lua would write it, tables with sorted keys; long strings are cut.
function M.show(value, depth)
  if type(value) == "string" then
    local cut = #value > MOST_SHOWN and value:sub(1, MOST_SHOWN) .. ("… (%d bytes)"):format(#value) or value
    return (("%q"):format(cut):gsub("\\\n", "\\n"))
  end
  if type(value) ~= "table" or (getmetatable(value) or {}).__tostring then return tostring(value) end
  return show_table(value, depth or 0)
end

-- The path and the two values where two tables first differ.
local function first_difference(got, want, path)
  if type(got) ~= "table" or type(want) ~= "table" then return path, got, want end
  local keys = {}
  for key in pairs(got) do keys[key] = true end
  for key in pairs(want) do keys[key] = true end
  for key in tables.sorted_pairs(keys) do
    if not tables.deep_equal(got[key], want[key]) then
      return first_difference(got[key], want[key], path .. "[" .. M.show(key) .. "]")
    end
  end
  return path, got, want
end

local function first_differing_line(got, want)
  local number, wanted = 0, (want .. "\n"):gmatch("(.-)\n")
  for line in (got .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local other = wanted()
    if line ~= other then return number, line, other end
  end
  return number + 1, nil, wanted()
end

local function describe(got, want)
  if type(got) == "string" and type(want) == "string" and (got:find("\n") or want:find("\n")) then
    local number, line, other = first_differing_line(got, want)
    return ("line %d differs\n   got: %s\n  want: %s"):format(number, M.show(line), M.show(other))
  end
  local path, mine, theirs = first_difference(got, want, "")
  local place = path == "" and "" or "at " .. path .. ": "
  return ("%sgot %s, want %s"):format(place, M.show(mine), M.show(theirs))
end

--- Fails unless both are equal, tables all the way down.
function M.equal(got, want, message)
  if tables.deep_equal(got, want) then return end
  error((message and message .. ": " or "") .. describe(got, want), 2)
end

--- Fails unless `value` is true; gives it back.
function M.ok(value, message)
  if not value then error(message or ("expected a true value, got " .. tostring(value)), 2) end
  return value
end

local function contains(text, wanted)
  if text:find(wanted, 1, true) then return true end
  local is_pattern, found = pcall(string.find, text, wanted)
  return is_pattern and found ~= nil
end

--- Fails unless `fn(...)` raises something whose text contains `wanted`, as plain text or as a pattern; gives back what
--- was raised.
function M.raises(wanted, fn, ...)
  local fine, problem = pcall(fn, ...)
  if fine then error(("expected an error with %q, none was raised"):format(wanted), 2) end
  if not contains(tostring(problem), wanted) then
    error(("expected an error with %q, got %q"):format(wanted, tostring(problem)), 2)
  end
  return problem
end

--- Fails unless `fn(...)` raises a failure that is meant for users; gives it back. What is a fault of ours is raised again.
function M.failure(fn, ...)
  local fine, problem = pcall(fn, ...)
  if fine then error("expected a failure, none was raised", 2) end
  if not err.is(problem) then error(problem, 0) end
  return problem
end

--- Fails unless a program has said all these words, on either of its outputs.
---@param result {stdout: string, stderr: string}
function M.says(result, ...)
  local said = result.stdout .. result.stderr
  for _, wanted in ipairs { ... } do
    if not said:find(wanted, 1, true) then error(("it does not say %q:\n%s"):format(wanted, said), 2) end
  end
end

--- Ends this test, or at the top of a file the whole file, as skipped.
function M.skip(reason)
  error(setmetatable({ reason = reason }, M.SKIP), 0)
end

--- Compares `text` with tests/golden/`path`; with UPDATE=1 it writes that file instead.
function M.golden(path, text)
  local full = files.directory .. "/golden/" .. path
  if files.environment("UPDATE") == "1" then return files.write(full, text) end
  local wanted = files.read(full)
  if not wanted then error(("no golden file %s; UPDATE=1 makes it"):format(full), 2) end
  if wanted ~= text then error(full .. ": " .. describe(text, wanted) .. "\n  (UPDATE=1 rewrites it)", 2) end
end

return M
