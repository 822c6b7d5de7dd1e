--- Flags of instructions: what begins with "--" before the first other word. Pure.
local text = require "holos.core.text"

local M = {}

-- The text of the word that begins at `at` without its quotes and escapes, and where it ends.
local function unquoted(line, at)
  local parts, quote = {}, nil
  while at <= #line do
    local stop = line:find(quote and "[\\" .. quote .. "]" or "[%s\\'\"]", at) or #line + 1
    parts[#parts + 1] = line:sub(at, stop - 1)
    local char = line:sub(stop, stop)
    if not quote and char:find("%s") or char == "" then return table.concat(parts), stop end
    at = stop + 1
    if char == "\\" then
      parts[#parts + 1], at = line:sub(at, at), at + 1
    else
      quote = not quote and char or nil
    end
  end
  return table.concat(parts), at
end

--- Takes the flags off the front of a line. "--" ends them.
---@return string[] flags  "--chown=a:b", "--link"
---@return string rest
function M.extract(line)
  local list, at = {}, line:match("^%s*()")
  while line:sub(at, at + 1) == "--" do
    local flag, stop = unquoted(line, at)
    if flag == "--" then return list, line:sub(stop) end
    list[#list + 1] = flag
    at = line:match("^%s*()", stop)
  end
  return list, line:sub(at)
end

local readers = {}

function readers.text(value, flag)
  if value == nil then return nil, ("missing a value on flag: --%s"):format(flag), ("--%s=…"):format(flag) end
  return value
end

function readers.boolean(value, flag)
  if value == nil or value:lower() == "true" then return true end
  if value:lower() == "false" then return false end
  return nil, ("expecting boolean value for flag --%s, not: %s"):format(flag, value), ("--%s=true"):format(flag)
end

local function unknown(flag, known)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  table.sort(names)
  local nearest = text.nearest(flag, names)
  local hint = nearest and ("did you mean --%s?"):format(nearest)
    or #names > 0 and "flags of this instruction: --" .. table.concat(names, " --") or "it takes no flags"
  return nil, "unknown flag: --" .. flag, hint
end

--- The values of an instruction's flags by name.
---@param list string[]
---@param known table<string, string>  name → "text", "boolean", or "texts" where it may be given several times
---@return table<string, any>? values
---@return string? message
---@return string? hint
function M.read(list, known)
  local values = {}
  for _, item in ipairs(list) do
    local flag, equals, value = item:match("^%-%-([^=]*)(=?)(.*)$")
    local kind = known[flag]
    if not kind then return unknown(flag, known) end
    local many = kind == "texts"
    if values[flag] ~= nil and not many then return nil, "duplicate flag specified: --" .. flag end
    local read, message, hint = readers[many and "text" or kind](equals == "=" and value or nil, flag)
    if read == nil then return nil, message, hint end
    if many then
      values[flag] = values[flag] or {}
      table.insert(values[flag], read)
    else
      values[flag] = read
    end
  end
  return values
end

return M
