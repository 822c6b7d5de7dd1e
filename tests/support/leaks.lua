--- What a test must not leave behind: descriptors, child processes, VMs, globals, another working directory.

local files = require "tests.support.files"

local M = {}

local function optional(name)
  local found, module = pcall(require, name)
  return found and module or nil
end

local fs, host = optional "sys.fs", optional "sys.host"

-- Open descriptors as "5 -> /path"; the directory's own, which only exists while it is read, is not in the second look.
local function descriptors()
  local open = {}
  for _, entry in ipairs(fs and fs.list("/proc/self/fd") or {}) do
    local target = fs.readlink("/proc/self/fd/" .. entry.name)
    if target then open[entry.name .. " -> " .. target] = true end
  end
  return open
end

-- Children of this thread by pid, with their names. A zombie is a child that nobody reaped.
local function children()
  local alive = {}
  for pid in (files.read("/proc/thread-self/children") or ""):gmatch("%d+") do
    alive[pid .. " " .. (files.read("/proc/" .. pid .. "/comm") or "?"):gsub("\n", "")] = true
  end
  return alive
end

local function globals()
  local names = {}
  for name in pairs(_G) do names[tostring(name)] = true end
  return names
end

--- A picture of this process, to be compared with a later one.
function M.picture()
  return {
    descriptor = descriptors(), child = children(), global = globals(),
    vm = package.loaded["tests.support.stack"] and package.loaded["tests.support.stack"].running() or {},
    directory = host and { [host.working_directory()] = true } or {},
  }
end

--- Sentences about what is in the second picture and not in the first.
function M.left_behind(before, after)
  local found = {}
  for kind, things in pairs(after) do
    for thing in pairs(things) do
      if not before[kind][thing] then found[#found + 1] = ("left a %s: %s"):format(kind, thing) end
    end
  end
  table.sort(found)
  return found
end

-- Exported functions of all loaded holos modules, to see overrides that nobody took back.
--- module name -> { function name -> function }
function M.exports()
  local modules = {}
  for name, module in pairs(package.loaded) do
    if name:find("^holos%.") and type(module) == "table" then
      modules[name] = {}
      for key, value in pairs(module) do modules[name][key] = value end
    end
  end
  return modules
end

--- Names of exported functions that differ between two results of `exports`.
function M.changed_exports(before, after)
  local changed = {}
  for name, functions in pairs(before) do
    for key, value in pairs(functions) do
      if type(value) == "function" and after[name] and after[name][key] ~= value then
        changed[#changed + 1] = ("left an override: %s.%s"):format(name, key)
      end
    end
  end
  table.sort(changed)
  return changed
end

return M
