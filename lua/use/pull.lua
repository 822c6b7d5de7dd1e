--- pull: images of names into the store, several at a time. Effects: through run/images.
local catalogue = require "holos.image.catalogue"
local catalogue_ = require "holos.use.catalogue"
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local layers = require "holos.run.images.layers"
local path = require "holos.core.path"
local pull = require "holos.run.images.pull"
local recipe = lazy "holos.image.recipe"
local reference = require "holos.image.reference"
local resolve = require "holos.use.resolve"
local store = require "holos.run.images.store"
local table_ = require "holos.core.table"
local task = require "holos.core.task"
local text_ = require "holos.core.text"

local M = {}

M.PARALLEL = 4
--- What a host without a network meets.
M.OFFLINE = { ERESOLVE = true, ECONNECT = true, ETIMEDOUT = true, EPROXY = true, ECONNRESET = true, ETRUNCATED = true }
local NO_AUTHORITIES = "servers are checked by the certificates that the package ca-certificates brings, "
  .. "or those in the file that HOLOS_CA_FILE names"

local function usage(message, hint) err.raise { message = message, code = "EUSAGE", exit = 64, hint = hint } end

--- What is to be fetched for a text; raises when it names nothing that can be.
---@param known table  of image/catalogue
---@return {text: string, key: string, shown: string, entry: holos.ImageEntry?, digest: string?, image: holos.Image?} wanted
---  key: in holos.lock; image: of this host alone, which nobody can fetch
function M.wanted(world, state, known, text)
  local named, message, hint = reference.parse(text)
  if not named then usage(message, hint) end
  if named.kind == "path" then usage(("%s is a file: there is nothing to fetch"):format(text)) end
  if named.kind == "digest" then usage("a digest alone does not say where to fetch it", "name it: debian:12@" .. text) end
  if named.kind == "url" then
    local entry = pull.entry_of_url(named)
    return { text = text, key = named.url, shown = path.base(reference.show(named.url)), entry = entry,
      digest = named.digest }
  end
  local entry, reason, help = catalogue.find(known, named.name, named.tag, world.host.architecture())
  local own = not entry and store.find(world, state, named)
  if own then return { text = text, key = resolve.key(named), shown = resolve.key(named), image = own } end
  if not entry then
    err.raise { message = ("%s: %s"):format(text, reason), code = "ENOIMAGE", hint = help }
  end
  local shown = entry.name .. ":" .. entry.tag
  return { text = text, key = shown, shown = shown, entry = entry, digest = named.digest }
end

-- Two names for one image are one download.
local function without_doubles(list)
  local seen, kept = {}, {}
  for _, wanted in ipairs(list) do
    local key = wanted.key .. (wanted.digest or "")
    if not seen[key] then kept[#kept + 1] = wanted end
    seen[key] = true
  end
  return kept
end

local function fetch(world, state, wanted, options, talk)
  local image, how = pull.pull(world, state, wanted.entry, { newest = options.newest or wanted.newest, is_signed = options.signed,
    digest = wanted.digest, url = wanted.url, say = talk.say, no_wait = options.no_wait, lock_timeout_ms = options.lock_timeout,
    progress = function(at) talk.progress(wanted.shown, at) end })
  talk.done(wanted.shown, image, how)
  return image
end

--- The image that what is wanted means here, nil where there is none.
function M.here(world, state, wanted)
  local entry = wanted.entry
  return store.find(world, state, { kind = entry.name and "name" or "url", name = entry.name, tag = entry.tag, url = entry.url,
    digest = wanted.digest })
end

-- What else there is to do about an image that did not come.
local function advice(wanted, problem)
  if problem.code == "ETLS" then return NO_AUTHORITIES end
  if not M.OFFLINE[problem.code] then return nil end
  local has_recipe = wanted.entry.name and recipe.all[wanted.entry.name]
  return ("no network? take it in from a file: holos images import FILE%s%s"):format(
    wanted.entry.name and " " .. wanted.key or "", has_recipe and "; or make one: holos images build " .. wanted.entry.name or "")
end

-- One failure does not keep the others from coming.
local function attempt(world, state, wanted, options, talk)
  wanted.image = wanted.image or options.only_missing and M.here(world, state, wanted) or nil
  if wanted.image then
    talk.done(wanted.shown, wanted.image, "present")
    return { wanted = wanted, image = wanted.image }
  end
  local ok, result = pcall(fetch, world, state, wanted, options, talk)
  if ok then return { wanted = wanted, image = result } end
  if not err.is_failure(result) then error(result, 0) end
  result.hint = result.hint or advice(wanted, result)
  return { wanted = wanted, problem = result, is_told = talk.failed(wanted.shown, result) }
end

--- Fetches all that is wanted, and gives what came of each in its place. Raises nothing that one of them alone has met.
---@param list table[]  of M.wanted
---@param options {newest: boolean?, signed: boolean?, parallel: integer?, only_missing: boolean?, no_wait: boolean?,
---  lock_timeout: integer?}
---@param talk {say: fun(text), progress: fun(name, state), done: fun(name, image, how),
---  failed: fun(name, problem): boolean}  failed: whether the problem has been told by that
---@return {wanted: table, image: holos.Image?, problem: holos.Error?, is_told: boolean?}[]
function M.all(world, state, list, options, talk)
  for _, problem in ipairs((layers.problems(world))) do talk.say(problem) end -- why it is not here
  return task.map(without_doubles(list), options.parallel or M.PARALLEL, function(wanted)
    return attempt(world, state, wanted, options, talk)
  end)
end

--- Whether an image came from an address where something else will be one day.
function M.is_moving(wanted, image)
  local latest = wanted.entry and wanted.entry.latest
  return latest ~= nil and latest.url == image.source.url and latest.url ~= wanted.entry.url
end

-- What servers say may be in it, also what names their lists have.
local function harmless(message) return (text_.escape_terminal(message):gsub("\n", " ")) end

--- Raises what kept any of them from coming.
function M.require_all(results)
  local problems = {}
  for _, result in ipairs(results) do
    if result.problem then problems[#problems + 1] = result end
  end
  if #problems == 0 then return end
  local problem, shown = problems[1].problem, problems[1].wanted.shown
  local what = #problems > 1 and ("%d of %d images"):format(#problems, #results) or shown
  local said = what .. " could not be fetched"
  if not problems[1].is_told then
    said = ("%s: %s%s"):format(said, #problems > 1 and shown .. ": " or "", harmless(problem.message))
  end
  err.raise { code = problem.code, exit = problem.exit, message = said,
    hint = problem.hint and text_.escape_terminal(problem.hint) }
end

--- The names of `words`, of a project's services where a word is one, or of all of them.
---@param services table<string, table>?  of the project in reach
---@param words string[]
---@return string[] texts
function M.names(services, words)
  local texts = {}
  for _, word in ipairs(words) do
    local service = services and services[word]
    if service and not (service.image and service.image.name) then
      usage(("the image of the service %s is no name"):format(word), "files are there, and nothing fetches them")
    end
    texts[#texts + 1] = service and service.image.name or word
  end
  return texts
end

--- The images of all services that start, each once; files are there or they are not.
---@return string[] texts
function M.of_services(services)
  local texts, seen = {}, {}
  for _, name in ipairs(table_.keys(services)) do
    local image = services[name].is_enabled ~= false and services[name].image
    local text = image and image.name
    if text and not seen[text] then texts[#texts + 1], seen[text] = text, true end
  end
  return texts
end

--- What holos.lock calls the images of services that do not start, as their profile is not asked for.
---@return table<string, boolean>
function M.dormant(world, services)
  local names, known = {}, nil
  for _, service in pairs(services) do
    local named = service.is_enabled == false and service.image and reference.parse(service.image.name or "")
    if named then
      known = known or M.catalogue(world)
      names[resolve.key(named, (resolve.entry(world, named, known))) or named.digest] = true
    end
  end
  return names
end

--- The catalogue of this host.
function M.catalogue(world) return catalogue_.load(world) end

return M
