--- Parser directives: comments at the very top that say how the file is to be read, `# escape=…`. Pure.

local M = {}

local KNOWN = { syntax = true, escape = true, check = true }

--- The directive that a line is: its name in lower case, and its value. Nil ends the directives.
---@return string? name
---@return string? value
function M.parse(line)
  local name, value = line:match("^%s*#%s*(%a%w*)%s*=%s*(.*)$")
  if not name or not KNOWN[name:lower()] then return nil end
  value = value:match("^(.*%S)")
  return value and name:lower(), value
end

--- "skip=A,B;error=true" → what it says.
---@return {skip: table<string, boolean>, skips_all: boolean, is_error: boolean, experimental: table<string, boolean>}
function M.check(value)
  local check = { skip = {}, skips_all = false, is_error = false, experimental = {} }
  for key, said in (value or ""):gmatch("([^;=%s]+)%s*=%s*([^;]*)") do
    key = key:lower()
    if key == "error" then check.is_error = said:lower():match("^%s*(.-)%s*$") == "true" end
    local names = key == "skip" and check.skip or key == "experimental" and check.experimental
    for name in (names and said or ""):gmatch("[^,%s]+") do
      names[name] = true
      if key == "skip" and name == "all" then check.skips_all = true end
    end
  end
  return check
end

--- Takes a line at the top of the file into `found` (name → value) and `at` (name → line).
---@return boolean is_directive
---@return string? message
---@return string? hint
function M.take(found, at, line, number)
  if number == 1 and line:find("^#!") then return true end -- a file that runs itself may have directives all the same
  local name, value = M.parse(line)
  if not name then return false end
  if found[name] then
    return true, ("only one %s parser directive can be used; there is one on line %d"):format(name, at[name])
  end
  found[name], at[name] = value, number
  if name == "escape" and value ~= "\\" and value ~= "`" then
    found[name] = "\\"
    return true, ("the escape character %q is neither \\ nor `"):format(value), "# escape=`"
  end
  return true
end

return M
