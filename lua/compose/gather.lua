--- Files to one tree: each document is completed by what it includes and extends, and laid over those before it. Pure.
--
-- Files of one project may include others and extend services of others; all share marks, findings and the list of
-- names (see holos.compose). A scope is what documents that are merged with each other have in common; a fragment is one
-- document in its scope.
local lazy = require "holos.core.lazy"
local documents = require "holos.compose.documents"
local extension = lazy "holos.compose.extension"
local extends = lazy "holos.compose.extends"
local include = lazy "holos.compose.include"
local interpolate = lazy "holos.compose.interpolate"
local merge = lazy "holos.compose.merge"
local name_ = require "holos.compose.project_name"
local path = require "holos.core.path"
local reset = require "holos.compose.reset"
local schema = require "holos.core.schema"

local M = {}

---@class holos.Scope
---@field directory string    absolute; what relative paths are seen from
---@field lookup function     name → value | nil: the variables
---@field tags table          tags[container][key] = "reset" | "override"
---@field chain string[]      the files that led here, each included by the one before
---@field name string?        the project's name, where it is known before these documents are read
---@field is_alone boolean?   services of these documents are extended; what they include does not matter

---@class holos.Fragment: holos.Scope
---@field tree table          a mapping
---@field marks table
---@field text string         of its file
---@field name string         the project's

--- Files that one project may be read from: those that include each other again and again end here.
M.file_limit = 1000

--- What is done to each document before it is merged, in this order.
M.stages = { "interpolate", "extension", "include", "extend" }

local function append(list, more) table.move(more, 1, #more, #list + 1, list) end

-- A file without a sound tree: what seems to be missing in the rest may be in it.
local function break_off(state, finding)
  state.findings[#state.findings + 1] = finding
  state.is_broken = true
end

--- A file that another one names, read.
---@return table? file  {file, text, shown}
---@return string? message
function M.file(state, name)
  local options = state.options
  if state.reads >= M.file_limit then return nil, ("more than %d files"):format(M.file_limit) end
  if not options.read then return nil, ("%s cannot be read here"):format(name) end
  local text, message = options.read(name)
  if not text then return nil, message or ("%s cannot be read"):format(name) end
  return { file = name, text = text, shown = M.shown(state, name) }
end

--- A file's name for messages.
function M.shown(state, name)
  local show = state.options.show
  return show and show(name) or path.relative(name, state.options.directory)
end

-- The file's index in marks; its name goes to those for messages.
local function index_of(state, file)
  local key = file.file or file
  local index = state.indexes[key] or #state.files
  state.indexes[key], state.files[index + 1] = index, file.shown or path.base(file.file)
  state.reads = state.reads + 1
  return index
end

local function fragment_of(state, scope, file, tree)
  local chain = table.move(scope.chain, 1, #scope.chain, 1, {})
  chain[#chain + 1] = file.file
  return { tree = tree, directory = scope.directory, lookup = scope.lookup, tags = scope.tags, chain = chain,
    is_alone = scope.is_alone, marks = state.marks, text = file.text }
end

-- The documents of a file; empty ones are left out.
local function add_documents(state, file, scope, fragments)
  local built, finding = documents.of(state.options.parse, file.text, index_of(state, file),
    { marks = state.marks, tags = scope.tags, copied = state.aliased })
  if not built then return break_off(state, finding) end
  state.aliased = built.copied
  append(state.findings, built.findings)
  state.is_broken = state.is_broken or built.is_cut
  for position, tree in ipairs(built.is_cut and {} or built.trees) do
    if schema.kind_of(tree) == "map" then
      fragments[#fragments + 1] = fragment_of(state, scope, file, tree)
    elseif schema.kind_of(tree) ~= "null" and #built.findings == 0 then
      break_off(state, { mark = built.marks[built.trees][position],
        message = ("expected keys such as services:, got %s"):format(schema.show(tree)) })
    end
  end
end

--- Variables in values are replaced.
function M.interpolate(state, fragment)
  if state.options.each_document then state.options.each_document(fragment.tree, fragment.lookup) end
  if (state.options.without or {}).interpolate then return end
  if documents.may_have_variables(fragment.text) then interpolate.run(state, fragment) end
end

-- Whether a service of a document has a key: most stages are about keys that few files have.
local function any_service_has(tree, key)
  for _, service in next, schema.kind_of(tree.services) == "map" and tree.services or {} do
    if type(service) == "table" and service[key] ~= nil then return true end
  end
  return false
end

--- What a document says to holos alone goes to where it belongs.
function M.extension(state, fragment)
  if fragment.tree["x-holos"] == nil and not any_service_has(fragment.tree, "x-holos") then return end
  extension.apply(state, fragment)
  state.has_extension = true
end

--- The files that a document includes go below it.
function M.include(state, fragment)
  if fragment.tree.include ~= nil and not fragment.is_alone then include.apply(state, fragment, M) end
end

--- The services that those of a document extend go below them.
function M.extend(state, fragment)
  if not fragment.is_alone and any_service_has(fragment.tree, "extends") then extends.apply(state, fragment, M) end
end

-- What a document calls the project, where that can be a name.
local function own_name(fragment)
  local name = fragment.tree.name
  if type(name) == "string" and name:find("$", 1, true) then name = interpolate.expanded(name, fragment.lookup) end
  return name_.is_valid(name) and name or nil
end

-- The name as variables know it: as asked for, or what the last document says, or the directory's.
local function project_name(state, fragments)
  local name = state.options.name
  for position = #fragments, 1, -1 do
    name = name or own_name(fragments[position])
  end
  return name or name_.derived(state.options.directory)
end

--- The documents of all files, the later ones laid over the earlier ones.
---@param files table[]  {file, text, shown}
---@param scope holos.Scope
---@return table? tree  nil when there is nothing in them
function M.merged(state, files, scope)
  local fragments, tree = {}, nil
  for _, file in ipairs(files) do add_documents(state, file, scope, fragments) end
  local name = scope.name or project_name(state, fragments)
  for _, fragment in ipairs(fragments) do
    fragment.name = name
    for _, stage in ipairs(M.stages) do M[stage](state, fragment) end
    tree = tree and merge.into(state, scope.tags, tree, fragment.tree) or fragment.tree
  end
  return tree
end

--- The whole project as one tree; nil when there is nothing in its files, which is then among the findings.
---@param state holos.ComposeState
---@param files table[]  {file, text, shown}
---@return table? tree
function M.project(state, files)
  local options = state.options
  local lookup = options.lookup or function(name) return (options.environment or {})[name] end
  local scope = M.scope { directory = options.directory, lookup = lookup }
  local tree = M.merged(state, files, scope)
  reset.strip(scope.tags)
  if not tree and #state.findings == 0 then
    state.findings[1] = { message = "the file is empty",
      hint = 'a small one:\nservices:\n  web:\n    image: ./debian.qcow2' }
  end
  return tree
end

--- Says of variables what only everything that was found can tell.
function M.settle(state)
  if state.words then interpolate.settle(state) end
end

--- A scope of its own.
---@param fields table  of holos.Scope; directory and lookup at least
---@return holos.Scope
function M.scope(fields)
  fields.tags, fields.chain = {}, fields.chain or {}
  return fields
end

return M
