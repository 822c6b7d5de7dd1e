--- Answers to what only the user may decide: what becomes of a disk whose image or first steps the file no longer names.
--- They come from the command line or from a person at a terminal. Pure.
local err = require "holos.core.err"
local table_ = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

--- The answers there are, in the order in which they are offered, and what each comes to.
M.ANSWERS = { "reprovision", "keep", "recreate" }
M.MEANING = {
  reprovision = "run all steps again, on the present disks",
  keep = 'leave disks and first steps as they are (ps shows "config changed")',
  recreate = "new disks from %s (old ones go to the trash)",
}

--- What stands for all services in the answers.
M.ALL = ""

--- Answers by kind, each the set of services and instances that it was given for.
---@class holos.Consent
---@field reprovision table<string, boolean>
---@field keep        table<string, boolean>
---@field recreate    table<string, boolean>
---@field force       table<string, boolean>  what gets a new disk though nothing asks for one

--- No answers at all.
---@return holos.Consent
function M.none() return { reprovision = {}, keep = {}, recreate = {}, force = {} } end

local function usage(message, hint) err.raise { message = message, code = "EUSAGE", exit = 64, hint = hint } end

local function refuse_unknown(kind, word, known)
  local near = text.nearest(word, table_.keys(known))
  usage(("--%s=%s: there is no such service or instance"):format(kind, word),
    near and ("did you mean %q?"):format(near) or "there are: " .. table.concat(table_.keys(known), " "))
end

local function refuse_both(consent)
  local chosen = {}
  for _, kind in ipairs(M.ANSWERS) do
    for word in pairs(consent[kind]) do
      if chosen[word] then
        usage(("--%s and --%s are both given for %s"):format(chosen[word], kind, word == M.ALL and "all services" or word))
      end
      chosen[word] = kind
    end
  end
end

-- "web,db-0" → web, db-0
local function words_of(list)
  local words = {}
  for word in list:gmatch "[^,]+" do words[#words + 1] = word end
  return #words > 0 and words or { M.ALL }
end

-- --force-recreate, which spares whom another option names.
local function force(consent, words)
  for _, word in ipairs(#words > 0 and words or { M.ALL }) do
    for _, kind in ipairs { "keep", "reprovision" } do
      if consent[kind][word] then
        usage(("--force-recreate and --%s are both given for %s"):format(kind, word == M.ALL and "all services" or word))
      end
    end
    consent.force[word] = true
  end
end

--- The answers that a command line holds.
---@param options table  reprovision, keep, recreate: words, M.ALL for all; force_recreate, no_recreate
---@param known table<string, any>  the names that can be meant: services and instances
---@param words string[]  the services the command is about; none = all
---@return holos.Consent
function M.read(options, known, words)
  local consent = M.none()
  for _, kind in ipairs(M.ANSWERS) do
    for _, list in ipairs(options[kind] or {}) do
      for _, word in ipairs(words_of(list)) do
        if word ~= M.ALL and not known[word] then refuse_unknown(kind, word, known) end
        consent[kind][word] = true
      end
    end
  end
  if options.no_recreate and options.force_recreate then usage "--no-recreate and --force-recreate exclude each other" end
  if options.no_recreate then consent.keep[M.ALL] = true end
  refuse_both(consent)
  if options.force_recreate then force(consent, words) end
  return consent
end

--- Both kinds of answers together; those of `more` were given to questions, each for the instances that it was about.
---@param more table<string, string>  instance -> answer
function M.with(consent, more)
  local both = table_.copy(consent)
  for name, answer in pairs(more) do
    for _, kind in ipairs(M.ANSWERS) do both[kind][name] = kind == answer or nil end
  end
  return both
end

-- What was said of one word.
local function said_of(consent, word)
  for _, kind in ipairs(M.ANSWERS) do
    if consent[kind][word] then return kind end
  end
end

--- Whether an instance is to get a new disk though nothing asks for one; who is to keep his is named as closely, or closer.
function M.is_forced(consent, spec)
  for _, word in ipairs { spec.name, spec.service, M.ALL } do
    local said = said_of(consent, word)
    if said == "keep" or said == "reprovision" then return false end
    if consent.force[word] then return true end
  end
  return false
end

--- The answer for an instance; one for it alone goes before one for its service, that before one for all. One that does
--- not settle the matter is no answer, and what was said of more than it is none either.
---@param allowed string[]  the answers that would settle it
---@return string? answer
function M.answer(consent, spec, allowed)
  for _, word in ipairs { spec.name, spec.service, M.ALL } do
    local said = said_of(consent, word)
    if said then return table_.index_of(allowed, said) and said or nil end
  end
end

return M
