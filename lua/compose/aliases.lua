--- How much the aliases of a document would add, told from its events before anything is copied. Pure.
--
-- A "billion laughs" is a few hundred events and refused in microseconds, whatever it would grow to.

local M = {}

-- What each kind of event adds to the sizes; see holos.compose.document for the kinds.
local PLAIN, QUOTED, ALIAS, END, DOCUMENT = 0, 1, 2, 5, 6

-- The size of a finished value goes to the container around it, and to the anchor that names it.
local function add(walk, size, anchor)
  if anchor then walk.sizes[anchor] = size end
  walk.stack[walk.depth] = walk.stack[walk.depth] + size
end

local function open(walk, anchor)
  walk.depth = walk.depth + 1
  walk.stack[walk.depth], walk.anchors[walk.depth] = 1, anchor or false
end

local function close(walk)
  local size, anchor = walk.stack[walk.depth], walk.anchors[walk.depth]
  walk.depth = walk.depth - 1
  add(walk, size, anchor or nil)
end

--- The position of the first alias with which all aliases together stand for more than `limit` values; nil when they
--- never do.
---@param events table  as from sys.yaml.parse
---@return integer? index
function M.first_beyond(events, limit)
  if next(events.anchors) == nil then return nil end
  local walk = { sizes = {}, stack = { [0] = 0 }, anchors = {}, depth = 0 }
  local copied = 0
  for index, head in ipairs(events.heads) do
    local kind = head & 7
    if kind == PLAIN or kind == QUOTED then
      add(walk, 1, events.anchors[index])
    elseif kind == ALIAS then
      local size = walk.sizes[events.texts[index]] or 1
      copied = copied + size
      if copied > limit then return index end
      add(walk, size)
    elseif kind == END then
      close(walk)
    elseif kind ~= DOCUMENT then
      open(walk, events.anchors[index])
    end
  end
end

return M
