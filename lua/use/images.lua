--- Images that a project starts from by name: whether they are here, and that they stay while a record comes to name them.
--- Effects through run/*; prints nothing.
local err = require "holos.core.err"
local fetch = require "holos.use.fetch"
local host = require "holos.compose.rules.host"
local lazy = require "holos.core.lazy"
local manifest = lazy "holos.image.manifest"
local image_ = lazy "holos.plan.image"
local reference = lazy "holos.image.reference"
local resolve = lazy "holos.use.resolve"
local select_ = require "holos.use.select"
local store = lazy "holos.run.images.store"
local table_ = require "holos.core.table"

local M = {}

--- The images of enabled services that are not in the store, each once; as of fetch.named.
---@param services table<string, boolean>?  only of these
function M.missing(project, services)
  return table_.filter(fetch.named(project, services), function(item) return not item.image.path end)
end

local function where_of(project, service) return project.marks[("services.%s.image"):format(service)] end

--- Raises the images that are not here, for commands that fetch nothing.
---@param services table<string, boolean>?  only of these
function M.require_here(project, services)
  local findings = {}
  for _, missing in ipairs(M.missing(project, services)) do
    local shown = image_.name(missing.image)
    local file, line, column = (where_of(project, missing.services[1]) or ""):match("^(.*):(%d+):(%d+)$")
    findings[#findings + 1] = { path = ("services.%s.image"):format(missing.services[1]), file = file, line = line,
      column = column, message = ("%s is not in the image store"):format(shown),
      hint = ("fetch it: holos pull %s, or take it in from a file: holos images import FILE %s"):format(
        missing.name:find("?", 1, true) and missing.services[1] or missing.name, shown) }
  end
  if #findings > 0 then err.findings(findings) end
end

-- What the file asks for, held against images that have come here since it was loaded.
local function require_room(project)
  local findings = {}
  host.check_disks(project, function(_, message, hint) findings[#findings + 1] = { message = message, hint = hint } end,
    { written = function(name, which) return { "services", name, which } end,
      image_bytes = function(path) return project.image_bytes[path] end })
  if #findings > 0 then err.findings(findings) end
end

--- Looks at the images of a project anew: tags may have come or moved since it was loaded.
function M.look_again(context)
  local project = context.project
  local find = resolve.finder(context.world, context.state, project.directory)
  project.image_bytes = {}
  for _, name in ipairs(project.order) do
    local image = project.services[name].image
    if image and image.name then
      local found = find(image.name) or {}
      -- The system may be what the file says, which goes before what is known; tags do not move from one to another.
      for key, value in pairs(found) do image[key] = key == "os" and image.os or value end
      if found.path then project.image_bytes[found.path] = found.virtual_bytes end
    end
  end
  require_room(project)
end

local SILENT = { say = function() end, progress = function() end, done = function() end, failed = function() end }

-- What is to be fetched for some services; raises what is not here and may not be fetched, or not be had.
local function to_fetch(context, services)
  if context.options.locked then fetch.require_locked(context, services) end
  local list, fetched, lacking = fetch.list(context, services), {}, {}
  for _, wanted in ipairs(list) do fetched[wanted.text] = true end
  for _, missing in ipairs(M.missing(context.project, services)) do
    if not fetched[missing.name] then lacking[missing.services[1]] = true end
  end
  M.require_here(context.project, lacking)
  return list
end

--- Sees to it that the images of what is to be planned are here: fetches those that are not, and newer ones where their policy
--- asks for them; all of them, or none is planned.
---@param words string[]  services; none = all
---@param talk {transfers: (fun(): table)?}  what downloads are told through, as of use/pull
function M.ensure(context, words, talk)
  local list = to_fetch(context, select_.services(context.project, words, context.options))
  if #list == 0 then return end
  fetch.run(context, list, talk.transfers and not context.options.quiet_pull and talk.transfers() or SILENT)
  M.look_again(context)
end

--- Adds to a plan that is only shown what is fetched first.
---@param words string[]  services; none = all
function M.foresee(context, plan, words)
  local services = select_.services(context.project, words, context.options)
  for position, wanted in ipairs(to_fetch(context, services)) do
    local from = " from " .. reference.host(wanted.url or wanted.entry.url)
    local said = wanted.is_missing and ("is to be fetched%s first"):format(from) or ("is asked for anew%s first"):format(from)
    local exact = wanted.digest and ": " .. manifest.short(wanted.digest) .. (wanted.is_locked and " (holos.lock)" or "") or ""
    table.insert(plan.rows, position, { mark = "·", name = wanted.shown, text = said .. exact,
      where = where_of(context.project, wanted.services[1]) })
  end
end

-- How the store's lock is waited for.
local function lock_options(context, talk)
  return { timeout_ms = context.options.lock_timeout, no_wait = context.options.no_wait,
    on_wait = function(owner) talk.notice(("waiting for the image store (held by %s)"):format(owner)) end }
end

--- Holds the store's lock while a record is written that names images, so that none of them is removed in between; raises when
--- one that new disks are to rest on is gone.
---@param intents table<string, holos.Intent>
---@param is_new fun(name: string): boolean  whether the disk of an instance is still to be made
---@param talk {notice: fun(text: string)}
---@return table? lock  let go by <close>
function M.hold(context, intents, is_new, talk)
  local digests = {}
  for name, intent in pairs(intents) do
    local image = intent.spec.image
    if image.digest then digests[image.digest] = digests[image.digest] or is_new(name) and image or false end
  end
  if not next(digests) then return nil end
  local held = store.lock(context.world, context.state, lock_options(context, talk))
  for digest, image in pairs(digests) do
    if image and not store.of_digest(context.world, context.state, digest) then
      held:release()
      err.raise { message = ("%s was removed by another command"):format(image_.exact(image)), code = "ENOIMAGE",
        hint = "nothing was changed; run it again" }
    end
  end
  return held
end

--- The same while machines come back from the trash: until their disks are in their place again, nobody removes what these
--- rest on. A base that is gone by then is told, and keeps nothing else from coming back.
---@param record holos.Record  as it will be
---@param names string[]       of the instances that come back
---@param talk {notice: fun(text: string)}
---@return table? lock  let go by <close>
function M.hold_restored(context, record, names, talk)
  local world, state = context.world, context.state
  local of = {}
  for _, name in ipairs(names) do
    local image = record.instances[name] and record.instances[name].spec.image
    if image and image.digest then of[name] = image end
  end
  if not next(of) then return nil end
  local held = store.lock(world, state, lock_options(context, talk))
  for name, image in table_.sorted_pairs(of) do
    if not store.of_digest(world, state, image.digest) then
      talk.notice(("%s: its base %s is gone; the disk is put back, and needs just this one"):format(name, image_.exact(image)))
    end
  end
  return held
end

return M
