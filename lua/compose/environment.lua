--- Where the variables of a compose file come from: the shell first, then env files. Pure: files are read by a function
--- that is handed in.
local lazy = require "holos.core.lazy"
local env_file = lazy "holos.compose.env_file"
local err = require "holos.core.err"
local path = require "holos.core.path"

local M = {}

--- What is read when nothing else is named; it need not be there.
M.DEFAULT = ".env"

-- Names by which docker compose finds its files. Where one of them is in use, COMPOSE_* counts.
local DOCKER_NAMES = {
  ["compose.yaml"] = true, ["compose.yml"] = true, ["docker-compose.yaml"] = true, ["docker-compose.yml"] = true,
}

--- A setting such as "PROJECT_NAME": HOLOS_PROJECT_NAME, or COMPOSE_PROJECT_NAME where `file` is named as docker names
--- its files. An empty one counts as none.
---@param lookup fun(name: string): string?
---@param file string?  path of the compose file, as far as it is known
function M.setting(lookup, name, file)
  local ours = lookup("HOLOS_" .. name)
  if ours and ours ~= "" then return ours end
  local theirs = file and DOCKER_NAMES[path.base(file)] and lookup("COMPOSE_" .. name)
  return theirs and theirs ~= "" and theirs or nil
end

--- Variables of files behind those that are around them, which win.
---@param outer fun(name: string): string?
---@param values table<string, string>
---@return fun(name: string): string?
function M.lookup(outer, values)
  return function(name)
    local value = outer(name)
    if value ~= nil then return value end
    return values[name]
  end
end

local function named(list, source, here)
  local files = {}
  for position, name in ipairs(list) do
    files[position] = { path = path.absolute(name, here), source = source }
  end
  return files
end

local function split(text)
  local list = {}
  for name in text:gmatch("[^,]+") do list[#list + 1] = name:match("^%s*(.-)%s*$") end
  return list
end

local ON = { ["1"] = true, ["true"] = true, yes = true, on = true }

--- Which env files count: those of --env-file, else of HOLOS_ENV_FILES, else `.env` in the project's directory.
---@param shell fun(name: string): string?
---@param where {env_file: string[]?, here: string, directory: string, file: string?}  `here`: what names are relative to
---@return {path: string, source: string?}[] files  without a source: one that need not be there
function M.files(shell, where)
  if where.env_file then return named(where.env_file, "--env-file", where.here) end
  local listed = M.setting(shell, "ENV_FILES", where.file)
  if listed then return named(split(listed), "HOLOS_ENV_FILES", where.here) end
  if ON[(M.setting(shell, "DISABLE_ENV_FILE", where.file) or ""):lower()] then return {} end
  return { { path = path.join(where.directory, M.DEFAULT) } }
end

-- Where `.env` is no file it is something else's: a directory of Python's, for example.
local NOT_THERE = { ENOENT = true, ENOTDIR = true, EISDIR = true, EINVAL = true }

local function text_of(job, file)
  local text, message, code = job.read(file.path)
  if text then return text end
  if not file.source and NOT_THERE[code] then return nil end
  if code == "ENOENT" then message = "couldn't find env file: " .. file.path end
  job.findings[#job.findings + 1] = { message = message, hint = file.source and file.source .. " names it" or nil }
end

local function warner(job, shown)
  return function(name, line)
    if job.warned[name] then return end
    job.warned[name] = true
    job.warnings[#job.warnings + 1] = err.render_finding { file = shown, line = line,
      message = ("the variable %s is not set and became a blank; where the text itself is meant, put it in single quotes")
        :format(name) }
  end
end

local function take(job, file, text)
  local shown = job.shown(file.path)
  local parsed, problem = env_file.parse(text, job.outer, { earlier = job.values, unset = warner(job, shown) })
  if not parsed then
    problem.file = shown
    job.findings[#job.findings + 1] = problem
    return
  end
  for _, name in ipairs(parsed.order) do
    if not job.values[name] then job.order[#job.order + 1] = name end
    job.values[name] = parsed.values[name]
  end
end

--- Reads env files: later ones win, and may use what earlier ones say.
---@param files {path: string, source: string?}[]  as from `files`
---@param outer fun(name: string): string?  what wins over all of them
---@param read fun(path: string): string?, string?, string?  text, or nil, message, code
---@param shown fun(path: string): string   a path as the user would write it
---@return table result  {values, order = names in their order, findings = {{file, line, column, message, hint}},
---  warnings = {"…"}}
function M.read(files, outer, read, shown)
  local job = { outer = outer, read = read, shown = shown, values = {}, order = {}, findings = {}, warnings = {},
    warned = {} }
  for _, file in ipairs(files) do
    local text = text_of(job, file)
    if text then take(job, file, text) end
  end
  return { values = job.values, order = job.order, findings = job.findings, warnings = job.warnings }
end

return M
