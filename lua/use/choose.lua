--- Words of a command line that name instances: "web", "web-0". Pure.
local err = require "holos.core.err"
local table_ = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

local function candidates(record)
  local names = {}
  for name, entry in pairs(record.instances) do names[name], names[entry.spec.service] = true, true end
  return table_.keys(names)
end

local function unknown(record, word)
  local names = candidates(record)
  local near = text.nearest(word, names)
  err.raise { message = ("project %s has no service or instance %q"):format(record.name, word), code = "ENOENT",
    unknown_word = word, hint = near and ("did you mean %q?"):format(near) or #names > 0 and "it has: " .. table.concat(names, " ")
      or "it has none; holos up makes what is in its file" }
end

--- The instances of a record that `words` name (services or instances); all of them without words.
---@return table<string, boolean> chosen
function M.instances(record, words)
  local chosen = {}
  for name in pairs(record.instances) do chosen[name] = #words == 0 or nil end
  for _, word in ipairs(words) do
    local found = false
    for name, entry in pairs(record.instances) do
      if name == word or entry.spec.service == word then chosen[name], found = true, true end
    end
    if not found then unknown(record, word) end
  end
  return chosen
end

--- The one instance that `word` names: an instance, or a service with a single one.
---@return string name
function M.instance(record, word)
  if record.instances[word] then return word end
  local names = table_.keys(M.instances(record, { word }))
  if #names == 1 then return names[1] end
  err.raise { message = ("service %s has %d instances"):format(word, #names), code = "EAMBIGUOUS", exit = 64,
    hint = "name one: " .. table.concat(names, " ") }
end

--- Splits the words of exec, console: an instance, then the rest. Without an instance a project with one is enough.
---@return string name
---@return string[] rest
function M.instance_and_rest(record, words)
  local names = table_.keys(record.instances)
  if words[1] then return M.instance(record, words[1]), { table.unpack(words, 2) } end
  if #names == 1 then return names[1], {} end
  err.raise { message = "which instance?", code = "EAMBIGUOUS", exit = 64, hint = "one of: " .. table.concat(names, " ") }
end

return M
