--- The stage that replaces variables in the values of one document, in place; keys are never touched. Pure.
local lazy = require "holos.core.lazy"
local schema = require "holos.core.schema"
local template = lazy "holos.compose.template"

local M = {}

--- What the values with variables of all files may add up to.
M.most_bytes = 8 << 20

-- By these names a file may ask for the project's own name, whatever the environment says.
local PROJECT_NAME = { HOLOS_PROJECT_NAME = true, COMPOSE_PROJECT_NAME = true }

--- A text with its variables replaced; nil when that cannot be done, which `run` tells.
function M.expanded(text, lookup) return (template.expand(text, lookup)) end

local function with_project_name(lookup, project_name)
  return function(name)
    if PROJECT_NAME[name] then return project_name end
    return lookup(name)
  end
end

local function is_before(mark, path, other)
  if mark ~= other.mark then return mark < other.mark end
  return path < other.path
end

-- The mark and the path of the value that is being looked at. Positions in between have no mark of their own.
local function place(walk)
  local marks = walk.marks[walk.container]
  return marks and marks[walk.key] or 0, schema.path(table.move(walk.keys, 1, walk.depth, 1, {}))
end

-- A variable that is not set: a warning at the first of its places.
local function unset_in(walk)
  return function(name)
    local words, mark, path = walk.state.words, place(walk)
    words.blanks[mark] = words.blanks[mark] or {}
    words.blanks[mark][name] = true
    local known = words.unset[name]
    if known then
      if is_before(mark, path, known) then known.mark, known.path = mark, path end
      return
    end
    known = { mark = mark, path = path, message = ("the variable %s is not set and became a blank"):format(name),
      hint = ("set it, give it a default (${%s:-…}), or write $$%s for the text itself"):format(name, name) }
    words.unset[name] = known
    table.insert(walk.state.warnings, known)
  end
end

-- A mistake in an anchor's value would be told again for each of its aliases.
local function report(walk, message, hint)
  local state, mark, path = walk.state, place(walk)
  local known = state.words.spoilt[mark]
  if known and known.message == message then
    if path < known.path then known.path = path end
    return
  end
  local finding = { mark = mark, path = path, message = message, hint = hint, spoils = true }
  state.words.spoilt[mark] = known or finding
  table.insert(state.findings, finding)
end

local function expand(walk, text, lookup)
  local value, message, hint = template.expand(text, lookup, walk.unset)
  if not value then return report(walk, message, hint) end
  local words = walk.state.words
  words.bytes = words.bytes + #value
  if words.bytes <= M.most_bytes then return value end
  report(walk, ("the values with variables up to here add up to more than %d bytes"):format(M.most_bytes))
  walk.is_over = true
end

local function visit(walk, container)
  local depth, keys = walk.depth + 1, walk.keys
  walk.depth = depth
  for key, value in next, container do
    if type(value) == "string" then
      if value:find("$", 1, true) then
        keys[depth], walk.container, walk.key = key, container, key
        local is_name = depth == 1 and key == "name"
        container[key] = expand(walk, value, is_name and walk.outer or walk.lookup) or value
      end
    elseif type(value) == "table" then
      keys[depth] = key
      visit(walk, value)
    end
    if walk.is_over then break end
  end
  walk.depth = depth - 1
end

--- Replaces the variables of one document. Findings and warnings go to the lists of `state`; `state.words` keeps what
--- `settle` and the documents that follow have to know.
---@param state {findings: table[], warnings: table[]}
---@param fragment {tree: table, marks: table, lookup: function, name: string}  `name`: the project's
function M.run(state, fragment)
  state.words = state.words or { blanks = {}, spoilt = {}, unset = {}, bytes = 0 }
  local walk = {
    state = state, marks = fragment.marks, keys = {}, depth = 0, outer = fragment.lookup,
    lookup = with_project_name(fragment.lookup, fragment.name),
  }
  walk.unset = unset_in(walk)
  visit(walk, fragment.tree)
end

local function explain(finding, blanks)
  local names = {}
  for name in pairs(blanks) do names[#names + 1] = name end
  table.sort(names)
  local reason = ("%s not set: %s"):format(#names == 1 and "a variable here is" or "variables here are",
    table.concat(names, ", "))
  finding.hint = finding.hint and reason .. "\n" .. finding.hint or reason
end

--- Once all stages have run, and `run` was among them: what else was found at a value that could not be made is dropped,
--- and where a variable that is not set left a blank, what was found there says so.
function M.settle(state)
  local words, kept = state.words, {}
  for _, finding in ipairs(state.findings) do
    local blanks = words.blanks[finding.mark]
    if finding.spoils or not words.spoilt[finding.mark] then
      kept[#kept + 1] = finding
      if blanks and not finding.spoils then explain(finding, blanks) end
    end
  end
  state.findings = kept
end

return M
