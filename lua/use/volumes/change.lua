--- volumes rm and resize. Effects through run/*; prints nothing.
local change = require "holos.use.change"
local err = require "holos.core.err"
local expired = require "holos.use.expired"
local journal = require "holos.run.journal"
local lazy = require "holos.core.lazy"
local project = require "holos.run.project"
local record_ = require "holos.run.record"
local recorded = require "holos.use.recorded"
local table_ = require "holos.core.table"
local taken = lazy "holos.use.volumes.taken"
local trash = require "holos.run.trash"
local units = require "holos.core.units"
local volume = lazy "holos.run.volume"
local volume_ = lazy "holos.plan.reconcile.volume"
local volumes = require "holos.use.volumes"

local M = {}

-- "db-0", "db-0 of project shop"
local function who(context, user)
  return user.project == context.name and user.instance or ("%s of project %s"):format(user.instance, user.project)
end

local function names_of(context, users)
  return table.concat(table_.map(users, function(user) return who(context, user) end), ", ")
end

-- "holos stop -p shop db web", for the first project that has one.
local function command(verb, users)
  local services = {}
  for _, user in ipairs(users) do services[user.service] = user.project == users[1].project or nil end
  return ("holos %s -p %s %s"):format(verb, users[1].project, table.concat(table_.keys(services), " "))
end

local function refuse(message, code, hint)
  err.raise { message = message, code = code, exit = 3, hint = hint }
end

--- Raises when machines that run have a volume.
---@param row holos.VolumeRow
---@param what string  "be removed"
function M.refuse_running(context, row, what)
  local running = table_.filter(row.users, function(user) return user.running end)
  if #running == 0 then return end
  refuse(("volume %s cannot %s: %s has it and runs"):format(row.name, what, names_of(context, running)), "EBUSY",
    "first: " .. command("stop", running))
end

-- Whoever mounts it would not start again without it.
local function refuse_used(context, row)
  for _, user in ipairs(row.users) do
    if user.is_protected then
      refuse(("volume %s is of %s, which is protected (protect: true)"):format(row.name, who(context, user)), "EPROTECTED",
        "nothing was changed; take `protect` out of the file and run `holos up` first")
    end
  end
  M.refuse_running(context, row, "be removed")
  if #row.users == 0 or row.state == "damaged" then return end
  refuse(("volume %s cannot be removed: %s cannot start without it"):format(row.name, names_of(context, row.users)), "EBUSY",
    "take it out of the file and run `holos up`, or first: " .. command("rm", row.users))
end

--- The locks of all machines that have a volume, so that nobody starts one meanwhile; let go with its scope.
---@param rows holos.VolumeRow[]
function M.hold_users(context, talk, rows)
  local users, held = {}, {}
  for _, row in ipairs(rows) do
    for _, user in ipairs(row.users) do users[user.project .. "/" .. user.instance] = user end
  end
  local closer = setmetatable(held, { __close = function()
    for _, lock in ipairs(held) do lock:close() end
  end })
  local ok, problem = pcall(function()
    for _, user in table_.sorted_pairs(users) do
      local at = setmetatable({ name = user.project }, { __index = context })
      held[#held + 1] = change.take_instance_lock(at, talk, user.instance)
    end
  end)
  if ok then return closer end
  getmetatable(closer).__close()
  error(problem, 0)
end

local function require_all(context, names)
  return table_.map(names, function(name) return volumes.one(context, name) end)
end

local function take(context, names, batch)
  local world, state, record = context.world, context.state, context.record
  volume.require_free(world, state, context.name, names)
  for _, name in ipairs(names) do
    record.volumes[name] = record.volumes[name] or {}
    record.volumes[name].desired = "removed"
  end
  record_.save(world, state, record)
  for _, name in ipairs(names) do
    trash.take_volume(world, state, context.name, name, batch)
    record.volumes[name] = nil
    journal.append(world, state, context.name, { type = "volume.removed", volume = name })
  end
end

local function drop_when_empty(context)
  if next(context.record.instances) or next(context.record.volumes) then return false end
  project.remove(context.world, context.state, context.name)
  context.is_dropped = true
  return true
end

--- Moves volumes that nobody has to the trash; all of them or none.
---@param names string[]
---@return string batch  the directory in the trash
function M.remove(context, names, talk)
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  local rows = require_all(context, names)
  local _users <close> = M.hold_users(context, talk, rows)
  rows = require_all(context, names)
  for _, row in ipairs(rows) do refuse_used(context, row) end
  expired.sweep(context, talk, context.record)
  local _saved <close> = change.saved_at_end(context, context.record, talk)
  local batch = trash.open_batch(context.world, context.state, context.record)
  local _closed <close> = setmetatable({}, { __close = function() trash.close_batch(context.world, batch) end })
  take(context, names, batch)
  if drop_when_empty(context) then change.clear(context) end
  return batch
end

-- Who asks for fewer bytes has meant another unit.
local LEAST_WITHOUT_UNIT = 1 << 20

--- The size that a word asks for: "20G", or "+5G" more than now.
---@return integer bytes
function M.wanted_size(word, now_bytes)
  local more, size = word:match("^(%+?)(.+)$")
  local bytes, message = units.parse_bytes(size or "")
  if not bytes then
    err.raise { message = ("%q: %s"):format(word, message or "expected a size, such as 20G or +5G"), exit = 64 }
  end
  if size:find("^%d+$") and bytes < LEAST_WITHOUT_UNIT then
    err.raise { message = ("%q: a number without a unit counts bytes"):format(word), exit = 64, hint = "20G, or +5G" }
  end
  bytes = more == "+" and now_bytes + bytes or bytes
  return (bytes + 511) // 512 * 512
end

local function refuse_smaller(row, bytes)
  if bytes >= row.size_bytes then return end
  refuse(("volume %s has %s, and %s is less: a volume never becomes smaller"):format(row.name,
    units.write_bytes(row.size_bytes), units.write_bytes(bytes)), "ESHRINK",
    "a smaller one is a new one: copy what is in it, inside a machine that mounts both")
end

-- What can never be undone, and what the host could never hold.
local function refuse_huge(context, row, bytes)
  local space = context.world.fs.space(context.state.root)
  if context.options.yes or not space or bytes <= math.max(space.total_bytes, row.size_bytes) then return end
  refuse(("volume %s: %s is more than all of the host's file system, which has %s, and volumes never become smaller"):format(
    row.name, units.format_bytes(bytes), units.format_bytes(space.total_bytes)), "EHUGE", "nothing was changed; if it is meant: -y")
end

-- Where the file in reach says less.
local function line_of(context, name, bytes)
  local file = taken.project_of_file(context)
  local wanted = file and volume_.kept(file)[name]
  if not wanted or not wanted.is_sized or wanted.size_bytes >= bytes then return nil end
  return file.marks[("volumes.%s.size"):format(wanted.key)] or file.marks["volumes." .. wanted.key]
end

-- The machine that can go on while the volume becomes larger; raises when one that runs only reads it.
local function holder_of(context, row)
  for _, user in ipairs(row.users) do
    if user.running and not user.read_only and user.project == context.name then return user.instance end
  end
  M.refuse_running(context, row, "grow now")
end

--- Makes a volume larger, also below a machine that runs. Otherwise the file system in it follows at the next start.
---@param word string  as of wanted_size
---@return {from_bytes: integer, to_bytes: integer, holder: string?, result: string, where: string?}  where: a file says less
function M.resize(context, name, word, talk)
  local world, state = context.world, context.state
  local _held <close> = change.begin(context, talk)
  recorded.reload(context, talk)
  local row = volumes.one(context, name)
  if row.state == "damaged" then err.raise { message = ("volume %s: %s"):format(name, row.problem), code = "EDAMAGED" } end
  local bytes = M.wanted_size(word, row.size_bytes)
  refuse_smaller(row, bytes)
  refuse_huge(context, row, bytes)
  local holder = holder_of(context, row)
  local entry = context.record.volumes[name] or {}
  context.record.volumes[name], entry.size_bytes, entry.made = entry, bytes, true
  entry.is_growing = holder and true or entry.is_growing
  record_.save(world, state, context.record)
  local _saved <close> = change.saved_at_end(context, context.record, talk)
  local job = { state = state, record = context.record, warn = talk.warn,
    take_lock = function(instance) return change.take_instance_lock(context, talk, instance) end }
  local result = volume.grow(world, job, { volume = name, size_bytes = bytes, holder = holder })
  return { from_bytes = row.size_bytes, to_bytes = bytes, holder = holder, result = result,
    where = line_of(context, name, bytes) }
end

return M
