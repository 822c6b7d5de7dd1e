--- Which project a command is about: the compose file in reach, or a recorded project by name. Effects: reads files.
local lazy = require "holos.core.lazy"
local compose = lazy "holos.compose"
local environment = require "holos.use.environment"
local err = require "holos.core.err"
local files = require "holos.use.files"
local record = lazy "holos.run.record"
local resolve = lazy "holos.use.resolve"
local select_ = lazy "holos.use.select"
local state_ = require "holos.run.state"
local table_ = require "holos.core.table"
local text_ = lazy "holos.core.text"

local M = {}

local LEAST_NAME = "^[a-z0-9]"

--- The name of -p; an empty one is none.
function M.given_name(options) return options.project_name ~= "" and options.project_name or nil end

--- The project that was named in so many words: -p, or HOLOS_PROJECT_NAME in the environment. Its record is then enough.
function M.asked_name(world, options)
  local of_shell = world.host.env("HOLOS_PROJECT_NAME")
  return M.given_name(options) or of_shell ~= "" and of_shell or nil
end

-- The world, that writes down which files are read through it.
local function noting(world, reads, why)
  local function read(file, how)
    local text, message, code = world.fs.read(file, how)
    if text and not reads.known[file] then
      reads.known[file] = true
      reads[#reads + 1] = { path = file, why = why }
    end
    return text, message, code
  end
  return setmetatable({ fs = setmetatable({ read = read }, { __index = world.fs }) }, { __index = world })
end

-- function(text) → what is known of the image of this name, as of use/resolve.
local function image_finder(world, directory, options, variables)
  local find
  return function(text)
    find = find or resolve.finder(world, state_.locate(world, options), directory, { is_locking = options.lock,
      warn = function(line) table.insert(variables.warnings, line) end,
      noting = function(why) return noting(world, variables.reads, why) end })
    return find(text)
  end
end

--- What compose files are loaded with.
---@param found holos.FoundFiles
---@return holos.LoadOptions load_options
---@return table variables  {lookup, values, warnings, reads}; more warnings, and files that were read, are added while
---                         files are loaded
function M.load_options(world, found, options)
  local first, reads = found.files[1] ~= files.STDIN and found.files[1] or nil, { known = {} }
  local of_project, of_services = noting(world, reads, "variables of the project"), noting(world, reads, "variables of services")
  local variables = environment.load(of_project, first, options)
  local texts, named = files.texts(noting(world, reads, "compose file"), found), noting(world, reads, "named in the compose files")
  variables.reads = reads
  local warnings, own_directory = variables.warnings, environment.directory(world, first, options)
  return { files = texts, replicas = options.scale and select_.counts(options.scale),
    directory = own_directory,
    environment = world.host.environ(), lookup = variables.lookup, parse = world.yaml.parse,
    lookup_for = function(directory, env_files, around)
      return environment.included(of_project, directory, env_files, around, warnings)
    end,
    name = M.given_name(options) or variables.project_name, compat = options.compat, named = options.arguments,
    profiles = environment.profiles(variables.lookup, first, options),
    architecture = world.host.architecture(), stat = M.looker(world), list = M.lister(world),
    read = function(name) return files.read(named, name) end,
    env_file = function(entry) return environment.of_service(of_services, entry, variables.lookup, warnings) end,
    show = function(name) return environment.shown(world, name) end,
    sniff = function(name) return M.format_of(world, name) end,
    image = image_finder(world, own_directory, options, variables),
    image_bytes = function(name, format) return M.image_bytes(world, name, format) end }, variables
end

--- Loads and checks compose files; raises all findings at once (exit 2).
---@param found holos.FoundFiles
---@return table project
---@return fun(name: string): string? lookup  of the project's variables
---@return {path: string, why: string}[] reads   the files that were read for it
function M.load(world, found, options)
  local load_options, variables = M.load_options(world, found, options)
  local project = compose.load(load_options)
  project.warnings = M.warnings(found, variables, project.warnings)
  return project, variables.lookup, variables.reads
end

--- What is to be known about the choice of files, their variables, and what is in them.
function M.warnings(found, variables, lines)
  return table_.extend(table_.extend(table_.list { table.unpack(found.notices) }, variables.warnings), lines)
end

--- "qcow2" for what begins as one, sound or not; nil for anything else, for which the file has to say `image_format: raw`.
function M.format_of(world, name)
  local _, _, code = world.qcow2.info(name)
  return code ~= "ENOTQCOW2" and "qcow2" or nil
end

--- The size of the disk in an image; nil when it cannot be read, of which others tell.
function M.image_bytes(world, name, format)
  if format ~= "qcow2" then return (world.fs.stat(name) or {}).size_bytes end
  return (world.qcow2.info(name) or {}).virtual_bytes
end

-- What is looked through for what somebody may have meant: comparing names is slow, and a thousand mistakes have one cause.
local MOST_NAMES, MOST_LOOKS = 200, 20

--- function(directory) → the names in it, the first of very many; none where that cannot be told, or was asked too often.
function M.lister(world)
  local known, looks = {}, 0
  return function(directory)
    looks = looks + 1
    if looks > MOST_LOOKS then return {} end
    if not known[directory] then
      local entries = world.fs.list(directory) or {}
      known[directory] = table_.map(table.move(entries, 1, math.min(#entries, MOST_NAMES), 1, {}),
        function(entry) return entry.name end)
    end
    return known[directory]
  end
end

--- function(path) → the type of what lies there, "file", "directory", …, and what is the same for all its paths; nil when there
--- is nothing. Many services share an image, so each path is looked at once.
function M.looker(world)
  local looks = {}
  return function(name)
    looks[name] = looks[name] or world.fs.stat(name) or {}
    return looks[name].type, looks[name].id
  end
end

local function no_file(world)
  err.raise { message = ("no holos.yaml in %s or above"):format(world.host.working_directory()), code = "ENOFILE", exit = 2,
    hint = "make one (holos init), name it with -f FILE, or name a recorded project with -p NAME (holos ls)" }
end

--- The files in reach of a command that works from the record, and the project's name. Docker's, found by their name,
--- count only where a project was made from them: other things in such a directory are none of ours.
---@return holos.FoundFiles? found
---@return string? name
function M.in_reach(world, options)
  local found = files.find(world, options)
  if not found then return nil end
  if not found.is_docker then return found, M.name_of(world, found, options) end
  local ok, name = pcall(M.name_of, world, found, options)
  if not ok and not err.is(name) then error(name, 0) end
  if ok and record.load(world, state_.locate(world, options), name) then return found, name end
end

--- The files of a command that needs them; raises when there are none.
---@return holos.FoundFiles
function M.require_files(world, options) return files.find(world, options) or no_file(world) end

--- The project of a command that needs its file.
---@param verb string?  the command, when it changes something
---@return table context  as of_files
function M.from_file(world, options, verb)
  local found = M.require_files(world, options)
  if verb then files.require_named(world, found, verb) end
  return M.of_files(world, found, options)
end

--- The project that files make.
---@return table context  {world, state, options, project, name, lookup, reads}
function M.of_files(world, found, options)
  local project, lookup, reads = M.load(world, found, options)
  return { world = world, state = state_.locate(world, options), options = options, project = project, name = project.name,
    lookup = lookup, reads = reads }
end

local function require_record(world, state, name, read, is_of_file)
  local known = read(world, state, name)
  if known then return known end
  if is_of_file then
    err.raise { message = ("project %s is in the file and not made yet"):format(name), code = "ENOPROJECT", is_of_file = true,
      hint = "holos up" }
  end
  local near = text_.nearest(name, table_.keys((record.all(world, state))))
  err.raise { message = ("there is no project %q"):format(name), code = "ENOPROJECT",
    hint = near and ("did you mean %q?"):format(near) or "holos ls lists what there is" }
end

--- The project of a command that works from the record: by the name asked for, else by the file's, also when the file is
--- broken.
---@param verb string?  the command, when it changes something
---@param read (fun(world, state, name): table?)?  record.load unless given; with a verb it is only looked whether there is
---       a record, as whoever changes something reads it when he holds the lock (use/recorded.reload)
---@return table context  {world, state, options, name, record, words, notices}: `words` are the arguments that are left
function M.from_record(world, options, words, verb, read)
  local state = state_.locate(world, options)
  local context = { world = world, state = state, options = options, words = { table.unpack(words or {}) }, notices = {} }
  context.name = M.asked_name(world, options)
  local found, name
  if not context.name then
    found, name = M.in_reach(world, options)
    if found and verb then files.require_named(world, found, verb) end
    context.name, context.notices = name, found and found.notices or {}
  end
  if not context.name and context.words[1] and context.words[1]:find(LEAST_NAME) then
    context.name = table.remove(context.words, 1)
  end
  context.record = require_record(world, state, context.name or no_file(world),
    read or verb and record.is_there or record.load, name ~= nil)
  return context
end

local function made_from(world, found, options)
  local names = table_.list {}
  for name, known in table_.sorted_pairs((record.all(world, state_.locate(world, options)))) do
    if table_.index_of(known.files or {}, found.files[1]) then names[#names + 1] = name end
  end
  return names
end

--- The project's name as its files say it. A file that cannot be loaded must not stand in the way of stop and down: then
--- the record that names this file is taken, when there is one only.
function M.name_of(world, found, options)
  local ok, name = pcall(compose.name, (M.load_options(world, found, options)))
  if ok then return name end
  if not err.is(name) then error(name, 0) end
  local names = made_from(world, found, options)
  if #names == 1 then return names[1] end
  if #names == 0 then error(name, 0) end
  local shown = environment.shown(world, found.files[1])
  err.raise { message = ("%s cannot be loaded, and several projects were made from it: %s"):format(shown,
    table.concat(names, " ")), code = "EAMBIGUOUS", exit = 64, hint = "name one: -p " .. names[1] }
end

return M
