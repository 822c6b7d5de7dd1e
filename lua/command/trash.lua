--- holos trash
local err = require "holos.core.err"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local state_ = require "holos.use.state"
local text = require "holos.core.text"
local trash = require "holos.use.trash"

local M = {
  summary = "list, restore or empty what `down` took away",
  arguments = {
    { name = "ACTION", choices = { "ls", "restore", "empty" }, help = "ls, restore or empty" },
    { name = "PROJECT", optional = true, help = "the project; restore needs it" },
    { name = "BATCH", optional = true, help = "an older batch, as `ls` names it" },
  },
  options = { shared.FORMAT, { "-y", "--yes", of = "empty", help = "do not ask" }, shared.LOCK_TIMEOUT, shared.NO_WAIT },
}

local actions = {}

function actions.ls(world, state, options, project)
  local batches = trash.list(world, state, project)
  local cells = { { "PROJECT", "BATCH", "WHEN", "INSTANCES", "VOLUMES" } }
  for _, batch in ipairs(batches) do
    if options.format == "json" then out.result(world.json.encode(batch, {})) end
    cells[#cells + 1] = { batch.project, batch.batch, shared.age(world.clock.utc_ms() - batch.at_ms) .. " ago",
      table.concat(batch.instances, " "), table.concat(batch.volumes, " ") }
  end
  if options.format == "json" then return end
  for _, line in ipairs(text.columns(cells)) do out.result(line) end
end

function actions.restore(world, state, options, project, batch_name)
  if not project then err.raise { message = "restore what?", exit = 64, hint = "holos trash restore PROJECT" } end
  local context = { world = world, state = state, options = options, name = project }
  local batch = trash.restore(context, batch_name, { notice = out.talk })
  out.talk(("%s: put back %s %s"):format(project, table.concat(batch.instances, " "), table.concat(batch.volumes, " ")))
  out.talk(("they are stopped; next: holos start -p %s"):format(project))
end

function actions.empty(world, state, options, project)
  if not options.yes then
    err.raise { message = "this deletes disks for good", code = "ECONSENT", exit = 3,
      hint = "say so: holos trash empty --yes" .. (project and " " .. project or "") }
  end
  local context = { world = world, state = state, options = options, name = project }
  trash.empty(context, { notice = out.talk }, function(batch)
    out.talk(("deleted %s %s: %s"):format(batch.project, batch.batch, table.concat(batch.instances, " ")))
  end)
end

function M.run(world, options)
  local words = options.arguments
  actions[words[1]](world, state_.locate(world, options), options, words[2] or options.project_name, words[3])
  return 0
end

return M
