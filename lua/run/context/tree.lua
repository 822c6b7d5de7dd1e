--- A build's context: a directory that nothing of it leads out of. Effects: reads, always beneath the directory.
local err = require "holos.core.err"
local ignore = require "holos.dockerfile.ignore"
local path = require "holos.core.path"

local M = {}

---@class holos.ContextTree
---@field directory string   absolute
---@field ignored holos.IgnorePattern[]
---@field ignore_file string?  where the patterns are from

local Tree = {}
Tree.__index = Tree

local function is_missing(code) return code == "ENOENT" or code == "ENOTDIR" end

-- What is beneath is reached by its open directory: no name on the way can be swapped for a link that leads out.
local function in_directory(tree, directory, use)
  local fd <close>, message, code = tree.world.fs.open_beneath(tree.directory, directory, { directory = true })
  if not fd then return nil, message, code end
  return use(("/proc/self/fd/%d"):format(fd:fileno()))
end

--- What lies at a place; a link is looked at itself.
---@param name string  "." is the directory
---@return table? status  as of fs.lstat, with `target` of a link; nil: nothing
function Tree:look(name)
  local fs = self.world.fs
  local status, message, code = in_directory(self, path.parent(name), function(place)
    local child = name == "." and place .. "/." or place .. "/" .. path.base(name)
    local status, message, code = fs.lstat(child)
    if status and status.type == "symlink" then status.target = err.check(name, fs.readlink(child)) end
    return status, message, code
  end)
  if status or is_missing(code) then return status end
  err.raise { message = ("%s: %s"):format(name, message), code = code }
end

--- What a link leads to; nil when that is outside, or nothing.
---@return table? status
---@return string? message
function Tree:follow(name)
  local fd <close>, message, code = self:open(name)
  if fd then return self.world.fs.stat(("/proc/self/fd/%d"):format(fd:fileno())) end
  if code == "EXDEV" then return nil, "leads out of the context" end
  if code == "ELOOP" then return nil, "leads in a circle" end
  return nil, is_missing(code) and "leads to nothing" or message
end

-- What an open place is called after all links, as the kernel has it.
local function real_name(tree, name, options)
  local fd <close> = tree.world.fs.open_beneath(tree.directory, name, options)
  return fd and tree.world.fs.readlink(("/proc/self/fd/%d"):format(fd:fileno()))
end

--- Where a place lies after the links on its way and at its end: the name that patterns are held against, as what a link leads
--- to is no less left out. Nil when that is nowhere in the context.
---@param status table  as of `look`
---@return string?
function Tree:place(name, status)
  local at_end = status.type == "symlink" or name == "."
  local root = real_name(self, ".", { directory = true })
  local found = at_end and real_name(self, name) or not at_end and real_name(self, path.parent(name), { directory = true })
  if not root or not found then return nil end
  if not at_end then found = found:gsub("/$", "") .. "/" .. path.base(name) end
  if found == root then return "." end
  local prefix = root:gsub("/$", "") .. "/"
  return found:sub(1, #prefix) == prefix and found:sub(#prefix + 1) or nil
end

--- A file of it, for reading.
function Tree:open(name) return self.world.fs.open_beneath(self.directory, name) end

--- What a directory holds, by name.
---@return {name: string, status: table}[]
function Tree:children(name)
  local fs = self.world.fs
  return err.check(name, in_directory(self, name, function(place)
    local entries, message, code = fs.list(place)
    if not entries then return nil, message, code end
    local children = {}
    for _, entry in ipairs(entries) do
      local child = place .. "/" .. entry.name
      local status = fs.lstat(child)
      if status and status.type == "symlink" then status.target = fs.readlink(child) end
      if status then children[#children + 1] = { name = entry.name, status = status } end
    end
    return children
  end))
end

--- Whether a path is left out.
function Tree:is_ignored(name) return name ~= "." and ignore.matches(self.ignored, name) end

--- Whether something below a directory that is left out is not.
function Tree:may_hold(name) return ignore.may_hold(self.ignored, name) end

-- The file of patterns: the Dockerfile's own, else the context's.
local function read_ignored(world, directory, dockerfile)
  local names = { dockerfile and dockerfile .. ".dockerignore", directory .. "/.dockerignore" }
  for position = dockerfile and 1 or 2, 2 do
    local text, message, code = world.fs.read(names[position])
    if text then return text, names[position] end
    if code ~= "ENOENT" then err.raise { message = message, code = code } end
  end
  return ""
end

--- Opens a context.
---@param directory string
---@param dockerfile string?  its absolute path; nil: its text stands in the compose file
---@return holos.ContextTree? tree
---@return string? message
function M.open(world, directory, dockerfile)
  local status, problem = world.fs.stat(directory)
  if not status then return nil, problem end
  if status.type ~= "directory" then return nil, directory .. ": is no directory" end
  local text, file = read_ignored(world, directory, dockerfile)
  if text:find("\0", 1, true) then return nil, file .. ": there is a NUL byte in it; save the file as UTF-8" end
  local compiled, message = ignore.compile(ignore.read(text))
  if not compiled then return nil, ("%s: %s"):format(file, message) end
  return setmetatable({ world = world, directory = directory, ignored = compiled, ignore_file = file }, Tree)
end

return M
