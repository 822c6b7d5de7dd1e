--- holos trash
local ask = require "holos.command.ask"
local err = require "holos.core.err"
local out = require "holos.command.out"
local project_ = require "holos.use.project"
local shared = require "holos.command.shared"
local state_ = require "holos.use.state"
local table_ = require "holos.core.table"
local text = require "holos.core.text"
local trash = require "holos.use.trash"

local M = {
  summary = "list, restore or empty what `down` took away",
  arguments = {
    { name = "ACTION", choices = { "ls", "restore", "empty" }, help = "ls, restore or empty" },
    { name = "PROJECT", optional = true,
      help = "the project; restore needs it, ls is of all without it, empty of that of the file in reach" },
    { name = "BATCH", optional = true, help = "an older batch, as `ls` names it" },
  },
  options = { shared.FORMAT, { "-y", "--yes", of = "empty", help = "do not ask" },
    { "--all", of = "empty", help = "the trash of all projects" }, shared.LOCK_TIMEOUT, shared.NO_WAIT },
}

local actions = {}

local function names_of(batch)
  return table.concat(table_.extend(table_.copy(batch.instances), batch.volumes), " ")
end

local function show(world, batches)
  local cells = { { "PROJECT", "BATCH", "WHEN", "INSTANCES", "VOLUMES" } }
  for _, batch in ipairs(batches) do
    cells[#cells + 1] = { batch.project, batch.batch, shared.age(world.clock.utc_ms() - batch.at_ms) .. " ago",
      table.concat(batch.instances, " "), table.concat(batch.volumes, " ") }
  end
  for _, line in ipairs(text.columns(cells)) do out.result(line) end
end

-- Batches of a project, nil for all, or the one that was named.
local function chosen(world, state, project, name)
  local batches = trash.list(world, state, project)
  if not name then return batches end
  batches = table_.filter(batches, function(batch) return batch.batch == name end)
  if #batches > 0 then return batches end
  err.raise { message = ("the trash holds nothing of %s named %s"):format(project, name), code = "ENOENT", hint = "holos trash ls" }
end

function actions.ls(world, state, options, project, batch_name)
  local batches = chosen(world, state, project, batch_name)
  if options.format ~= "json" then return show(world, batches) end
  for _, batch in ipairs(batches) do out.result(world.json.encode(batch, {})) end
end

function actions.restore(world, state, options, project, batch_name)
  if not project then err.raise { message = "restore what?", exit = 64, hint = "holos trash restore PROJECT" } end
  local context = { world = world, state = state, options = options, name = project }
  local batch = trash.restore(context, batch_name, { notice = out.talk })
  out.talk(("%s: put back %s"):format(project, names_of(batch)))
  if #batch.instances > 0 then out.talk(("they are stopped; next: holos start -p %s"):format(project)) end
  for _, older in ipairs(trash.list(world, state, project)) do
    out.talk(("still in the trash: %s   (holos trash restore %s %s)"):format(names_of(older), project, older.batch))
  end
end

-- The project whose trash is meant; nil for that of all.
local function whose(world, options, project)
  if options.all and project then err.raise { message = "both a project and --all", code = "EUSAGE", exit = 64 } end
  if options.all or project then return project end
  local _, name = project_.in_reach(world, options)
  return name or err.raise { message = "empty whose trash?", code = "EUSAGE", exit = 64,
    hint = "holos trash empty PROJECT, or --all" }
end

-- Whether the disks of these batches may be deleted; raises where nobody can be asked.
local function is_wanted(world, options, batches)
  if options.yes then return true end
  show(world, batches)
  local what = ("this deletes the disks of %d batches for good"):format(#batches)
  -- No is what an empty line means, and the end of input.
  if ask.is_possible(world) then return ask.letter(world, what .. ": [y]es, or [N]o?", "nyn") == "y" end
  err.raise { message = what, code = "ECONSENT", exit = 3,
    hint = "say so: holos trash empty --yes " .. (options.all and "--all" or batches[1].project) }
end

function actions.empty(world, state, options, word, batch_name)
  local project = whose(world, options, word)
  local batches = chosen(world, state, word, batch_name)
  if not word then
    batches = table_.filter(batches, function(batch) return not project or batch.project == project end)
  end
  if #batches == 0 then return out.talk "nothing to delete" end
  if not is_wanted(world, options, batches) then return out.talk "nothing was deleted" end
  trash.empty({ world = world, state = state, options = options }, batches, { notice = out.talk }, function(batch)
    out.talk(("deleted %s %s: %s"):format(batch.project, batch.batch, names_of(batch)))
  end)
end

function M.run(world, options)
  local words = options.arguments
  actions[words[1]](world, state_.locate(world, options), options, words[2] or options.project_name, words[3])
  return 0
end

return M
