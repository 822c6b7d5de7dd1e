--- holos up
local decide = require "holos.command.decide"
local goal = require "holos.command.goal"
local out = require "holos.command.out"
local planning = require "holos.command.planning"
local preview = require "holos.command.preview"
local project = require "holos.use.project"
local shared = require "holos.command.shared"
local talk_ = require "holos.command.talk"
local text = require "holos.core.text"
local up = require "holos.use.up"

local M = {
  summary = "create what is missing, start what is stopped, wait until it is provisioned",
  arguments = { shared.SERVICES },
  options = planning.options({
    planning.DRY_RUN, planning.DETACH, planning.WAIT, { "--no-start", help = "make what is missing, and start nothing" },
    planning.NO_DEPS, planning.SCALE, planning.ORPHANS, planning.PULL, planning.LOCKED,
    { "--quiet-pull", help = "say nothing of downloads, unless they fail" },
  }, planning.CONSENT, {
    { "-y", "--yes", help = "ask nothing; what may cost a disk is refused, unless an option says what to do" },
    planning.PARALLEL, shared.WAIT_TIMEOUT, shared.LOCK_TIMEOUT, shared.NO_WAIT,
  }),
}

-- What to do next, with machines that run and with those that were only made.
local function tell_next(context, prepared)
  if context.options.no_start then return out.talk "made, and nothing was started; next: holos start" end
  for _, line in ipairs(text.columns(shared.published(prepared.record))) do out.talk(line) end
  local first = prepared.specs[1]
  if first then out.talk(("next: holos ps · holos logs %s · holos exec %s"):format(first.service, first.name)) end
end

local function finish(context, prepared)
  if #prepared.plan.rows == 0 then
    for _, kept in ipairs(prepared.plan.kept) do
      out.talk(("%s: config changed, kept as it is: %s"):format(kept.name, kept.text))
    end
    return out.talk(("%s is up to date (%d %s)."):format(context.name, #prepared.specs,
      #prepared.specs == 1 and "instance" or "instances"))
  end
  tell_next(context, prepared)
end

--- Carries out `verb`, "up" or one that is an `up` of its own kind.
function M.carry_out(world, options, verb)
  planning.require_sense(options)
  options.goal = goal.of(world, options)
  local context = project.from_file(world, options, not options.dry_run and verb or nil)
  for _, warning in ipairs(context.project.warnings) do out.warn(warning) end
  if options.dry_run then
    preview.show(context, options.arguments)
    return 0
  end
  local talk <close> = talk_.new(world, verb, context)
  talk.ask = decide.asker(world, options)
  local prepared = up.run(context, options.arguments, talk)
  talk:close()
  finish(context, prepared)
  return 0
end

function M.run(world, options) return M.carry_out(world, options, "up") end

return M
