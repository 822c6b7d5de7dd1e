--- Random file trees for the ISO writer, and what independent readers find in an image.

local files = require "tests.support.files"
local tool = require "tests.support.tool"

local M = {}

local SIZES_BYTES = { 0, 1, 2, 100, 2047, 2048, 2049, 5000 }
local LARGE_BYTES = 1 << 20
local LETTERS = {
  "a", "b", "Z", "q", "0", "7", "-", "_", ".", ".", " ", "'", '"', ",", ";", ":", "*", "?", "\\", "$", "%", "+", "~",
  "#", "é", "ß", "Ж", "日", "本", "😀",
}
local NAME_BYTES_MAX = 253

local function any(list)
  return list[math.random(#list)]
end

local function random_name()
  local wanted = math.random(10) == 1 and math.random(128) or math.random(14)
  local name = ""
  for _ = 1, wanted do
    local letter = any(LETTERS)
    if #name + #letter <= NAME_BYTES_MAX then name = name .. letter end
  end
  return (name == "." or name == "..") and "dots" or name
end

local function random_directories()
  local list = { "" }
  for _ = 1, math.random(0, 12) do
    local parent = any(list)
    local _, depth = parent:gsub("/", "")
    if depth < 7 then list[#list + 1] = parent .. random_name() .. "/" end
  end
  return list
end

-- Every tenth name is a twin of an earlier one that differs in case only.
local function new_name(directory, names)
  if #names == 0 or math.random(10) > 1 then return directory .. random_name() end
  local name = any(names)
  local twin = math.random(2) == 1 and name:upper() or name:lower()
  return directory .. twin
end

local function random_text(size)
  local unit = ("%016x\n"):format(math.random(0))
  return unit:rep(size // #unit + 1):sub(1, size)
end

local function is_below_a_file(name, taken)
  for at in name:gmatch("()/") do
    if taken[name:sub(1, at - 1)] == "file" then return true end
  end
  return false
end

local function take(name, taken)
  for at in name:gmatch("()/") do taken[name:sub(1, at - 1)] = "directory" end
  taken[name] = "file"
end

--- A request's file list: up to `most` files, some of them to be copied from `source_directory`.
function M.random(most, source_directory)
  local directories, names, taken, list = random_directories(), {}, {}, {}
  for number = 1, math.random(0, most) do
    local name = new_name(any(directories), names)
    names[#names + 1] = name:match("[^/]+$")
    if not taken[name] and not is_below_a_file(name, taken) then
      take(name, taken)
      local size = math.random(40) == 1 and LARGE_BYTES or any(SIZES_BYTES)
      local file = { name = name, data = random_text(size), mode = any { 420, 493, 384, nil } }
      if math.random(4) == 1 then
        file.path = ("%s/source-%d"):format(source_directory, number)
        files.write(file.path, file.data)
      end
      list[#list + 1] = file
    end
  end
  return list
end

--- The list as sys.iso.write takes it, shuffled.
function M.request(list)
  local given = {}
  for _, file in ipairs(list) do
    local data = not file.path and file.data or nil
    table.insert(given, math.random(#given + 1), { name = file.name, data = data, path = file.path, mode = file.mode })
  end
  return given
end

--- path -> { type, mode, data } as the image should show it by Rock Ridge.
function M.expected(list)
  local entries = {}
  for _, file in ipairs(list) do
    for at in file.name:gmatch("()/") do entries[file.name:sub(1, at - 1)] = { type = "d", mode = "755" } end
    entries[file.name] = { type = "f", mode = ("%o"):format(file.mode or 420), data = file.data }
  end
  return entries
end

-- xorriso reads level 1 names only where it finds nothing better: the descriptor of the Joliet tree (the second, in
-- sector 17) becomes the end of the list (ECMA-119 8.3).
local function without_joliet(image)
  local bytes, copy = files.read(image), image .. ".level1"
  files.write(copy, bytes:sub(1, 17 * 2048) .. "\255" .. bytes:sub(17 * 2048 + 2))
  return copy
end

--- What xorriso extracts into `directory`, in the same shape. `view`: any, norock (Joliet) or level1 (neither).
function M.extract(image, directory, view)
  if view == "level1" then image, view = without_joliet(image), "norock" end
  local argv = { "xorriso", "-abort_on", "SORRY", "-charset", "UTF-8", "-read_fs", view, "-osirrox", "on",
    "-indev", image, "-extract", "/", directory }
  local result = tool.run(argv, { env = { "LC_ALL=C.UTF-8" } })
  assert(result.status == 0, result.stderr)
  local found = tool.run { "find", directory, "-mindepth", "1", "-printf", "%y %m %P\\0" }
  local entries = {}
  for kind, mode, path in found.stdout:gmatch("(%a) (%d+) ([^%z]+)") do
    local data = kind == "f" and files.read(directory .. "/" .. path) or nil
    entries[path] = { type = kind, mode = mode, data = data }
  end
  return entries
end

--- Sorted lines that `isoinfo` prints for all paths of an image: `flag` "-R", "-J" or nil.
function M.isoinfo_paths(image, flag)
  local argv = { "isoinfo", "-f", "-i", image, flag }
  local result = tool.run(argv, { env = { "LC_ALL=C.UTF-8" } })
  assert(result.status == 0, result.stderr)
  local lines = {}
  for line in result.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line:sub(2) end
  table.sort(lines)
  return lines
end

--- The contents of all files, sorted, whatever their names became.
function M.contents(entries)
  local list = {}
  for _, entry in pairs(entries) do
    if entry.type == "f" then list[#list + 1] = entry.data end
  end
  table.sort(list)
  return list
end

return M
