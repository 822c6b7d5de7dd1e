--- Configs and secrets: what their sources hold, and copies for later launches, which have no compose file. What Dockerfiles
--- copy lies beside them (run/build).
--- Effects: reads the sources; keeps copies in projects/<p>/secrets/, 0600, named by digest.
--- The digest of a secret is keyed: whoever sees a record cannot try out short secrets.
local directory_ = require "holos.run.directory"
local err = require "holos.core.err"

local M = {}

M.MAX_BYTES = 8 << 20
--- How the names of what Dockerfiles copy end.
M.CONTEXT = ".iso"
local KEY_BYTES = 32
local KEY_NAME = "key"
local DIRECTORY_MODE, FILE_MODE = tonumber("700", 8), tonumber("600", 8)

local function file_of(state, project, name) return ("%s/%s"):format(state:contents(project), name) end

local function hexadecimal(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

-- The key of a project's digests; a new one is kept with the first content.
local function key_of(world, state, project)
  local key, message, code = world.fs.read(file_of(state, project, KEY_NAME), { max_bytes = 4 * KEY_BYTES })
  if key then return key, false end
  if code ~= "ENOENT" then err.raise { message = message, code = code } end
  return hexadecimal(err.check("randomness", world.host.random(KEY_BYTES))), true
end

local readers = {}

function readers.file(world, source)
  local text, message = world.fs.read(source.path, { max_bytes = M.MAX_BYTES })
  return text, message
end

function readers.content(_, source) return source.text end

function readers.environment(world, source, lookup)
  local text = (lookup or world.host.env)(source.variable)
  return text, ("the variable %s is not set"):format(source.variable)
end

local function read(world, declared, lookup)
  if not declared then return nil, "it is not declared" end
  if declared.external then return nil, "external ones are not available yet" end
  return readers[declared.source.kind](world, declared.source, lookup)
end

-- The keys that enabled services use, each with the first that does.
local function used(project, kind)
  local users = {}
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for _, grant in ipairs(service.is_enabled ~= false and service[kind] or {}) do users[grant.key] = users[grant.key] or name end
  end
  return users
end

--- Reads what the services of a project are given.
---@param lookup (fun(name: string): string?)?  the project's environment; the process's own when absent
---@return {digests: {configs: table, secrets: table}, texts: table<string, string>, key: string?} contents
---@return {message: string, hint: string?}[] findings
function M.gather(world, state, project, lookup)
  local key, is_new = key_of(world, state, project.name)
  local contents, findings = { digests = { configs = {}, secrets = {} }, texts = {}, key = is_new and key or nil }, {}
  for kind, salt in pairs { configs = "", secrets = key } do
    for name, service in pairs(used(project, kind)) do
      local text, message = read(world, (project[kind] or {})[name], lookup)
      if text then
        local digest = world.hash.sha256(salt .. text)
        contents.digests[kind][name], contents.texts[digest] = digest, text
      else
        findings[#findings + 1] = { message = ("%s: %s %s: %s"):format(service, kind:sub(1, -2), name, message) }
      end
    end
  end
  table.sort(findings, function(a, b) return a.message < b.message end)
  return contents, findings
end

local function write_new(world, file, text)
  if world.fs.lstat(file) then return end
  err.check("secrets", world.fs.write_atomic(file, text, { mode = FILE_MODE, sync = true }))
end

--- Keeps what was gathered, before any spec that names it is recorded.
function M.keep(world, state, project, contents)
  if next(contents.texts) == nil then return end
  err.check("secrets", world.fs.mkdir_all(state:contents(project), DIRECTORY_MODE))
  if contents.key then write_new(world, file_of(state, project, KEY_NAME), contents.key) end
  for digest, text in pairs(contents.texts) do write_new(world, file_of(state, project, digest), text) end
end

--- Where the contents lie that a spec names.
---@return table<string, string> paths  by digest
function M.paths(world, state, spec)
  local paths = {}
  for _, kind in ipairs { "configs", "secrets" } do
    for _, grant in ipairs(spec[kind] or {}) do
      local file = file_of(state, spec.project, grant.digest)
      if not world.fs.stat(file) then
        err.raise { message = ("%s: the copy of %s %s is gone"):format(spec.name, kind:sub(1, -2), grant.key),
          code = "ENOENT", hint = "run `holos up` with the file: it reads it again" }
      end
      paths[grant.digest] = file
    end
  end
  local context = spec.build and spec.build.context
  if context and not world.fs.stat(file_of(state, spec.project, context .. M.CONTEXT)) then
    err.raise { message = ("%s: what its Dockerfile copies is gone"):format(spec.name), code = "ENOENT",
      hint = "run `holos up` with the file: it reads the context again" }
  end
  return paths
end

local function names_of(spec, names)
  if spec.build and spec.build.context then names[spec.build.context .. M.CONTEXT] = true end
  for _, kind in ipairs { "configs", "secrets" } do
    for _, grant in ipairs(spec[kind] or {}) do names[grant.digest] = true end
  end
end

--- Removes the copies that no spec of a record names any more.
function M.sweep(world, state, record)
  local names = { [KEY_NAME] = true }
  for _, entry in pairs(record.instances) do
    names_of(entry.spec, names)
    if entry.replaced then names_of(entry.replaced.spec, names) end
    if entry.previous then names_of(entry.previous.spec, names) end
  end
  for _, entry in ipairs(world.fs.list(state:contents(record.name)) or {}) do
    if not names[entry.name] then err.check("secrets", world.fs.remove(file_of(state, record.name, entry.name))) end
  end
end

-- A context may be large, and nobody ever writes to it: a second name does.
local function copy(world, from, to)
  if from:sub(-#M.CONTEXT) == M.CONTEXT and world.fs.link(from, to) then return true end
  return world.fs.copy(from, to, { mode = FILE_MODE })
end

--- Copies what a spec needs into a batch of the trash, so that its instance can be started when it comes back.
function M.copy_to_trash(world, state, spec, batch)
  local names = {}
  names_of(spec, names)
  if next(names) == nil then return end
  names[KEY_NAME] = true
  err.check("trash", world.fs.mkdir_all(batch .. "/secrets", DIRECTORY_MODE))
  for name in pairs(names) do
    local from = file_of(state, spec.project, name)
    if world.fs.lstat(from) then err.check("trash", copy(world, from, ("%s/secrets/%s"):format(batch, name))) end
  end
end

--- Puts back what a batch of the trash holds; what is there already stays.
function M.restore(world, state, project, batch)
  local entries = directory_.entries(world, batch .. "/secrets")
  if #entries == 0 then return end
  err.check("secrets", world.fs.mkdir_all(state:contents(project), DIRECTORY_MODE))
  for _, entry in ipairs(entries) do
    local file = file_of(state, project, entry.name)
    if not world.fs.lstat(file) then err.check("secrets", copy(world, ("%s/secrets/%s"):format(batch, entry.name), file)) end
  end
end

--- Removes all copies of a project that is gone.
function M.remove(world, state, project)
  local directory = state:contents(project)
  if not world.fs.lstat(directory) then return end
  err.check("secrets", world.fs.remove_tree(directory))
  world.fs.remove(directory:match("^(.*)/")) -- the project's directory, when it is empty now
end

return M
