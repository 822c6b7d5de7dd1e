--- The launch of an instance by its supervisor: the same action as that of `up`, from the record as it is. Effects: as of
--- run/launch.
local lazy = require "holos.core.lazy"
local confine = lazy "holos.run.confine"
local err = require "holos.core.err"
local facts = lazy "holos.run.facts"
local instance = lazy "holos.run.action.instance" -- what launches is most of holos, and most VMs never need it again
local probe = lazy "holos.run.probe"
local record_ = require "holos.run.record"

local M = {}

local function job_of(project, record, name, restarts)
  local world, state = project.world, project.state
  local program = err.check("QEMU", probe.find(world))
  return { state = state, record = record, launched = {}, restarts = restarts,
    facts = { qemu = { program = program }, firmware = facts.firmware(world), virtiofsd = facts.virtiofsd(world),
      records = record_.all(world, state) },
    confinement = confine.look(world, program),
    take_lock = function() end, -- the caller holds it
    warn = function(text) project:emit { type = "supervisor.warning", instance = name, message = text } end }
end

--- Launches an instance that does not run; the caller holds its lock.
---@param restarts holos.Restarts  to be remembered
function M.run(project, record, name, restarts)
  return instance["instance.launch"](project.world, job_of(project, record, name, restarts), { instance = name })
end

return M
