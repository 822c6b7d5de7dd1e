--- include: files that are loaded with a directory and variables of their own, and go below the document that names
--- them. Pure.
--
-- As compose-go does it: what is written locally wins, and of two files that are included the first.
local check = require "holos.core.schema.check"
local merge = require "holos.compose.merge"
local path = require "holos.core.path"
local paths = require "holos.compose.paths"
local relocate = require "holos.compose.relocate"
local reset = require "holos.compose.reset"
local rule = require "holos.compose.schema.include"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

local function report(walk, keys, message, hint)
  local state, mark = walk.state, walk.mark
  state.findings[#state.findings + 1] = { mark = mark, path = schema.path(keys), message = message, hint = hint }
  state.is_broken = true
end

-- An absolute path; nil after a report.
local function resolved(walk, text, ...)
  local absolute, message = paths.resolve(text, walk.fragment.directory, walk.state.options.environment or {})
  if not absolute then report(walk, { "include", walk.position, ... }, message) end
  return absolute
end

local function resolved_all(walk, texts, ...)
  local absolute = {}
  for _, text in ipairs(texts) do absolute[#absolute + 1] = resolved(walk, text, ...) end
  return #absolute == #texts and absolute or nil
end

local function is_cycle(walk, file)
  local chain = walk.fragment.chain
  local from = tables.index_of(chain, file)
  if not from then return false end
  local names = {}
  for position = from, #chain do names[#names + 1] = walk.loader.shown(walk.state, chain[position]) end
  names[#names + 1] = names[1]
  report(walk, { "include", walk.position }, "include cycle detected: " .. table.concat(names, " → "))
  return true
end

local function read(walk, files)
  local texts = {}
  for _, file in ipairs(files) do
    if is_cycle(walk, file) then return nil end
    local text, message = walk.loader.file(walk.state, file)
    if not text then return report(walk, { "include", walk.position, "path" }, message) end
    texts[#texts + 1] = text
  end
  return texts
end

-- The variables of the including file win over those of the included one's own files.
local function lookup_of(walk, directory, env_files)
  local around, make = walk.fragment.lookup, walk.state.options.lookup_for
  if not make then return around end
  local own, message = make(directory, env_files, around)
  if not own then
    report(walk, { "include", walk.position, "env_file" }, message)
    return around
  end
  return function(name)
    local value = around(name)
    if value == nil then value = own(name) end
    return value
  end
end

-- What belongs to the included file and not to the project: its name, and the user's own keys.
local function drop_own(tree)
  tree.name = nil
  for key in next, tree do
    if key:sub(1, 2) == "x-" then tree[key] = nil end
  end
end

-- What came in by another way already is there once.
local function drop_repeated(included, tree)
  for section, entries in next, included do
    local present = tree[section]
    if schema.kind_of(entries) == "map" and schema.kind_of(present) == "map" then
      for name, entry in next, entries do
        if present[name] ~= nil and tables.deep_equal(entry, present[name]) then entries[name] = nil end
      end
    end
  end
end

local function load_entry(walk, entry)
  local files = resolved_all(walk, entry.path, "path")
  local env_files = entry.env_file and resolved_all(walk, entry.env_file, "env_file")
  if files and #files == 0 then report(walk, { "include", walk.position, "path" }, "names no file") end
  if not files or #files == 0 then return nil end
  local directory = entry.project_directory and resolved(walk, entry.project_directory, "project_directory")
    or path.parent(files[1])
  local texts = read(walk, files)
  if not texts then return nil end
  local scope = walk.loader.scope { directory = directory, lookup = lookup_of(walk, directory, env_files),
    chain = walk.fragment.chain, name = walk.fragment.name }
  local tree = walk.loader.merged(walk.state, texts, scope)
  if not tree then return nil end
  reset.strip(scope.tags)
  if directory ~= walk.fragment.directory then relocate.all(tree, directory, walk.state.marks) end
  return tree
end

-- The entries in one form: {path = {…}, project_directory, env_file = {…}}; `false` for those that are wrong.
local function entries_of(state, fragment)
  local tree = fragment.tree
  local at = check.new(state.marks)
  at:enter(tree, "include")
  local entries = check.value(rule, tree.include, at)
  table.move(at.findings, 1, #at.findings, #state.findings + 1, state.findings)
  state.is_broken = state.is_broken or #at.findings > 0
  return entries or {}
end

--- Loads what a document includes, and puts it below.
---@param state table
---@param fragment holos.Fragment  `tree` is another table afterwards
---@param loader table             holos.compose.gather
function M.apply(state, fragment, loader)
  local written = fragment.tree.include
  if written == nil then return end
  local entries = schema.kind_of(written) ~= "null" and entries_of(state, fragment) or {}
  fragment.tree.include = nil
  for position, entry in ipairs(entries) do
    local mark = state.marks[written] and state.marks[written][position]
    local walk = { state = state, fragment = fragment, loader = loader, position = position, mark = mark }
    local included = entry and entry.path and load_entry(walk, entry)
    if included then
      drop_own(included)
      drop_repeated(included, fragment.tree)
      fragment.tree = merge.into(state, fragment.tags, included, fragment.tree)
    end
  end
end

return M
