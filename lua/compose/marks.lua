--- Positions of values in the user's files: from packed marks to "holos.yaml:14:5". Pure.
local document = require "holos.compose.document"
local schema = require "holos.core.schema"

local M = {}

--- The mark of the value that `keys` lead to, or of the nearest thing around it that is written in a file.
---@param doc table   {tree, marks}
---@param keys table  {"services", "web", "ports", 2}
---@return integer? mark
function M.find(doc, keys)
  local container, found = doc.tree, nil
  for _, key in ipairs(keys) do
    local marks = type(container) == "table" and doc.marks[container]
    found = marks and marks[key] or found
    container = type(container) == "table" and container[key] or nil
  end
  return found
end

--- The keys that lead to a value as the file has them: an entry that stands for several, or that was moved, is told by its
--- place in the file.
---@param doc table  {tree, written}; see holos.compose.entries
---@return table keys
function M.written(doc, keys)
  local container, shown = doc.tree, keys
  for level, key in ipairs(keys) do
    local origins = type(container) == "table" and doc.written and doc.written[container]
    local origin = origins and origins[key]
    if origin then
      shown = table.move(keys, 1, #keys, 1, {})
      shown[level - 1], shown[level] = origin[1], origin[2]
    end
    container = type(container) == "table" and container[key] or nil
  end
  return shown
end

--- The keys in a path as messages write it: services.web.ports[2], volumes["a b"].
---@return table keys
function M.keys(path)
  local keys = {}
  local rest = path:gsub('%["(.-)"%]', function(name) return "." .. name:gsub("%.", "\0") end)
  for piece in rest:gmatch("[^.]+") do
    local name, positions = piece:match("^([^%[]*)(.*)$")
    if name ~= "" then keys[#keys + 1] = (name:gsub("%z", ".")) end
    for position in positions:gmatch("%[(%d+)%]") do keys[#keys + 1] = math.tointeger(tonumber(position)) end
  end
  return keys
end

--- A mark as text: "holos.yaml:14:5".
---@param files string[]  names as the user should see them; a mark's file index counts from 0
function M.text(mark, files)
  local line, column, file_index = document.position(mark)
  return ("%s:%d:%d"):format(files[file_index + 1], line, column)
end

-- Where a value is written, and its path there; nil for a default, or what is not there.
local function written_at(doc, files, path)
  local keys, container, mark = M.keys(path), doc.tree, nil
  for _, key in ipairs(keys) do
    if type(container) ~= "table" then return nil end
    mark, container = (doc.marks[container] or {})[key], container[key]
  end
  if mark then return M.text(mark, files), schema.path(M.written(doc, keys)) end
end

--- A read-only map from the path of a value to its position, or that of what is around it, made on demand: most are never
--- asked for. Called as a function it gives the position of what is written only, and the path of it in its file.
function M.lookup(doc, files)
  return setmetatable({}, {
    __index = function(_, path)
      local mark = M.find(doc, M.keys(path))
      return mark and M.text(mark, files)
    end,
    __call = function(_, path) return written_at(doc, files, path) end,
  })
end

return M
