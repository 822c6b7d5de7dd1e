--- Who uses which image: recorded machines, what the trash holds, and disks themselves. Effects: reads.
--
-- A use that is missed costs somebody a disk, so uses are not looked for where they ought to be written: any mention of an
-- image's digest in a record counts, also in one of a later version or a damaged one, and so does the name that a disk has
-- for what it rests on.
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"
local manifest = require "holos.image.manifest"

local M = {}

local MAX_BYTES = 64 << 20
local HEX = "%f[%x]" .. ("%x"):rep(64) .. "%f[%X]"

---@class holos.ImageUser
---@field project  string
---@field instance string?  nil where only the project's record names the image
---@field batch    string?  of the trash, when it lies there

local function add(uses, hex, user)
  uses[hex] = uses[hex] or {}
  for _, known in ipairs(uses[hex]) do
    local is_same = known.project == user.project and known.batch == user.batch
    if is_same and known.instance == user.instance then return end
    if is_same and not known.instance then -- now it is known which
      known.instance = user.instance
      return
    end
    if is_same and not user.instance then return end
  end
  table.insert(uses[hex], user)
end

-- The overlays in the directories of instances.
local function add_disks(world, uses, directory, project, batch)
  for _, entry in ipairs(directory_.entries(world, directory)) do
    for _, file in ipairs(directory_.entries(world, directory .. "/" .. entry.name)) do
      local info = file.name:find("%.qcow2$") and world.qcow2.info(("%s/%s/%s"):format(directory, entry.name, file.name))
      local digest = info and info.backing and manifest.of_file_name(info.backing:match("[^/]*$"))
      if digest then add(uses, manifest.hex(digest), { project = project, instance = entry.name, batch = batch }) end
    end
  end
end

-- Each mention in a record that may be of any version.
local function add_mentions(world, uses, file, project, batch)
  local text, message, code = world.fs.read(file, { max_bytes = MAX_BYTES })
  if not text and code == "ENOENT" then return end
  err.check("whether images are used", text, message, code)
  for hex in text:gmatch(HEX) do add(uses, hex, { project = project, batch = batch }) end
end

local function add_trash(world, state, uses)
  for _, project in ipairs(directory_.entries(world, state:trash())) do
    for _, batch in ipairs(directory_.entries(world, state:trash(project.name))) do
      local directory = ("%s/%s"):format(state:trash(project.name), batch.name)
      add_disks(world, uses, directory .. "/instances", project.name, batch.name)
      add_mentions(world, uses, directory .. "/record.json", project.name, batch.name)
    end
  end
end

--- All uses of all images. Raises when something that may name one cannot be read.
---@return table<string, holos.ImageUser[]>  by the digits of the digest
function M.all(world, state)
  local uses = {}
  add_trash(world, state, uses) -- what comes out of it meanwhile, and below: what goes in
  for _, entry in ipairs(directory_.entries(world, state.root .. "/instances")) do
    add_disks(world, uses, state:instances(entry.name), entry.name)
  end
  for _, entry in ipairs(directory_.entries(world, state:records())) do
    local project = entry.name:match("^([^.].*)%.json$")
    if project then add_mentions(world, uses, state:record(project), project) end
  end
  add_trash(world, state, uses)
  return uses
end

--- "lab/db-0, lab in the trash (20261121T010203.456Z)"
---@param users holos.ImageUser[]
function M.text(users)
  local words = {}
  for i, user in ipairs(users) do
    local name = user.instance and ("%s/%s"):format(user.project, user.instance) or user.project
    words[i] = user.batch and ("%s in the trash (%s)"):format(name, user.batch) or name
  end
  return table.concat(words, ", ")
end

return M
