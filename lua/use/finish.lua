--- What is left of commands that were killed while they put machines back. Effects through run/*; prints nothing.
local aside = require "holos.run.aside"
local back = require "holos.run.back"
local change = require "holos.use.change"
local facts = require "holos.run.facts"
local record_ = require "holos.run.record"
local table_ = require "holos.core.table"

local M = {}

-- As they are recorded; nobody waits for them.
local function launch(context, record, talk, names)
  local actions = table_.map(names, function(name)
    return { id = "launch/" .. name, kind = "instance.launch", instance = name, after = {}, because = "as it was before" }
  end)
  local prepared = { record = record, facts = facts.of_launch(context.world) }
  local _saved <close> = change.saved_at_end(context, record, talk)
  change.perform(context, prepared, talk, actions)
end

--- Ends what was being put back, before anything is planned: what is planned rests on it. What was to run again runs then,
--- also when the plan is refused. The caller holds the project's lock.
function M.others(context, talk)
  local world, state = context.world, context.state
  local known = record_.load(world, state, context.name)
  if not known then return end
  aside.finish(world, state, known)
  local names = back.finish(world, state, known)
  if #names == 0 then return end
  talk.notice(("going on with what was cut off: %s again as before the change"):format(table.concat(names, ", ")))
  launch(context, known, talk, names)
end

return M
