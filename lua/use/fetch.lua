--- Images that a project's file asks for by name: which are to be fetched before it is planned, and their fetching. Effects:
--- through use/pull.
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local locked = lazy "holos.use.locked"
local pull = lazy "holos.use.pull"
local pull_policy = lazy "holos.image.pull_policy"
local reference = lazy "holos.image.reference"
local resolve = lazy "holos.use.resolve"

local M = {}

-- The more is asked for, the higher.
local RANK = { never = 1, missing = 2, every = 3, always = 4 }

local function stronger(a, b)
  if not a or RANK[b.kind] > RANK[a.kind] then return b end
  if a.kind == "every" and b.kind == "every" and b.every_ms < a.every_ms then return b end
  return a
end

--- What `--pull`, or else the service says. Raises when the word is none.
---@param asked string?  --pull
---@return holos.PullPolicy
function M.policy(asked, service)
  local policy, message, hint = pull_policy.parse(asked or service.pull_policy, not asked and service.pull_refresh_after or nil)
  if policy then return policy end
  err.raise { message = "--pull: " .. message, code = "EUSAGE", exit = 64, hint = hint }
end

--- The images that enabled services name, each once.
---@param services table<string, boolean>?  only of these
---@return {name: string, image: table, services: string[]}[]
function M.named(project, services)
  local list, by_name = {}, {}
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    local image = service.is_enabled ~= false and (not services or services[name]) and service.image
    if image and image.name then
      local known = by_name[image.name]
      if not known then
        known = { name = image.name, image = image, services = {} }
        by_name[image.name], list[#list + 1] = known, known
      end
      table.insert(known.services, name)
    end
  end
  return list
end

-- The strongest of the policies of those that name an image.
local function policy_of(project, item, asked)
  local policy
  for _, name in ipairs(item.services) do policy = stronger(policy, M.policy(asked, project.services[name])) end
  return policy
end

-- When the store was told what the name means.
local function pulled_at(context, wanted)
  local image = pull.here(context.world, context.state, wanted)
  return image and image.source.pulled_at
end

-- Whether anything is asked of it, as far as that can be told without the catalogue.
local function is_asked(item)
  if not item.image.path then return item.policy.kind ~= "never" and reference.parse(item.name).kind ~= "digest" end
  return item.policy.kind == "always" or item.policy.kind == "every"
end

-- What is to be done for one image, nil when nothing is: what is pinned, here or in the lock, is never asked for anew.
local function wanted_of(context, item, known, lock)
  local wanted = pull.wanted(context.world, context.state, known, item.name)
  if wanted.image then return nil end
  local pin = not wanted.digest and locked.of(context.world, lock, wanted.key)
  if pin then wanted.digest, wanted.url, wanted.is_locked = pin.digest, pin.url, true end
  wanted.is_missing, wanted.policy, wanted.services = not item.image.path, item.policy, item.services
  wanted.newest = not wanted.digest and item.policy.kind ~= "missing"
    and pull_policy.is_due(item.policy, pulled_at(context, wanted), context.world.clock.utc_ms())
  return (wanted.is_missing or wanted.newest) and wanted or nil
end

--- What is to be fetched: what is not here, and what is due. Reads only.
---@param services table<string, boolean>?
---@return table[] list  as of pull.wanted, with is_missing, newest, policy, services
function M.list(context, services)
  local list, known, lock = {}, nil, nil
  for _, item in ipairs(M.named(context.project, services)) do
    item.policy = policy_of(context.project, item, context.options.pull)
    if is_asked(item) then
      if not known then
        known, lock = pull.catalogue(context.world), locked.read(context.world, context.project.directory)
      end
      list[#list + 1] = wanted_of(context, item, known, lock)
    end
  end
  return list
end

--- Raises what services name and holos.lock does not say.
function M.require_locked(context, services)
  local world, names = context.world, {}
  local lock = locked.read(world, context.project.directory)
  for _, item in ipairs(M.named(context.project, services)) do
    local named = reference.parse(item.name)
    if not named.digest then names[#names + 1] = resolve.key(named, (resolve.entry(world, named))) end
  end
  locked.require_all(world, context.project.directory, lock, names)
end

-- Who asks daily can do without for a day: an image that is here and could not be asked for today serves another day.
local function is_bearable(result)
  local wanted = result.wanted
  return not wanted.is_missing and wanted.policy.kind == "every" and pull.OFFLINE[result.problem.code] == true
end

--- Fetches them; raises when one that is needed did not come.
---@param list table[]  of M.list
---@param talk table  of command/transfers: say, progress, done, failed
function M.run(context, list, talk)
  if #list == 0 then return end
  local needed = {}
  local options = { no_wait = context.options.no_wait, lock_timeout = context.options.lock_timeout }
  for _, result in ipairs(pull.all(context.world, context.state, list, options, talk)) do
    if not result.problem or not is_bearable(result) then needed[#needed + 1] = result
    else talk.say(("%s: could not be asked for; the one that is here is used"):format(result.wanted.shown)) end
  end
  pull.require_all(needed)
end

return M
