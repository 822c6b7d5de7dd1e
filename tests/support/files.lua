--- Files, directories and environment for tests: through sys.* inside holos, through io under a stock Lua.

local M = { directory = "tests" }

local function optional(name)
  local found, module = pcall(require, name)
  return found and module or nil
end

local fs, host, json = optional "sys.fs", optional "sys.host", optional "sys.json"

--- A variable of the environment, or nil.
function M.environment(name)
  if host then return host.env(name) end
  return os.getenv and os.getenv(name)
end

--- The text of a file, or nil.
function M.read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

--- Edits a JSON file: change(value) alters what it holds.
function M.edit_json(path, change)
  local value = assert(json.decode(assert(M.read(path)), {}))
  change(value)
  assert(fs.write_atomic(path, json.encode(value, { indent = 1 }), { mode = 384 }))
end

--- Writes a file; its directory is made when missing.
function M.write(path, text)
  if fs then assert(fs.mkdir_all(path:match("^(.*)/"), 448)) end
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

-- Lists with `find` under a stock Lua; holos has no popen, and always has sys.fs.
local function find(directory)
  local pipe = io.popen("find '" .. directory .. "' -type f 2>/dev/null | LC_ALL=C sort")
  local paths = {}
  for path in pipe:lines() do paths[#paths + 1] = path end
  pipe:close()
  return paths
end

local function walk(directory, paths)
  for _, entry in ipairs(fs.list(directory) or {}) do
    local path = directory .. "/" .. entry.name
    if entry.type == "directory" then walk(path, paths)
    elseif entry.type == "file" then paths[#paths + 1] = path end
  end
  return paths
end

--- All files below a directory whose paths match `pattern`, sorted.
function M.below(directory, pattern)
  local paths = {}
  for _, path in ipairs(fs and walk(directory, {}) or find(directory)) do
    if path:find(pattern) then paths[#paths + 1] = path end
  end
  return paths
end

local function make_directory(base)
  if not fs then
    local name = os.tmpname()
    os.remove(name)
    os.execute("mkdir -m 700 '" .. name .. "'")
    return name
  end
  local path = ("%s/holos-test-%016x"):format(base, ("i8"):unpack(host.random(8)))
  assert(fs.mkdir_all(path, 448))
  return path
end

local function usual_base() return M.environment("TMPDIR") or "/tmp" end

local made = {}

--- A fresh empty directory, removed when the test ends.
---@param base string?  where
function M.tmpdir(base)
  local path = make_directory(base or usual_base())
  made[#made + 1] = path
  return path
end

-- Where files are kept in memory, on Linux; with so much room that nothing here fills it.
local MEMORY, ROOM_BYTES = "/dev/shm", 1 << 30

--- The same where nothing waits for a disk, for those who make thousands of them; where there is no such place, as ever.
function M.tmpdir_in_memory()
  local space = fs.space(MEMORY)
  local fits = not M.environment("TMPDIR") and space and space.free_bytes >= ROOM_BYTES
  local is_fine, path = pcall(M.tmpdir, fits and MEMORY or nil)
  return is_fine and path or M.tmpdir()
end

--- Removes what tmpdir made since the last call.
function M.remove_directories()
  for _, path in ipairs(made) do
    if fs then fs.remove_tree(path) else os.execute("rm -rf '" .. path .. "'") end
  end
  made = {}
end

return M
