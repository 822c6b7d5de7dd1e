--- What a COPY or an ADD takes out of its context, and where in the guest's copy of it that will lie. Effects: reads names,
--- links, and the first bytes of what may be an archive.
--
-- Below "d/" lies what goes into a directory; "f/NAME" is one file, whose target may be its new name; "a/N" is an archive that
-- is unpacked in the guest.
local err = require "holos.core.err"
local glob = require "holos.dockerfile.glob"
local ignore = require "holos.dockerfile.ignore"
local lazy = require "holos.core.lazy"
local path = require "holos.core.path"
local table_ = require "holos.core.table"
local task = require "holos.core.task"
local text = lazy "holos.core.text"

local M = {}

---@class holos.ContextEntry
---@field name string     where it will lie
---@field type "file"|"directory"|"symlink"
---@field mode integer
---@field from string?    its place in the context
---@field data string?    or its text
---@field target string?  of a link
---@field size_bytes integer

local FILE_MODE, LINK_MODE = tonumber("644", 8), tonumber("777", 8)
local MAGIC_BYTES, TAR_AT = 512, 258
local MOST_NAMES = 200 -- to be compared with one that is not there
local KINDS = { gzip = "\x1f\x8b", bzip2 = "BZh", xz = "\xfd7zXZ\0", zstd = "\x28\xb5\x2f\xfd" }

local function refuse(message, hint) err.raise { message = message, hint = hint, code = "ECONTEXT" } end

-- "/a", "../a" and "a/" are "a": nothing is outside of the context.
local function clean(source)
  local cleaned = path.normalize("/" .. source):sub(2)
  return cleaned == "" and "." or cleaned
end

local function left_out(tree) return ("a pattern in %s leaves it out"):format(tree.ignore_file) end

local function below(directory, name) return directory == "." and name or directory .. "/" .. name end

-- What somebody may have meant: the first part of a name that is not there, as something beside it is called.
local function meant(tree, name)
  local at = "."
  for part, rest in name:gmatch "([^/]+)()" do
    local status = tree:look(below(at, part))
    if not status then
      local names = tree:look(at).type == "directory" and table_.map(tree:children(at), function(child) return child.name end) or {}
      local near = text.nearest(part, table.move(names, 1, math.min(#names, MOST_NAMES), 1, {}))
      return near and ("did you mean %q?"):format(below(at, near) .. name:sub(rest))
    end
    at = below(at, part)
  end
end

local function not_found(tree, source, is_ignored)
  refuse(("%q is not in the context %s"):format(source, tree.directory), is_ignored and left_out(tree)
    or not glob.is_pattern(source) and meant(tree, clean(source)) or nil)
end

-- -- what a directory holds -------------------------------------------------------------------------------------------

local function entry_of(tree, from, status)
  local entry = { type = status.type, mode = status.mode, from = from, size_bytes = 0 }
  if status.type == "file" then
    entry.size_bytes = status.size_bytes
  elseif status.type == "symlink" then
    entry.target, entry.mode = status.target, LINK_MODE
  elseif status.type ~= "directory" then
    refuse(("%s/%s is a %s, and cannot be copied"):format(tree.directory, from, status.type), "name it in .dockerignore")
  end
  return entry
end

local walk

local function walk_child(tree, at, child, visit)
  local from, is_directory = below(at.from, child.name), child.status.type == "directory"
  local is_ignored = tree:is_ignored(from)
  if is_ignored and not (is_directory and tree:may_hold(from)) then return end
  local shown = at.shown == "" and child.name or at.shown .. "/" .. child.name
  if is_directory then
    local count = visit.count
    if not is_ignored then visit.entry(shown, from, child.status) end
    walk(tree, { from = from, shown = shown }, visit)
    if is_ignored and visit.count > count then visit.entry(shown, from, child.status) end
  else
    visit.entry(shown, from, child.status)
  end
end

-- Visits all that a directory holds and is not left out, by name.
function walk(tree, at, visit)
  for _, child in ipairs(tree:children(at.from)) do
    task.yield()
    walk_child(tree, at, child, visit)
  end
end

-- -- sources ----------------------------------------------------------------------------------------------------------

-- The directory that a pattern's first names lead to.
local function fixed_part(pattern)
  local fixed = {}
  for part in pattern:gmatch("[^/]+") do
    if glob.is_pattern(part) then break end
    fixed[#fixed + 1] = part
  end
  return #fixed > 0 and table.concat(fixed, "/") or "."
end

-- `place` is where the directory lies after all links.
local function find_matching(tree, directory, place, pieces, found)
  for _, child in ipairs(tree:children(directory)) do
    task.yield()
    local name, at, is_directory = below(directory, child.name), below(place, child.name), child.status.type == "directory"
    local is_taken = not tree:is_ignored(at) or is_directory and tree:may_hold(at)
    if is_taken and glob.matches(pieces, name) then
      found[#found + 1] = name
    elseif is_taken and is_directory then
      find_matching(tree, name, at, pieces, found)
    end
  end
end

-- What lies at a place, and where that is after all links; a link stands for what it leads to. A second text says why it leads to
-- nothing.
local function look(tree, name)
  local status = tree:look(name)
  if not status then return nil end
  local place, message = tree:place(name, status) or name, nil
  if status.type == "symlink" then status, message = tree:follow(name) end
  return status, place, message
end

local function matching(tree, name, pieces)
  local found, directory = {}, fixed_part(name)
  local status, place = look(tree, directory)
  if status and status.type == "directory" then find_matching(tree, directory, place, pieces, found) end
  return found
end

-- The places that a source names.
local function places(tree, source)
  local name = clean(source)
  if not glob.is_pattern(name) then return { name } end
  local pieces, message = glob.parse(name)
  if not pieces then refuse(("%q: %s"):format(source, message)) end
  local found = matching(tree, name, pieces)
  if #found > 0 then return found end
  local whole = setmetatable({ ignored = {} }, { __index = tree })
  refuse(("nothing in the context %s is called %q"):format(tree.directory, source),
    #matching(whole, name, pieces) > 0 and left_out(tree) or nil)
end

-- What a source names. What a pattern leaves out is no more to be had by a link to it.
local function match_of(tree, source, name)
  local status, place, message = look(tree, name)
  if message then refuse(("%q %s"):format(source, message)) end
  if not status then not_found(tree, source) end
  for _, at in ipairs { name, place } do
    if tree:is_ignored(at) and not (status.type == "directory" and tree:may_hold(at)) then not_found(tree, source, true) end
  end
  return { name = name, status = status, place = place }
end

-- -- one step ---------------------------------------------------------------------------------------------------------

-- What comes later takes the place of what was there; a directory stays one.
local function put(taken, name, entry)
  local known = taken[name]
  if known and (known.type == "directory") ~= (entry.type == "directory") then
    refuse(("%s is a directory in one source, and none in another"):format(name:sub(3)))
  end
  entry.name, taken[name] = name, entry
end

local function is_excluded(step, name) return ignore.matches(step.excluded, name) end

local function take_directory(tree, step, from, taken)
  local visit = { count = 0 }
  function visit.entry(shown, place, status)
    visit.count = visit.count + 1
    if not is_excluded(step, shown) then put(taken, "d/" .. shown, entry_of(tree, place, status)) end
  end
  walk(tree, { from = from, shown = "" }, visit)
  if visit.count == 0 and tree:is_ignored(from) then not_found(tree, from, true) end
end

-- What kind of archive a file may be, by its first bytes: the program that unpacks it. Nil: none.
local function archive_kind(tree, name)
  local fd <close> = err.check(name, tree:open(name))
  local head = err.check(name, fd:try_read(MAGIC_BYTES))
  for kind, magic in pairs(KINDS) do
    if head:sub(1, #magic) == magic then return kind end
  end
  return head:sub(TAR_AT, TAR_AT + 4) == "ustar" and "tar" or nil
end

local function take_file(tree, step, match, taken)
  local base = path.base(match.name)
  if is_excluded(step, base) then return end
  local entry = entry_of(tree, match.name, match.status)
  local kind = step.kind == "add" and step.unpack ~= false and archive_kind(tree, match.name)
  if kind then
    step.archives[#step.archives + 1] = { name = base, kind = kind }
    return put(taken, "a/" .. #step.archives, entry)
  end
  put(taken, (step.is_directory and "d/" or "f/") .. base, entry)
end

-- --parents: the place below the context, or below "/./" in the source, is kept, with the directories on the way.
local function take_with_parents(tree, step, source, taken)
  local base, rest = source:match("^(.-)/%./(.*)$")
  local _, from = look(tree, clean(base or ""))
  from = from or clean(base or "")
  local pattern = clean(rest or source)
  local compiled, message = ignore.compile { pattern }
  if not compiled then refuse(("%q: %s"):format(source, message)) end
  local held, count = {}, 0
  walk(tree, { from = from, shown = "" }, { count = 0, entry = function(shown, place, status)
    if status.type == "directory" then held[shown] = entry_of(tree, place, status) end
    if (pattern ~= "." and not ignore.matches(compiled, shown)) or is_excluded(step, shown) then return end
    count = count + 1
    put(taken, "d/" .. shown, entry_of(tree, place, status))
    for at in shown:gmatch("()/") do
      local parent = shown:sub(1, at - 1)
      if not taken["d/" .. parent] then put(taken, "d/" .. parent, held[parent]) end
    end
  end })
  if count == 0 then not_found(tree, source) end
end

local function matches_of(tree, step)
  local matches = {}
  for _, source in ipairs(step.parents and {} or step.sources) do
    for _, name in ipairs(places(tree, source)) do
      matches[#matches + 1] = match_of(tree, source, name)
    end
  end
  return matches
end

local function take_inline(step, taken)
  for _, file in ipairs(step.inline or {}) do
    put(taken, (step.is_directory and "d/" or "f/") .. file.name, { type = "file", mode = FILE_MODE, data = file.content,
      size_bytes = #file.content })
  end
end

local function sorted(taken)
  local list = {}
  for _, name in ipairs(table_.keys(taken)) do list[#list + 1] = taken[name] end
  return list
end

--- What a step takes, by where it will lie. `step` gets `is_directory`, whether its target is one, and `archives`, those
--- that are to be unpacked; raises what cannot be done.
---@param tree holos.ContextTree
---@param step table  {kind, sources, inline, target, parents, exclude, unpack}
---@return holos.ContextEntry[]
function M.entries(tree, step)
  local matches, taken = matches_of(tree, step), {}
  step.archives, step.excluded = {}, err.check("--exclude", ignore.compile(step.exclude or {}))
  local count = #matches + #(step.inline or {}) + (step.parents and 2 or 0) + (step.others or 0)
  step.is_directory = step.target:sub(-1) == "/" or step.parents or false
  if count > 1 and not step.is_directory then
    refuse(("%s has several sources; their target %q is a directory, and ends with /"):format(step.kind:upper(), step.target))
  end
  for _, source in ipairs(step.parents and step.sources or {}) do take_with_parents(tree, step, source, taken) end
  for _, match in ipairs(matches) do
    if match.status.type == "directory" then
      take_directory(tree, step, match.place, taken)
      step.is_directory = true
    else
      take_file(tree, step, match, taken)
    end
  end
  take_inline(step, taken)
  step.excluded = nil
  return sorted(taken)
end

return M
