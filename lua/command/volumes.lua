--- holos volumes
local copy = require "holos.use.volumes.copy"
local err = require "holos.core.err"
local import = require "holos.use.volumes.import"
local out = require "holos.command.out"
local progress = require "holos.command.progress"
local shared = require "holos.command.shared"
local text = require "holos.core.text"
local units = require "holos.core.units"
local volume_change = require "holos.command.volume_change"
local volumes = require "holos.use.volumes"

local M = {
  summary = "list volumes, make them larger, copy them, write them to files and back; rm moves them to the trash",
  arguments = {
    { name = "ACTION", choices = { "ls", "inspect", "rm", "resize", "clone", "export", "import" },
      help = "ls, inspect, rm, resize, clone, export or import" },
    { name = "WHAT", optional = true, repeated = true,
      help = "inspect VOLUME; rm VOLUME…; resize VOLUME SIZE (20G, or +5G); clone VOLUME NEW; export VOLUME FILE; "
        .. "import FILE NEW. A volume is NAME in the project in reach, or PROJECT/NAME" },
  },
  options = {
    { "-a", "--all", of = "ls", help = "the volumes of all projects" },
    { "-q", "--quiet", of = "ls", help = "names only" },
    { "--disk-format", value = "FORMAT", kind = "choice", choices = { "qcow2", "raw" },
      of = "export, import", help = "qcow2 or raw (default: as the file's name says, else qcow2)" },
    { "--compress", of = "export", help = "a qcow2 file with compressed clusters" },
    { "--size", value = "SIZE", of = "import", help = "make it larger, 20G or +5G" },
    { "--limit-rate", value = "BYTES", kind = "size", of = "export, import, clone", help = "no more than so many bytes a second" },
    { "--force", of = "export", help = "replace a file that is there, once the new one is whole" },
    { "-y", "--yes", of = "resize", help = "do not ask, also where it is more than the host's file system has in all" },
    shared.FORMAT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

local TALK = { notice = out.talk, warn = out.warn }

local function usage(words)
  err.raise { message = ("volumes %s: %s"):format(words[1], #words == 1 and "which volume?" or "wrong number of arguments"),
    exit = 64, hint = "holos help volumes" }
end

-- The words behind the action, as many as there have to be.
local function words_of(options, count)
  local words = options.arguments
  if #words - 1 ~= count then usage(words) end
  return table.unpack(words, 2)
end

local function size(bytes) return bytes and units.format_bytes(bytes) or "-" end

local function users_of(row)
  local words = {}
  for i, user in ipairs(row.users) do
    local name = user.project == row.project and user.instance or user.project .. "/" .. user.instance
    words[i] = name .. (user.running and "" or user.is_away and " (may come back)" or " (stopped)")
  end
  return table.concat(words, ", ")
end

local function show(cells)
  for _, line in ipairs(text.columns(cells)) do out.result(text.escape_terminal(line)) end
end

local actions = {}

function actions.ls(world, options)
  words_of(options, 0)
  local rows, warnings = volumes.rows(world, options)
  for _, warning in ipairs(warnings) do out.warn(warning) end
  local cells = { { "PROJECT", "VOLUME", "SIZE", "ON DISK", "FORMAT", "STATE", "INSTANCES" } }
  for i, row in ipairs(rows) do
    if options.quiet then out.result(row.name)
    elseif options.format == "json" then out.result(world.json.encode(row, {})) end
    cells[i + 1] = { row.project, row.name, size(row.size_bytes), size(row.allocated_bytes), row.format, row.state,
      #row.users > 0 and users_of(row) or "-" }
  end
  if not options.quiet and options.format ~= "json" then show(cells) end
end

function actions.inspect(world, options)
  local context, name = volumes.context(world, options, (words_of(options, 1)))
  for _, notice in ipairs(context.notices) do out.warn(notice) end
  local row = volumes.one(context, name)
  if options.format == "json" then return out.result(world.json.encode(row, {})) end
  show { { "volume", row.name }, { "project", row.project }, { "state", row.problem or row.state }, { "disk", row.path },
    { "format", row.format }, { "file system", row.fs or "-" }, { "size", size(row.size_bytes) },
    { "takes here", size(row.allocated_bytes) }, { "in guests", row.guest_path } }
  local cells = { { "INSTANCE", "MOUNTED AT", "MODE", "STATE" } }
  for i, user in ipairs(row.users) do
    cells[i + 1] = { user.instance, table.concat(user.targets, " "), user.read_only and "ro" or "rw",
      user.running and "running" or "stopped" }
  end
  if #row.users == 0 then return end
  out.result ""
  show(cells)
end

-- The project that all words lead to, and the volumes' names.
local function one_project(world, options, words, verb)
  local context, names = nil, {}
  for i, word in ipairs(words) do
    local found, name = volumes.context(world, options, word, verb)
    if context and found.name ~= context.name then
      err.raise { message = ("%s and %s are two projects"):format(context.name, found.name), exit = 64,
        hint = "one project at a time" }
    end
    context, names[i] = context or found, name
  end
  for _, notice in ipairs(context.notices) do out.warn(notice) end
  return context, names
end

function actions.rm(world, options)
  local words = { table.unpack(options.arguments, 2) }
  if #words == 0 then usage(options.arguments) end
  local context, names = one_project(world, options, words, "volumes rm")
  volume_change.remove(context, names, TALK)
end

function actions.resize(world, options)
  local word, wanted = words_of(options, 2)
  local context, names = one_project(world, options, { word }, "volumes resize")
  volume_change.resize(world, context, names[1], wanted, TALK)
end

-- What a copy of a disk is that somebody wrote to.
local function while_running(done)
  return done.live and ("; %s ran on: it is as after a power cut at the moment it began"):format(done.live.name) or ""
end

function actions.clone(world, options)
  local from, to = words_of(options, 2)
  local context, names = one_project(world, options, { from, to }, "volumes clone")
  local line <close> = progress.new(world, ("cloning %s to %s"):format(names[1], names[2]))
  local done = copy.clone(context, names[1], names[2], TALK, line.tell)
  line:close()
  out.talk(("%s: a copy of %s, %s%s"):format(names[2], names[1], size(done.size_bytes), while_running(done)))
end

function actions.export(world, options)
  local word, file = words_of(options, 2)
  local context, names = one_project(world, options, { word }, "volumes export")
  local line <close> = progress.new(world, ("exporting %s to %s"):format(names[1], file))
  local done = copy.export(context, names[1], file, TALK, line.tell)
  line:close()
  out.talk(("%s: %s as %s, takes %s here%s"):format(file, size(done.size_bytes), done.format, size(done.file_bytes),
    while_running(done)))
end

function actions.import(world, options)
  local file, word = words_of(options, 2)
  local context, name = import.receiver(world, options, word)
  local line <close> = progress.new(world, ("importing %s as %s"):format(file, name))
  local done = import.import(context, file, name, TALK, line.tell)
  line:close()
  out.talk(("%s: %s, volume of %s"):format(name, size(done.size_bytes), context.name))
end

function M.run(world, options)
  actions[options.arguments[1]](world, options)
  return 0
end

return M
