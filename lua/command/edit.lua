--- holos edit
local ask = require "holos.command.ask"
local edit = require "holos.use.edit"
local err = require "holos.core.err"
local out = require "holos.command.out"
local shared = require "holos.command.shared"

local M = {
  summary = "change the file in your editor; check it and show the plan before it is saved",
  arguments = { { name = "FILE", optional = true, help = "which of the project's files; default: the first" } },
  options = { { "-y", "--yes", help = "save without asking when nothing is wrong" } },
}

local REFUSED, WRONG = 3, 2

-- Whatever happens, what was typed is there afterwards.
local function keeping(draft)
  return setmetatable({}, { __close = function()
    local kept = draft:finish()
    if kept then out.warn(("your text is kept in %s; %s was not written"):format(kept, draft.shown)) end
  end })
end

-- What earlier edits left, before the editor comes.
local function tell_kept(draft)
  if draft.swept > 0 then
    out.talk(("deleted %d unsaved %s older than %d days"):format(draft.swept, draft.swept == 1 and "text" or "texts",
      edit.KEEP_DAYS))
  end
  for _, kept in ipairs(draft.kept) do out.talk(("not saved earlier: %s (diff %s %s)"):format(kept, draft.shown, kept)) end
end

-- Raises what is wrong, or asks whether to go on with it.
local function wants_another_try(world, options, problem)
  if options.yes or not ask.is_possible(world) then err.raise(problem) end
  out.failure(problem)
  return ask.letter(world, "[e]dit again, or [q]uit?", "eq") == "e"
end

local function show(look)
  if look.prepared then return shared.show_plan(look.context, look.prepared.plan) end
  for _, warning in ipairs(look.context.project.warnings) do out.warn(warning) end
  out.talk("the file is right, but `holos up` would not do it now:")
  out.failure(look.obstacle)
end

-- "y": save, "n": do not, "e": edit again.
local function decide(world, options, draft)
  if options.yes then return "y" end
  if ask.is_possible(world) then return ask.letter(world, ("save %s? [Y]es, [e]dit again, [n]o:"):format(draft.shown), "yen") end
  err.raise { message = "nobody can be asked whether to save: there is no terminal", code = "ECONSENT", exit = REFUSED,
    hint = "-y saves without asking" }
end

-- One round; gives the exit status when it was the last.
local function round(world, options, draft)
  draft:edit()
  if not draft:is_changed() then
    out.talk(draft.shown .. " is unchanged")
    return 0
  end
  local look = draft:look()
  if look.problem then return not wants_another_try(world, options, look.problem) and WRONG or nil end
  show(look)
  local answer = decide(world, options, draft)
  if answer == "e" then return nil end
  if answer == "n" then return REFUSED end
  draft:save()
  out.talk(("saved %s"):format(draft.shown))
  return 0
end

function M.run(world, options)
  local draft = edit.begin(world, options, options.arguments[1])
  local _kept <close> = keeping(draft)
  tell_kept(draft)
  local status
  repeat status = round(world, options, draft) until status
  return status
end

return M
