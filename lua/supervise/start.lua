--- The commands of an instance's start (post_start), where no command of the user's has run them. Effects: as of
--- run/post_start.
local checks = require "holos.supervise.checks"
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local post_start = lazy "holos.run.post_start"
local table_ = require "holos.core.table"

local M = {}

-- What a guest that stands still lets fail or come late is no fault of the command: it comes again once the guest goes on.
local function until_complete(project, spec, now, guest)
  local at = { state = project.state, spec = spec, now = now, who = "the supervisor",
    tell = function(event) project:emit(event) end }
  repeat
    guest:until_looked_at()
    guest:until_it_goes_on()
    local halts = guest.halts
    function at.is_excused() return guest.halts ~= halts end
  until post_start.complete(project.world, at)
end

-- One that fails is told, and left to the user.
local function run_commands(project, spec, now, guest)
  checks.until_reported(project, spec, now, "provisioned")
  local ok, problem = pcall(until_complete, project, spec, now, guest)
  if not ok and not err.is(problem, post_start.FAILED) then error(problem, 0) end
end

--- Beside a guest for as long as its launch lasts; other settings end no command. When all have run, or one has failed,
--- guest.has_begun is fired, and checks begin.
---@param keeper table  whose entry has the settings, is_starting says whether there is something in hand
---@param guest table   of supervise/guest
function M.run(keeper, now, guest)
  local project = keeper.project
  local known
  while true do
    local news, spec = keeper.news, keeper.entry.spec
    if spec.post_start and not table_.deep_equal(spec.post_start, known) then
      known, keeper.is_starting = spec.post_start, true
      run_commands(project, spec, now, guest)
      keeper.is_starting = false
      project:stir()
      project:review()
    end
    guest.has_begun:fire()
    news:wait()
  end
end

return M
