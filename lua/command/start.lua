--- holos start
local goal = require "holos.command.goal"
local shared = require "holos.command.shared"
local start = require "holos.use.start"
local talk_ = require "holos.command.talk"

local M = {
  summary = "start stopped instances as they were created",
  arguments = { shared.SERVICES },
  options = {
    shared.DETACH, shared.WAIT_TIMEOUT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  },
}

--- Starts what is named, as the command `verb`.
---@param work fun(context, words, talk)  of use/start
function M.carry_out(world, options, verb, work)
  options.goal = goal.of(world, options)
  local context <close> = shared.recorded(world, options, verb)
  local talk <close> = talk_.new(world, verb, context)
  work(context, context.words, talk)
  return 0
end

function M.run(world, options) return M.carry_out(world, options, "start", start.start) end

return M
