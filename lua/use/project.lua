--- Which project a command is about: the compose file in reach, or a recorded project by name. Effects: reads files.
local compose = require "holos.compose"
local environment = require "holos.use.environment"
local err = require "holos.core.err"
local input = require "holos.run.input"
local path = require "holos.core.path"
local record = require "holos.run.record"
local state_ = require "holos.run.state"
local table_ = require "holos.core.table"
local text_ = require "holos.core.text"

local M = {}

M.FILE_NAMES = { "holos.yaml", "holos.yml" }
local MAX_FILE_BYTES = 4 << 20
local STDIN = "-"
local LEAST_NAME = "^[a-z0-9]"

--- The project that was named in so many words: -p, or HOLOS_PROJECT_NAME in the environment. Its record is then enough.
function M.asked_name(world, options)
  local of_shell = world.host.env("HOLOS_PROJECT_NAME")
  return options.project_name or of_shell ~= "" and of_shell or nil
end

-- The name that was given, and what it is relative to.
local function named_file(world, options)
  local files, here = options.file or {}, world.host.working_directory()
  if #files > 1 then
    err.raise { message = ("%d files are named; only one is understood for now"):format(#files), code = "EUSAGE", exit = 64 }
  end
  if files[1] then return files[1], here end
  local named, by_file = environment.early(world, "FILE", options)
  return named, by_file and environment.directory(world, nil, options) or here
end

--- The compose file: -f, HOLOS_FILE (also from .env), or holos.yaml|yml here or in a parent directory; nil when there is
--- none. "-" stands for standard input.
function M.find_file(world, options)
  local here, named, base = world.host.working_directory(), named_file(world, options)
  if named and named ~= "" then return named == STDIN and STDIN or path.absolute(named, base) end
  local directory = here
  while true do
    for _, name in ipairs(M.FILE_NAMES) do
      local file = path.join(directory, name)
      if world.fs.stat(file) then return file end
    end
    local parent = path.parent(directory)
    if parent == directory then return nil end
    directory = parent
  end
end

local function text_of(world, file)
  if file == STDIN then return input.read_all(world, MAX_FILE_BYTES) end
  local text, message, code = world.fs.read(file, { max_bytes = MAX_FILE_BYTES })
  if text then return text end
  err.raise { message = message, code = code, exit = 2, hint = "name another one with -f FILE (- is standard input)" }
end

local function directory_of(world, file, options)
  return environment.directory(world, file ~= STDIN and file or nil, options)
end

local function shown(world, file)
  return file == STDIN and "<stdin>" or environment.shown(world, file)
end

--- Loads and checks a compose file; raises all findings at once (exit 2).
function M.load(world, file, options)
  local variables = environment.load(world, file ~= STDIN and file or nil, options)
  local project = compose.load { text = text_of(world, file), file = file, directory = directory_of(world, file, options),
    shown = shown(world, file), environment = world.host.environ(), lookup = variables.lookup,
    parse = world.yaml.parse, name = options.project_name or variables.project_name, stat = M.looker(world),
    read = function(name) return world.fs.read(name, { max_bytes = MAX_FILE_BYTES }) end,
    sniff = function(name) return M.format_of(world, name) end }
  table.move(project.warnings, 1, #project.warnings, #variables.warnings + 1, variables.warnings)
  project.warnings = variables.warnings
  if file == STDIN then project.files = table_.list {} end -- nothing to find it by again
  return project
end

--- "qcow2" for what begins as one, sound or not; nil for anything else, for which the file has to say `image_format: raw`.
function M.format_of(world, name)
  local _, _, code = world.qcow2.info(name)
  return code ~= "ENOTQCOW2" and "qcow2" or nil
end

--- function(path) → the type of what lies there, "file", "directory", …; nil when there is nothing. Many services share
--- an image, so each path is looked at once.
function M.looker(world)
  local types = {}
  return function(name)
    local known = types[name]
    if known == nil then
      local stat = world.fs.stat(name)
      known = stat and stat.type or false
      types[name] = known
    end
    return known or nil
  end
end

local function no_file(world)
  err.raise { message = ("no holos.yaml in %s or above"):format(world.host.working_directory()), code = "ENOENT", exit = 2,
    hint = "make one, name it with -f FILE, or name a recorded project with -p NAME (holos ls)" }
end

--- The project of a command that needs its file.
---@return table context  {world, state, options, project, name}
function M.from_file(world, options)
  local file = M.find_file(world, options) or no_file(world)
  local project = M.load(world, file, options)
  return { world = world, state = state_.locate(world, options), options = options, project = project, name = project.name }
end

local function require_record(world, state, name)
  local known = record.load(world, state, name)
  if known then return known end
  local near = text_.nearest(name, table_.keys((record.all(world, state))))
  err.raise { message = ("there is no project %q"):format(name), code = "ENOPROJECT",
    hint = near and ("did you mean %q?"):format(near) or "holos ls lists what there is" }
end

--- The project of a command that works from the record: by the name asked for, else by the file's, also when the file is
--- broken.
---@return table context  {world, state, options, name, record, words}: `words` are the arguments that are left
function M.from_record(world, options, words)
  local state = state_.locate(world, options)
  local context = { world = world, state = state, options = options, words = { table.unpack(words or {}) } }
  local asked = M.asked_name(world, options)
  local file = not asked and M.find_file(world, options)
  if asked then
    context.name = asked
  elseif file then
    context.name = M.name_of(world, file, options)
  elseif context.words[1] and context.words[1]:find(LEAST_NAME) then
    context.name = table.remove(context.words, 1)
  else
    no_file(world)
  end
  context.record = require_record(world, state, context.name)
  return context
end

local function made_from(world, file, options)
  local names = table_.list {}
  for name, known in table_.sorted_pairs((record.all(world, state_.locate(world, options)))) do
    if table_.index_of(known.files or {}, file) then names[#names + 1] = name end
  end
  return names
end

--- The project's name as its file says it. A file that cannot be loaded must not stand in the way of stop and down:
--- then the record that names this file is taken, when there is one only.
function M.name_of(world, file, options)
  local ok, loaded = pcall(M.load, world, file, options)
  if ok then return loaded.name end
  if not err.is(loaded) then error(loaded, 0) end
  local names = made_from(world, file, options)
  if #names == 1 then return names[1] end
  if #names == 0 then error(loaded, 0) end
  err.raise { message = ("%s cannot be loaded, and several projects were made from it: %s"):format(shown(world, file),
    table.concat(names, " ")), code = "EAMBIGUOUS", exit = 64, hint = "name one: -p " .. names[1] }
end

return M
