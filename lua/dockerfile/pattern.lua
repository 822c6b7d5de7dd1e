--- Patterns of ${name#pattern} and its like: "*" is any text, "?" any character, "\" takes both their meaning. Pure.
--
-- A pattern is a list of blocks with a "*" between each two. As a block matches texts of one length in characters only,
-- the earliest place for each in turn is the best one, and nothing is ever tried twice: no pattern is slow by its shape.

local M = {}

local ANY = {} -- one character

-- Marks that "\" makes literal: "}" and "/" end the parts of a substitution.
local ESCAPABLE = { ["*"] = true, ["?"] = true, ["\\"] = true, ["}"] = true, ["/"] = true }

local function add_text(block, text)
  local last = #block
  if type(block[last]) == "string" then block[last] = block[last] .. text else block[last + 1] = text end
end

---@return table? blocks
---@return string? message
function M.parse(pattern)
  local blocks, block, at = {}, {}, 1
  blocks[1] = block
  while at <= #pattern do
    local stop = pattern:find("[*?\\]", at) or #pattern + 1
    if stop > at then add_text(block, pattern:sub(at, stop - 1)) end
    local char, following = pattern:sub(stop, stop), pattern:sub(stop + 1, stop + 1)
    at = stop + 1
    if char == "*" then
      block = {}
      blocks[#blocks + 1] = block
    elseif char == "?" then
      block[#block + 1] = ANY
    elseif char == "\\" then
      if not ESCAPABLE[following] then return nil, ("invalid escape \\%s in the pattern %q"):format(following, pattern) end
      add_text(block, following)
      at = at + 1
    end
  end
  return blocks
end

-- Behind the character at a position; in a reversed text its bytes come last first.
local function after_character(subject, at)
  local byte = subject:byte(at)
  if byte < 0x80 then return at + 1 end
  if byte >= 0xC0 then return subject:match("^.[\x80-\xBF]*()", at) end
  return subject:match("^[\x80-\xBF]*[\xC0-\xFF]()", at) or at + 1
end

-- Behind a block that stands at a position; nil when it does not.
local function after_block(subject, at, block, budget)
  budget.steps = budget.steps - 1
  for _, item in ipairs(block) do
    if item == ANY then
      if at > #subject then return nil end
      at = after_character(subject, at)
    else
      if subject:sub(at, at + #item - 1) ~= item then return nil end
      at = at + #item
    end
    budget.steps = budget.steps - 1 - (#item >> 6)
  end
  return at
end

-- Begins of characters: a "?" never stands for half of one.
local function next_start(subject, at)
  return at <= #subject and after_character(subject, at) or at + 1
end

-- Where a text stands, not before `at`. Not even begun when the worst case of it is more than what the budget has left.
local function find_text(subject, at, text, budget)
  local width = #subject - at
  if width * #text >> 11 > budget.steps and width > 0 then
    budget.steps = 0
    return nil
  end
  local found = subject:find(text, at, true)
  budget.steps = budget.steps - 1 - (math.max((found or #subject) - at, 0) * #text >> 11)
  return found
end

-- Where a block stands first, not before `at`, and where it ends.
local function find_block(subject, at, block, budget)
  if #block == 0 then return at, at end
  local first = block[1]
  while at <= #subject + 1 and budget.steps > 0 do
    if first ~= ANY then
      at = find_text(subject, at, first, budget)
      if not at then return nil end
    end
    local stop = after_block(subject, at, block, budget)
    if stop then return at, stop end
    at = next_start(subject, at)
  end
end

-- The last place of a block, not before `at`: where it ends.
local function last_end(subject, at, block, budget)
  if #block == 0 then return #subject + 1 end
  local stop
  while true do
    local from, behind = find_block(subject, at, block, budget)
    if not from then return stop end
    stop, at = behind, next_start(subject, from)
  end
end

-- Where the match that begins at `at`, behind whose first block `stop` is, ends.
local function match_rest(subject, stop, blocks, is_longest, budget)
  for position = 2, #blocks do
    if position == #blocks and is_longest then
      stop = last_end(subject, stop, blocks[position], budget)
    else
      stop = select(2, find_block(subject, stop, blocks[position], budget))
    end
    if not stop then return nil end
  end
  return stop
end

local function reversed(blocks)
  local result = {}
  for position, block in ipairs(blocks) do
    local turned = {}
    for place, item in ipairs(block) do turned[#block - place + 1] = item == ANY and ANY or item:reverse() end
    result[#blocks - position + 1] = turned
  end
  return result
end

--- `subject` without what the pattern matches at its start.
---@param is_longest boolean  the most that matches, else the least
---@param budget {steps: integer}  counted down; what is found with none left means nothing
function M.trim_start(subject, blocks, is_longest, budget)
  local stop = after_block(subject, 1, blocks[1], budget)
  stop = stop and match_rest(subject, stop, blocks, is_longest, budget)
  return stop and subject:sub(stop) or subject
end

--- The same for its end.
function M.trim_end(subject, blocks, is_longest, budget)
  budget.steps = budget.steps - (#subject >> 6)
  return M.trim_start(subject:reverse(), reversed(blocks), is_longest, budget):reverse()
end

local function find(subject, at, blocks, budget)
  local from, stop = find_block(subject, at, blocks[1], budget)
  stop = from and match_rest(subject, stop, blocks, true, budget)
  if stop then return from, stop end
end

--- `subject` with `replacement` where the pattern matches, once or everywhere.
function M.replace(subject, blocks, replacement, is_everywhere, budget)
  local parts, at, done = {}, 1, nil
  while at <= #subject + 1 and budget.steps > 0 do
    local from, stop = find(subject, at, blocks, budget)
    if not from then break end
    if from == stop and from == done then -- nothing, directly behind a match: that is no further one
      stop = next_start(subject, from)
      parts[#parts + 1] = subject:sub(at, stop - 1)
    else
      parts[#parts + 1] = subject:sub(at, from - 1)
      parts[#parts + 1] = replacement
      budget.bytes = budget.bytes - #replacement
      done = stop
    end
    at = stop
    if not is_everywhere or budget.bytes < 0 then break end
  end
  parts[#parts + 1] = subject:sub(at)
  return table.concat(parts)
end

return M
