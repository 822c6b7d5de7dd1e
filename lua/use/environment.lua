--- The variables that a compose file may use, and the settings among them. Effects: reads the environment and env files.
local lazy = require "holos.core.lazy"
local env_file = lazy "holos.compose.env_file"
local environment = require "holos.compose.environment"
local err = require "holos.core.err"
local path = require "holos.core.path"

local M = {}

local MAX_FILE_BYTES = 4 << 20

--- A path as the user would write it: relative to where they are, when that is shorter.
function M.shown(world, file)
  local here = world.host.working_directory() .. "/"
  return file:sub(1, #here) == here and file:sub(#here + 1) or file
end

--- What relative paths of the project are seen from: --project-directory, else where the file is, or where we are.
function M.directory(world, file, options)
  local here = world.host.working_directory()
  if options.project_directory then return path.absolute(options.project_directory, here) end
  return file and path.parent(file) or here
end

local function read_files(world, files, outer)
  return environment.read(files, outer or world.host.env,
    function(name) return world.fs.read(name, { max_bytes = MAX_FILE_BYTES }) end,
    function(name) return M.shown(world, name) end)
end

local function files_seen_from(world, directory, file, options)
  return environment.files(world.host.env, { env_file = options.env_file, here = world.host.working_directory(),
    directory = directory, file = file })
end

--- A setting that the shell or an env file makes before the compose file is known: "FILE" for HOLOS_FILE. Env files that
--- cannot be read are for `load` to refuse.
---@return string? value
---@return boolean from_file  whether an env file says it, not the shell
function M.early(world, name, options)
  local of_shell = environment.setting(world.host.env, name)
  if of_shell then return of_shell, false end
  local values = read_files(world, files_seen_from(world, M.directory(world, nil, options), nil, options)).values
  return environment.setting(function(key) return values[key] end, name), true
end

-- Where the `.env` of the directory we are in named a file somewhere else, both count, and ours wins.
local function files_for(world, file, options)
  local directory = M.directory(world, file, options)
  local files = files_seen_from(world, directory, file, options)
  local start = M.directory(world, nil, options)
  if options.file or start == directory or (files[1] or {}).source then return files end
  local named, from_file = M.early(world, "FILE", options)
  return named and from_file and { files[1], table.unpack(files_seen_from(world, start, file, options)) } or files
end

--- Variables for a compose file: the shell's, then those of env files. Raises what is wrong with them (exit 2).
---@return table variables  {lookup = function(name) → value | nil, values = those of env files, project_name = string?,
---  warnings = {"…"}}
function M.load(world, file, options)
  local read = read_files(world, files_for(world, file, options))
  if #read.findings > 0 then err.findings(read.findings) end
  local lookup = environment.lookup(world.host.env, read.values)
  return { lookup = lookup, values = read.values, warnings = read.warnings,
    project_name = environment.setting(lookup, "PROJECT_NAME", file) }
end

--- The variables of a file that a service names (env_file, label_file).
---@param entry {path: string, required: boolean, format: string?}
---@param lookup fun(name: string): string?  the project's variables
---@param warnings string[]  more are added
---@return holos.EnvFile? parsed  nil when there is none and none is needed
---@return string? message
---@return string? hint
function M.of_service(world, entry, lookup, warnings)
  local text, message, code = world.fs.read(entry.path, { max_bytes = MAX_FILE_BYTES })
  if not text then
    if code ~= "ENOENT" then return nil, message end
    if not entry.required then return nil end
    return nil, entry.path .. " does not exist",
      ("make it, or say that it need not be there: env_file: [{path: %s, required: false}]"):format(M.shown(world, entry.path))
  end
  local shown = M.shown(world, entry.path)
  local parsed, problem = env_file.parse(text, lookup, { format = entry.format, unset = function(name, line)
    warnings[#warnings + 1] = ("%s:%d: the variable %s is not set and became a blank"):format(shown, line, name)
  end })
  if parsed then return parsed end
  return nil, ("%s:%d:%d: %s"):format(shown, problem.line, problem.column, problem.message), problem.hint
end

--- Variables of files that a compose file includes: those of `env_files`, or of the `.env` in their directory. `around`
--- wins over all of them.
---@param warnings string[]  more are added
---@return fun(name: string)? lookup
---@return string? message
function M.included(world, directory, env_files, around, warnings)
  local files = {}
  for _, name in ipairs(env_files or {}) do
    if name ~= "/dev/null" then files[#files + 1] = { path = name, source = "include" } end
  end
  if not env_files then files[1] = { path = path.join(directory, environment.DEFAULT) } end
  local read = read_files(world, files, around)
  if #read.findings > 0 then return nil, err.render_finding(read.findings[1]) end
  table.move(read.warnings, 1, #read.warnings, #warnings + 1, warnings)
  return function(name) return read.values[name] end
end

--- The profiles that are asked for: by --profile, and by HOLOS_PROFILES (with docker's files COMPOSE_PROFILES).
---@param lookup fun(name: string): string?  the project's variables
---@param file string?  path of the first compose file
---@return string[]
function M.profiles(lookup, file, options)
  local profiles = { table.unpack(options.profile or {}) }
  for name in (environment.setting(lookup, "PROFILES", file) or ""):gmatch("[^,%s]+") do profiles[#profiles + 1] = name end
  return profiles
end

return M
