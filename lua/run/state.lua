--- Where things lie: the state directory, and the paths in it (DESIGN §5). Effects: makes directories when asked to.
local err = require "holos.core.err"
local path = require "holos.core.path"

local M = {}

local DIRECTORY_MODE = tonumber("700", 8)

local State = {}
State.__index = State

local function default_root(world)
  if world.host.uid() == 0 then return "/var/lib/holos" end
  local base = world.host.env("XDG_STATE_HOME")
  if base and base:sub(1, 1) == "/" then return path.join(base, "holos") end
  local home = world.host.env("HOME")
  if home and home:sub(1, 1) == "/" then return path.join(home, ".local/state/holos") end
  err.raise { message = "there is no place for state: HOME is not set", code = "ENOHOME",
    hint = "set HOLOS_STATE_DIR, or give --state-dir DIR" }
end

--- The state of this run of holos: --state-dir, HOLOS_STATE_DIR, or the default of DESIGN §5.
---@param options {state_dir: string?}
function M.locate(world, options)
  local chosen = options.state_dir or world.host.env("HOLOS_STATE_DIR")
  if chosen == "" then chosen = nil end
  local root = path.absolute(chosen or default_root(world), world.host.working_directory())
  return setmetatable({ root = root }, State)
end

function State:record(project) return ("%s/projects/%s.json"):format(self.root, project) end
function State:records() return self.root .. "/projects" end
function State:instances(project) return ("%s/instances/%s"):format(self.root, project) end
function State:instance(project, name) return ("%s/instances/%s/%s"):format(self.root, project, name) end
function State:volumes(project) return ("%s/volumes/%s"):format(self.root, project) end
function State:volume(project, name) return ("%s/volumes/%s/%s.qcow2"):format(self.root, project, name) end
--- Contents of configs and secrets, by digest.
function State:contents(project) return ("%s/projects/%s/secrets"):format(self.root, project) end
function State:keys(project) return ("%s/ssh/%s"):format(self.root, project) end
function State:trash(project) return project and ("%s/trash/%s"):format(self.root, project) or self.root .. "/trash" end
function State:events(project) return ("%s/events/%s.jsonl"):format(self.root, project) end
function State:locks() return self.root .. "/locks" end
function State:project_lock(project) return ("%s/locks/%s.lock"):format(self.root, project) end
function State:instance_lock(project, name) return ("%s/locks/%s.%s.lock"):format(self.root, project, name) end
--- Held by who runs the commands of an instance's start. No instance has a "+" in its name.
function State:start_lock(project, name) return ("%s/locks/%s.%s+start.lock"):format(self.root, project, name) end
--- Copies of compose files that somebody edits, or could not save.
function State:edits() return self.root .. "/edits" end
function State:supervisor_lock(project) return ("%s/locks/%s.supervisor"):format(self.root, project) end
--- Held by who stands by in the project's scope (supervise/standby).
function State:standby_lock(project) return ("%s/locks/%s.+standby.lock"):format(self.root, project) end
--- Sockets and logs of supervisors.
function State:supervisors() return self.root .. "/supervisors" end
function State:supervisor_log(project) return ("%s/supervisors/%s.log"):format(self.root, project) end
--- Images that are being made.
function State:builds() return self.root .. "/builds" end
--- The image store; HOLOS_IMAGES names others, which are only read.
function State:images() return self.root .. "/images" end
--- Held while images are given names or are removed, and while a record is written that names one. No project has a "+".
function State:images_lock() return self.root .. "/locks/+images.lock" end
--- Where downloads wait until they are whole: HOLOS_CACHE_DIR, or beside the images, so that they can be renamed there.
function State:cache(world)
  local chosen = world.host.env("HOLOS_CACHE_DIR")
  if not chosen or chosen == "" then return self.root .. "/cache" end
  return path.absolute(chosen, world.host.working_directory())
end
function State:probes() return self.root .. "/probes" end
function State:probe(key) return ("%s/probes/%s.json"):format(self.root, key) end

--- Makes the directories that locks and records need. An existing state directory keeps its mode.
function State:prepare(world)
  for _, directory in ipairs { self.root, self:records(), self:locks(), self.root .. "/events" } do
    err.check("state directory", world.fs.mkdir_all(directory, DIRECTORY_MODE))
  end
end

--- The directories of one project that go with it once they are empty.
function State:own(project) return { self:instances(project), self:volumes(project), self:trash(project) } end

--- Makes the directories of a project. The caller holds its lock: who removes them holds that, too.
function State:prepare_project(world, project)
  for _, directory in ipairs { self:keys(project), table.unpack(self:own(project)) } do
    err.check("state directory", world.fs.mkdir_all(directory, DIRECTORY_MODE))
  end
end

return M
