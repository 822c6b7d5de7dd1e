--- Instructions as BuildKit's own tests write them, and other ways to look at Dockerfiles.

local M = {}

-- A text as Go's %q writes it, as far as the vectors go.
local function go_quoted(text)
  local names = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\b"] = "\\b", ["\f"] = "\\f", ["\r"] = "\\r" }
  return '"' .. text:gsub('[%c"\\]', function(char) return names[char] or ("\\x%02x"):format(char:byte()) end) .. '"'
end

local function quoted_all(list)
  local parts = {}
  for position, item in ipairs(list) do parts[position] = go_quoted(item) end
  return table.concat(parts, " ")
end

local function arguments_of(node)
  if node.trigger then return M.dump_one(node.trigger) end
  local list = {}
  if node.kind then list[1] = node.kind end
  for _, pair in ipairs(node.pairs or {}) do
    for _, item in ipairs { pair.name, pair.value, pair.is_legacy and "" or "=" } do list[#list + 1] = item end
  end
  for _, word in ipairs(node.words or {}) do list[#list + 1] = word end
  list[#list + 1] = node.text
  return quoted_all(list)
end

--- One instruction: (copy ["--link"] "a" "b")
function M.dump_one(node)
  local parts = { node.name:lower() }
  if #node.flags > 0 then parts[2] = "[" .. quoted_all(node.flags) .. "]" end
  local arguments = arguments_of(node)
  if arguments ~= "" then parts[#parts + 1] = arguments end
  return "(" .. table.concat(parts, " ") .. ")"
end

--- All instructions of a file, one a line.
function M.dump(ast)
  local dumped = {}
  for position, node in ipairs(ast.instructions) do dumped[position] = M.dump_one(node) .. "\n" end
  return table.concat(dumped)
end

--- The names of a set, or of a JSON object or empty array that stands for one, as sorted words.
function M.names(set)
  local names = {}
  for name in pairs(set or {}) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, " ")
end

return M
