--- What lies in the state directory, held against its records: what is damaged, missing, left over, or open to others.
--- Effects: reads only.
local contents = require "holos.run.contents"
local directory_ = require "holos.run.directory"
local layers = require "holos.run.images.layers"
local record_ = require "holos.run.record"
local runtime = require "holos.run.runtime"
local store = require "holos.run.images.store"
local sweep = require "holos.run.sweep"
local table_ = require "holos.core.table"
local trash = require "holos.run.trash"

local M = {}

---@class holos.StateFinding
---@field project string
---@field where   string   a file or directory
---@field text    string   what is wrong
---@field fix     string?  what to do

local SECRET_BITS, OTHERS_WRITE_BITS, ANYBODY_WRITES_BITS = tonumber("077", 8), tonumber("022", 8), tonumber("222", 8)

local function add(at, where, text, fix)
  at.findings[#at.findings + 1] = { project = at.project, where = where, text = text, fix = fix }
end

-- pcall of fn(…); a failure becomes a finding.
local function try(at, where, fn, ...)
  local ok, value = pcall(fn, ...)
  if ok then return value end
  if type(value) ~= "table" or value.traceback then error(value, 0) end
  add(at, where, value.message, value.hint)
end

local function names_in(world, directory, pattern)
  local names = {}
  for _, entry in ipairs(directory_.entries(world, directory)) do names[#names + 1] = entry.name:match(pattern) end
  return names
end

-- What can be done about a root disk that should be there.
local function disk_cure(world, at, name)
  local batch = trash.batch_of(world, at.state, at.project, name)
  if batch then return ("the trash holds one: holos trash restore %s %s"):format(at.project, batch) end
  return ("put it back from a copy, or have a new one made: holos up -p %s --recreate=%s"):format(at.project, name)
end

--- A qcow2 image that is there can be read, and what it rests on is there.
local function look_at_image(world, at, file)
  local info, message = world.qcow2.info(file)
  if not info then return add(at, file, "it is no disk that can be used: " .. message, "put a copy of it back") end
  if info.corrupt then
    add(at, file, "QEMU has marked it as corrupt", "stop its instance, then: qemu-img check -r all " .. file)
  end
  if info.backing and not world.fs.stat(info.backing) then
    add(at, file, "the image that it rests on is gone: " .. info.backing, "put that image back where it was, unchanged")
  end
end

local function look_at_instance(world, at, name, entry)
  local directory = at.state:instance(at.project, name)
  local disk = directory .. "/root.qcow2"
  try(at, directory .. "/runtime.json", runtime.load, world, at.state, at.project, name)
  try(at, at.state:contents(at.project), contents.paths, world, at.state, entry.spec)
  if entry.desired == "removed" then
    add(at, directory, name .. " was about to be removed when the command was cut off", "holos down -p " .. at.project)
  elseif world.fs.stat(disk) then
    look_at_image(world, at, disk)
  elseif entry.disk_made then
    add(at, disk, "the root disk of " .. name .. " is gone", disk_cure(world, at, name))
  end
end

local function look_at_volumes(world, at, record)
  local there = {}
  for _, name in ipairs(names_in(world, at.state:volumes(at.project), "^(.+)%.qcow2$")) do
    local file = at.state:volume(at.project, name)
    there[name] = true
    look_at_image(world, at, file)
    if not record.volumes[name] then
      add(at, file, "no record knows this volume", "name it in the file and run `holos up`, or move it away")
    end
  end
  for name, entry in table_.sorted_pairs(record.volumes) do
    if entry.made and not there[name] and entry.desired ~= "removed" then
      add(at, at.state:volume(at.project, name), ("the volume %s is gone"):format(name),
        ("put it back from a copy, or from the trash: holos trash ls %s"):format(at.project))
    end
  end
end

-- Directories of instances that no record leads to: somebody's disks.
local function look_for_strays(world, at, instances)
  for _, name in ipairs(names_in(world, at.state:instances(at.project), "^([^.].*)$")) do
    local directory = at.state:instance(at.project, name)
    if not instances[name] and world.fs.lstat(directory .. "/root.qcow2") then
      add(at, directory, "no record leads to the disk in it", "put the record back from a copy, or move the directory away")
    end
  end
end

local function look_at_keys(world, at)
  local directory = at.state:keys(at.project)
  for _, name in ipairs(names_in(world, directory, "^(.+)%.pub$")) do
    if not world.fs.lstat(directory .. "/" .. name) then
      add(at, directory .. "/" .. name, "the private key is gone, but its public half is there",
        "put it back from a copy: guests that run know only this one")
    end
  end
end

local function look_at_trash(world, at)
  for _, batch in ipairs(trash.list(world, at.state)) do
    if batch.project == at.project and #batch.instances + #batch.volumes > 0 then
      try(at, batch.directory, trash.record_of, world, batch)
    end
  end
end

local function require_private(world, at, file, bits)
  local stat = world.fs.lstat(file)
  if not stat or stat.type == "symlink" or stat.mode & bits == 0 then return end
  local wanted = stat.mode & ~bits
  add(at, file, ("others can %s it (mode %o)"):format(bits == SECRET_BITS and "read or change" or "change", stat.mode),
    ("chmod %o %s"):format(wanted, file))
end

-- Keys, secrets and records are ours alone; directories may be passed by the uid that QEMU has.
local function look_at_modes(world, at)
  local state, project = at.state, at.project
  require_private(world, at, state:record(project), SECRET_BITS)
  for _, directory in ipairs { state:keys(project), state:contents(project) } do
    require_private(world, at, directory, SECRET_BITS)
    for _, name in ipairs(names_in(world, directory, ".+")) do
      require_private(world, at, directory .. "/" .. name, SECRET_BITS)
    end
  end
  for _, directory in ipairs { state:instances(project), state:volumes(project), state:trash(project) } do
    require_private(world, at, directory, OTHERS_WRITE_BITS)
  end
end

local function look_for_temporaries(world, at)
  for _, file in ipairs(sweep.left_over(world, at.state, at.project)) do
    add(at, file, "left over of a write that was cut off", "the next command that changes " .. at.project .. " removes it")
  end
end

--- What is wrong with the image store: of no project.
---@return holos.StateFinding[] findings
function M.images(world, state)
  local findings = {}
  local function add_(where, text, fix) findings[#findings + 1] = { project = "", where = where, text = text, fix = fix } end
  local images, problems = store.list(world, state)
  for _, problem in ipairs(problems) do
    add_(state:images(), problem, "fetch or import that image again; holos verify hashes them all")
  end
  for _, problem in ipairs((layers.problems(world))) do add_("HOLOS_IMAGES", problem, "mount it, or mend the variable") end
  for _, image in ipairs(images) do
    local stat = image.is_own and world.fs.stat(image.path)
    if stat and stat.mode & ANYBODY_WRITES_BITS ~= 0 then
      add_(image.path, ("it can be written to (mode %o), and machines rest on it"):format(stat.mode), "chmod 400 " .. image.path)
    end
  end
  return findings
end

--- All projects that have anything in the state directory.
---@return string[]
function M.projects(world, state)
  local found = {}
  for _, name in ipairs(names_in(world, state:records(), "^([^.].*)%.json$")) do found[name] = true end
  for _, place in ipairs { "instances", "volumes" } do
    for _, name in ipairs(names_in(world, state.root .. "/" .. place, "^([^.].*)$")) do
      if #directory_.entries(world, ("%s/%s/%s"):format(state.root, place, name)) > 0 then found[name] = true end
    end
  end
  return table_.keys(found)
end

--- What is wrong with one project.
---@return holos.StateFinding[] findings
---@return table? record  when it can be read
function M.project(world, state, project)
  local at = { state = state, project = project, findings = {} }
  local record = try(at, state:record(project), record_.load, world, state, project)
  for name, entry in table_.sorted_pairs(record and record.instances or {}) do look_at_instance(world, at, name, entry) end
  if record then look_at_volumes(world, at, record) end
  if record or not world.fs.lstat(state:record(project)) then
    look_for_strays(world, at, record and record.instances or {})
  end
  for _, look in ipairs { look_at_keys, look_at_trash, look_at_modes, look_for_temporaries } do look(world, at) end
  return at.findings, record
end

return M
