--- Runs the program of an image recipe in a directory of its own. Effects: forks, waits; makes and removes that directory.
--
-- <state>/builds/<id>/ is one build's: its copy of the recipe, all that comes up on the way, the image. <id>.log is what its
-- tools have said. Who builds holds <id>.lock; what has no holder belongs to a build that was killed, and goes with the next.
local err = require "holos.core.err"
local lock = require "holos.run.lock"
local path = require "holos.core.path"
local process = require "holos.run.process"
local text = require "holos.core.text"

local M = {}

--- Packages are fetched, unpacked and configured: minutes, or much longer behind a thin line.
M.TIMEOUT_MS = 4 * 3600 * 1000
--- What is told to end takes down its mounts first.
M.GRACE_MS = 20000
--- Lines of the log that an error shows.
M.LAST_LINES = 15
local LOG_BYTES = 4096
-- The status of a recipe that does not do what was asked for, and has done nothing.
local REFUSED = 64
local DIRECTORY_MODE, PROGRAM_MODE, LOG_MODE = tonumber("700", 8), tonumber("755", 8), tonumber("600", 8)

-- Where tools for root are, which others do not have on their PATH.
local SYSTEM = { "/usr/local/sbin", "/usr/sbin", "/sbin" }

local function search_path(world)
  local list = {}
  for directory in (world.host.env("PATH") or "/usr/local/bin:/usr/bin:/bin"):gmatch("[^:]+") do list[#list + 1] = directory end
  return table.move(SYSTEM, 1, #SYSTEM, #list + 1, list)
end

local function is_there(world, file)
  local stat = world.fs.stat(file)
  return stat ~= nil and stat.type == "file"
end

local function has(world, directories, tool)
  for _, file in ipairs(tool.file or {}) do
    if is_there(world, file) then return true end
  end
  for _, directory in ipairs(tool.program and directories or {}) do
    if is_there(world, directory .. "/" .. tool.program) then return true end
  end
  return false
end

--- The tools of a recipe that this machine lacks.
---@param tools holos.RecipeTool[]
---@return holos.RecipeTool[]
function M.missing(world, tools)
  local directories, missing = search_path(world), {}
  for _, tool in ipairs(tools) do
    local is_wanted = not tool.rootless or world.host.uid() ~= 0
    if is_wanted and not has(world, directories, tool) then missing[#missing + 1] = tool end
  end
  return missing
end

-- A small environment: how to get at the packages, nothing else of ours.
local function environment(world)
  local list = { "PATH=" .. table.concat(search_path(world), ":"), "LC_ALL=C.UTF-8" }
  for _, name in ipairs { "http_proxy", "https_proxy", "no_proxy", "TMPDIR", "HOME" } do
    local value = world.host.env(name)
    if value then list[#list + 1] = ("%s=%s"):format(name, value) end
  end
  return list
end

local function place(state, id)
  local base = ("%s/%s"):format(state:builds(), id)
  return { directory = base, log = base .. ".log", lock = base .. ".lock" }
end

local function remove(world, at)
  local removed, message = world.fs.remove_tree(at.directory)
  if removed then world.fs.remove(at.lock) end
  return removed, message
end

--- What builds that were killed have left, and the logs of those that failed.
function M.sweep(world, state)
  for _, entry in ipairs(world.fs.list(state:builds()) or {}) do
    local id = entry.name:match("^(%x+)%.%l+$")
    local held <close> = id and lock.try(world, place(state, id).lock) or nil
    if held then
      remove(world, place(state, id))
      world.fs.remove(place(state, id).log)
    end
  end
end

local Build = {}
Build.__index = Build

-- The lock comes before the directory, so that nobody takes it for one without an owner.
local function begin(world, state)
  local at = place(state, ("%016x"):format(("i8"):unpack(world.host.random(8))))
  err.check("builds", world.fs.mkdir_all(state:builds(), DIRECTORY_MODE))
  local build = setmetatable({ world = world, at = at, held = lock.take(world, at.lock, {}) }, Build)
  local made, message, code = world.fs.mkdir_all(at.directory, DIRECTORY_MODE)
  if made then return build end
  build:close()
  err.check("builds", nil, message, code)
end

--- Removes all but the log of a build that failed.
function Build:close()
  remove(self.world, self.at)
  if not self.failed then self.world.fs.remove(self.at.log) end
  self.held:release()
end
Build.__close = Build.close

-- The recipe's files, as the binary has them.
local function lay_out(world, recipe, directory)
  for _, name in ipairs(recipe.files) do
    local file = path.join(directory, name)
    err.check("recipe", world.fs.mkdir_all(path.parent(file), DIRECTORY_MODE))
    local content = world.build.file(name) or error("this binary has no " .. name)
    err.check("recipe", world.fs.write_atomic(file, content, { mode = PROGRAM_MODE, sync = false }))
  end
  return path.join(directory, recipe.program)
end

-- Calls on_line for each whole line of what comes in pieces.
local function by_line(on_line)
  local rest = ""
  return function(piece)
    local whole, left = (rest .. piece):match("^(.*\n)([^\n]*)$")
    rest = left or rest .. piece
    for _, line in ipairs(whole and text.lines(whole) or {}) do on_line(line) end
  end
end

local function run(self, program, words, talk)
  local world, at = self.world, self.at
  local argv = table.move(words, 1, #words, 2, { program })
  argv[#argv + 1] = at.directory
  local on_detail = by_line(function(line) talk.detail(line:match("^I: (.*)$")) end)
  return process.run(world, { program = "/bin/sh", argv = argv, env = environment(world), directory = at.directory,
    timeout_ms = M.TIMEOUT_MS, grace_ms = M.GRACE_MS, output_bytes = 0, stdin = false,
    -- Mounts that root's tools make in the tree are seen by them alone, and are gone when they are.
    namespace = world.host.uid() == 0 and { { source = at.directory, target = at.directory } } or nil,
    on_stdout = by_line(talk.step),
    on_stderr = function(piece)
      err.check("log", world.fs.append(at.log, piece, { mode = LOG_MODE }))
      on_detail(piece)
    end })
end

local function last_lines(world, file)
  local lines = text.lines(world.fs.tail(file, LOG_BYTES) or "")
  return table.move(lines, math.max(1, #lines - M.LAST_LINES + 1), #lines, 1, {})
end

-- Why there is no image: what the recipe cannot do whatever is there, in its own words, else with the end of the log.
local function fail(self, how)
  local said = last_lines(self.world, self.at.log)
  if how.status == REFUSED then
    err.raise { message = text.escape_terminal(said[#said] or "the recipe refuses"), code = "EUSAGE", exit = 64 }
  end
  self.failed = true
  local lines = { ("the recipe failed (%s)"):format(how.signal and "SIG" .. how.signal or "exit status " .. how.status) }
  for _, line in ipairs(said) do lines[#lines + 1] = "  | " .. text.escape_terminal(line) end
  err.raise { message = table.concat(lines, "\n"), code = "ERECIPE", hint = "all of it, until the next build: " .. self.at.log }
end

--- Makes an image. What is left when its scope ends is removed with it.
---@param recipe holos.ImageRecipe
---@param words string[]  of its program
---@param talk {step: fun(title: string), detail: fun(text: string?)}
---@return table build  {file: string, close}: the image, on the disk
function M.run(world, state, recipe, words, talk)
  M.sweep(world, state)
  local build = begin(world, state)
  local _unless_done <close> = setmetatable({}, { __close = function(guard) if not guard.is_done then build:close() end end })
  local how = run(build, lay_out(world, recipe, build.at.directory), words, talk)
  build.file = build.at.directory .. "/image.qcow2"
  if how.status ~= 0 then fail(build, how) end
  err.check("image", world.fs.sync(build.file))
  _unless_done.is_done = true
  return build
end

return M
