--- Which compose files a command is about, and their texts. Effects: looks for files; reads them and standard input.
local lazy = require "holos.core.lazy"
local environment = require "holos.use.environment"
local err = require "holos.core.err"
local input = lazy "holos.run.input"
local path = require "holos.core.path"

local M = {}

--- Names that are looked for here and then above, ours first in each directory; the first of a family that is there is
--- taken, and the first of its overrides is laid over it.
M.FAMILIES = {
  { names = { "holos.yaml", "holos.yml" }, overrides = { "holos.override.yaml", "holos.override.yml" } },
  { is_docker = true,
    names = { "compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml" },
    overrides = { "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml",
      "docker-compose.override.yaml" } },
}

--- What -f calls standard input.
M.STDIN = "-"

local MAX_FILE_BYTES = 4 << 20

---@class holos.FoundFiles
---@field files string[]      absolute paths, or "-", in the order in which they are laid over each other
---@field notices string[]    what the user should know about the choice
---@field is_docker boolean?  found by a name of docker's: for looking only
---@field texts table<string, string>?  what to take for the text of a file, by its path

local function absolute_all(names, base)
  local files = {}
  for _, name in ipairs(names) do
    files[#files + 1] = name == M.STDIN and name or path.absolute(name, base)
  end
  return files
end

local function split(text, separator)
  local names, from = {}, 1
  while true do
    local at, last = text:find(separator, from, true)
    local name = text:sub(from, (at or 0) - 1)
    if name ~= "" then names[#names + 1] = name end
    if not at then return names end
    from = last + 1
  end
end

local function present(world, directory, names)
  local files = {}
  for _, name in ipairs(names) do
    local file = path.join(directory, name)
    if world.fs.stat(file) then files[#files + 1] = file end
  end
  return files
end

local function take_first(world, found, candidates)
  if #candidates == 0 then return end
  found.files[#found.files + 1] = candidates[1]
  for position = 2, #candidates do
    found.notices[#found.notices + 1] = ("%s is not read: %s is beside it"):format(
      environment.shown(world, candidates[position]), path.base(candidates[1]))
  end
end

local function of_family(world, directory, family)
  local candidates = present(world, directory, family.names)
  if #candidates == 0 then return nil end
  local found = { files = {}, notices = {}, is_docker = family.is_docker }
  take_first(world, found, candidates)
  take_first(world, found, present(world, directory, family.overrides))
  return found
end

-- The nearest directory counts: who stands beside a file of docker's does not mean the stack of a directory above.
local function discover(world)
  local directory = world.host.working_directory()
  while true do
    for _, family in ipairs(M.FAMILIES) do
      local found = of_family(world, directory, family)
      if found then return found end
    end
    local parent = path.parent(directory)
    if parent == directory then return nil end
    directory = parent
  end
end

-- Where docker's names are in use its variables count too.
local function with_docker_variables(world, found, options)
  local shown = environment.shown(world, found.files[1])
  table.insert(found.notices, 1, ("%s is a file of docker compose: commands that change something want it named with -f")
    :format(shown))
  local lookup = environment.load(world, found.files[1], options).lookup
  local named = lookup "COMPOSE_FILE"
  if not named or named == "" then return found end
  found.files = absolute_all(split(named, lookup "COMPOSE_PATH_SEPARATOR" or ":"), world.host.working_directory())
  return found
end

--- The files: -f, HOLOS_FILE (also from .env), or those with the usual names, here or in a parent directory.
---@return holos.FoundFiles? found  nil when there are none
function M.find(world, options)
  local here = world.host.working_directory()
  if options.file then return { files = absolute_all(options.file, here), notices = {} } end
  local named, by_file = environment.early(world, "FILE", options)
  local names = named and split(named, environment.early(world, "PATH_SEPARATOR", options) or ":") or {}
  if #names > 0 then
    local base = by_file and environment.directory(world, nil, options) or here
    return { files = absolute_all(names, base), notices = {} }
  end
  local found = discover(world)
  return found and found.is_docker and with_docker_variables(world, found, options) or found
end

--- Refuses files that were found by a name of docker's.
---@param verb string  the command
function M.require_named(world, found, verb)
  if not found.is_docker then return end
  local names = {}
  for position, file in ipairs(found.files) do names[position] = "-f " .. environment.shown(world, file) end
  err.raise { message = ("%s is a file of docker compose; a command that changes something wants it named")
    :format(environment.shown(world, found.files[1])), code = "EINVAL", exit = 2,
    hint = ("holos %s %s"):format(verb, table.concat(names, " ")) }
end

--- A file that is named in a compose file, read.
---@return string? text, string? message, string? code
function M.read(world, file)
  return world.fs.read(file, { max_bytes = MAX_FILE_BYTES })
end

--- The texts of what was found, as compose.load wants them. Raises when one cannot be read (exit 2).
---@return table[] files  {file, text, shown}
function M.texts(world, found)
  local texts = {}
  for position, file in ipairs(found.files) do
    if file == M.STDIN then
      texts[position] = { text = input.read_all(world, MAX_FILE_BYTES), shown = "<stdin>" }
    else
      local text, message, code = (found.texts or {})[file], nil, nil
      if not text then text, message, code = M.read(world, file) end
      if not text then
        err.raise { message = message, code = code, exit = 2, hint = "name another one with -f FILE (- is standard input)" }
      end
      texts[position] = { file = file, text = text, shown = environment.shown(world, file) }
    end
  end
  return texts
end

return M
