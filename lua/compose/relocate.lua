--- Relative paths of a document that joins others from another directory: made absolute before it is merged. Pure.
--
-- Documents are as they are written, so paths stand in short forms too. What has not the expected form is left for the
-- schema to explain, and "~" means the same everywhere.
local locations = require "holos.compose.schema.locations"
local path = require "holos.core.path"
local paths = require "holos.compose.paths"
local reference = require "holos.image.reference"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local volumes = require "holos.compose.volumes"

local M = {}

local function absolute(text, directory)
  if text == "" or text:find("^[/~]") then return text end
  return path.absolute(text, directory)
end

local function is_map(value) return schema.kind_of(value) == "map" end

-- Every text of a value that is one text or a list of texts or of mappings with the text at `key`.
local function each_text(container, key, inner, change)
  local value = container[key]
  if type(value) == "string" then
    container[key] = change(value)
  elseif is_map(value) then
    if type(value[inner]) == "string" then value[inner] = change(value[inner]) end
  elseif tables.is_list(value) then
    for position in ipairs(value) do
      if not tables.is_list(value[position]) then each_text(value, position, inner, change) end
    end
  end
end

-- "./www:/srv:ro". A directory with a colon in its name has no short form.
local function move_mount(mounts, position, directory, marks)
  local item = mounts[position]
  local source, rest = item:match("^(%.[^:]*):(.*)$")
  if not source then return end
  local moved = absolute(source, directory)
  if not moved:find(":", 1, true) then
    mounts[position] = moved .. ":" .. rest
    return
  end
  local mount = volumes.parse(item)
  if not mount then return end
  local mark = marks[mounts] and marks[mounts][position]
  local long = { type = "bind", source = moved, target = mount.target, read_only = mount.read_only }
  mounts[position], marks[long] = long, { type = mark, source = mark, target = mark, read_only = mark }
end

local function move_context(text, directory)
  return paths.is_directory(text) and absolute(text, directory) or text
end

--- How a place is rewritten: function(container, key, directory, marks).
M.forms = {}

function M.forms.paths(container, key, directory)
  each_text(container, key, "path", function(text) return absolute(text, directory) end)
end

function M.forms.firmware(container, key, directory)
  local text = container[key]
  if type(text) == "string" and text ~= "bios" and text ~= "uefi" then container[key] = absolute(text, directory) end
end

function M.forms.image(container, key, directory)
  local text = container[key]
  if type(text) == "string" and reference.is_path(text) then
    container[key] = absolute(text, directory)
  end
end

function M.forms.build(container, key, directory)
  each_text(container, key, "context", function(text) return move_context(text, directory) end)
end

function M.forms.mounts(container, key, directory, marks)
  local mounts = container[key]
  if not tables.is_list(mounts) then return end
  for position, item in ipairs(mounts) do
    if type(item) == "string" then
      move_mount(mounts, position, directory, marks)
    elseif is_map(item) and item.type == "bind" and type(item.source) == "string" then
      item.source = absolute(item.source, directory)
    end
  end
end

local function walk(container, rule, directory, marks)
  if not is_map(container) then return end
  if rule.each then
    for _, item in next, container do walk(item, rule.each, directory, marks) end
  end
  for key, below in next, rule.fields or {} do
    if container[key] ~= nil and type(below) == "string" then
      M.forms[below](container, key, directory, marks)
    elseif container[key] ~= nil then
      walk(container[key], below, directory, marks)
    end
  end
end

--- Makes the relative paths of a document absolute, in place.
---@param tree table       a mapping
---@param directory string that they are seen from
---@param marks table      marks[container][key]
function M.all(tree, directory, marks)
  walk(tree, locations, directory, marks)
end

return M
