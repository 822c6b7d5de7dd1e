--- What services are built from: the steps of their Dockerfiles, and the files that these take along. Effects: reads contexts;
--- writes their images where copies of configs lie, named by digest.
local build_ = require "holos.plan.build"
local contents = require "holos.run.contents"
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local copied = lazy "holos.plan.diff.copied"
local pack = lazy "holos.run.context.pack"
local room = lazy "holos.run.room"
local select_ = lazy "holos.run.context.select"
local table_ = require "holos.core.table"
local tree_ = lazy "holos.run.context.tree"

local M = {}

local ABOVE = "what lies above the context is not to be had: let context: of build: begin further up"
local DIRECTORY_MODE = tonumber("700", 8)
-- Of a member of an archive; what a file in an ISO image can have, with room for what is around the members.
local HEADER_BYTES, MOST_BYTES = 1024, (4 << 30) - (1 << 20)
-- Of an ISO image and an archive, around what is in them.
local SLACK_BYTES = 1 << 20

---@class holos.Build
---@field digest string    of the steps and what they take along
---@field context string?  of what they take along; nil: nothing
---@field listed integer?   as of plan/diff/copied.list
---@field steps table[]    as in a spec
---@field tree holos.ContextTree?
---@field effects {verb: string, what: string, why: string}[]  on the host and in its machines
---@field entries holos.ContextEntry[][]  of each step that takes something along

local function brings(step)
  return (step.kind == "copy" or step.kind == "add") and #(step.sources or {}) + #(step.inline or {}) > 0
end

-- Where a step of a Dockerfile stands.
local function place(wanted, step) return ("%s:%d: "):format(wanted.shown or wanted.dockerfile or "Dockerfile", step.line) end

-- Adds what one step takes along; gives its number in the archive.
local function take(made, wanted, step, findings)
  local ok, result = pcall(select_.entries, made.tree, step)
  if ok then
    made.entries[#made.entries + 1] = result
    return #made.entries
  end
  if not err.is(result) then error(result, 0) end
  findings[#findings + 1] = { message = place(wanted, step) .. result.message,
    hint = result.hint or (step.title or ""):find("../", 1, true) and ABOVE or nil }
end

-- What RUN --mount=type=bind shows of the context.
local function take_mounts(made, wanted, step, findings)
  for _, mount in ipairs(step.mounts or {}) do
    if mount.type == "bind" then
      local part = { kind = "copy", line = step.line, sources = { mount.source }, target = "/bound" }
      mount.number = take(made, wanted, part, findings)
    end
  end
end

local function add_step(made, wanted, step, findings)
  local copy = table_.copy(step)
  take_mounts(made, wanted, copy, findings)
  local number = brings(copy) and take(made, wanted, copy, findings) or nil
  -- A repository's files go into a directory, whatever its target is called.
  for _, remote in ipairs(copy.remotes or {}) do copy.is_directory = copy.is_directory or remote.kind == "git" end
  if copy.target and copy.target:sub(-1) == "/" then copy.is_directory = true end
  made.steps[#made.steps + 1] = build_.step(copy, number)
end

local function packed_bytes(entry) return HEADER_BYTES + entry.size_bytes end

-- What the archive of all that the steps take along comes to, at most.
local function archive_bytes(made)
  local total = 0
  for _, entries in ipairs(made.entries) do
    for _, entry in ipairs(entries) do total = total + packed_bytes(entry) end
  end
  return total
end

-- All that the steps take along is one file of an ISO image. Which files are large is what there is to know.
local function check_size(wanted, made, findings)
  local total, large = archive_bytes(made), {}
  if total < MOST_BYTES then return end
  for _, entries in ipairs(made.entries) do
    table_.extend(large, table_.filter(entries, function(entry) return entry.size_bytes > 0 end))
  end
  table.sort(large, function(a, b) return a.size_bytes > b.size_bytes end)
  local shown = table_.map({ table.unpack(large, 1, 3) }, function(entry)
    return ("%s (%.1f GiB)"):format(entry.from or entry.name, entry.size_bytes / (1 << 30))
  end)
  findings[#findings + 1] = { message = ("%s: what its steps take along is %.1f GiB, and less than 4 GiB fit"):format(
    wanted.shown or wanted.dockerfile or "Dockerfile", total / (1 << 30)),
    hint = ("the largest: %s; name what is not needed in .dockerignore, or share a directory by volumes:"):format(
      table.concat(shown, ", ")) }
end

--- What one service is built from, with what its steps take along; nothing is hashed yet.
---@param wanted table  service.build: {context, dockerfile, recipe}
---@return holos.Build? build  without `digest` and `context`
---@return {message: string, hint: string?}[] findings
function M.survey(world, wanted)
  local findings, made = {}, { steps = table_.list {}, entries = {} }
  local message
  made.tree, message = tree_.open(world, wanted.context, wanted.dockerfile)
  if not made.tree then return nil, { { message = message } } end
  for _, step in ipairs(wanted.recipe.steps) do add_step(made, wanted, step, findings) end
  check_size(wanted, made, findings)
  if #findings > 0 then return nil, findings end
  made.effects = build_.effects(wanted, made)
  return made, findings
end

--- The build of one service.
---@param wanted table  service.build: {context, dockerfile, recipe}
---@return holos.Build? build
---@return {message: string, hint: string?}[] findings
function M.look(world, wanted)
  local made, findings = M.survey(world, wanted)
  if not made then return nil, findings end
  local manifests = {}
  for number, entries in ipairs(made.entries) do
    pack.hash(made.tree, entries)
    manifests[number] = pack.manifest(entries)
  end
  made.digest = build_.digest(world.hash.sha256, made.steps, manifests)
  made.listed = copied.list(made.steps, made.entries, world.hash.sha256)
  made.context = #manifests > 0 and world.hash.sha256(table.concat(manifests, "\0")) or nil
  return made, findings
end

--- The builds of all services of a project.
---@param look (fun(world: table, wanted: table): holos.Build?, table[])?  M.look or M.survey
---@return table<string, holos.Build> builds
---@return {message: string, hint: string?}[] findings
function M.of_project(world, project, look)
  local builds, findings = {}, {}
  for _, name in ipairs(project.order) do
    local wanted = project.services[name].build
    if wanted then
      local ok, build, problems = pcall(look or M.look, world, wanted)
      if not ok and not err.is(build) then error(build, 0) end
      if not ok then build, problems = nil, { { message = build.message, hint = build.hint } } end
      builds[name] = build
      for _, problem in ipairs(problems) do problem.message = ("%s: %s"):format(name, problem.message) end
      table_.extend(findings, problems)
    end
  end
  return builds, findings
end

--- Keeps what the steps take along, before any spec that names it is recorded.
function M.keep(world, state, project, builds)
  for _, name in ipairs(table_.keys(builds or {})) do
    local build = builds[name]
    local file = build.context and ("%s/%s%s"):format(state:contents(project), build.context, contents.CONTEXT)
    if file and not world.fs.lstat(file) then
      err.check("context", world.fs.mkdir_all(state:contents(project), DIRECTORY_MODE))
      room.demand(world, state:contents(project), 2 * archive_bytes(build) + SLACK_BYTES, ("%s: what its Dockerfile copies, "
        .. "there twice while its disk is made,"):format(name), "make room, or name what is not needed in .dockerignore")
      pack.write(world, build, file)
    end
  end
end

return M
