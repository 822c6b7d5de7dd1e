--- holos state
local err = require "holos.core.err"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local state_ = require "holos.use.state"

local M = {
  summary = "check what holos has recorded against what is there, or copy records, keys and secrets",
  arguments = {
    { name = "ACTION", choices = { "check", "backup" }, help = "check or backup" },
    { name = "WHAT", optional = true,
      help = "check: the project, none means all; backup: the directory to make, or the archive when it ends in .tar" },
  },
  options = { shared.FORMAT, shared.LOCK_TIMEOUT, shared.NO_WAIT },
}

local function show(world, options, finding)
  if options.format == "json" then return out.result(world.json.encode(finding, {})) end
  out.result(("%s: %s"):format(finding.where, finding.text))
  if finding.fix then out.result("  " .. finding.fix) end
end

local actions = {}

function actions.check(world, state, options, project)
  local findings, seen = state_.check(world, state, project or options.project_name)
  for _, finding in ipairs(findings) do show(world, options, finding) end
  if options.format ~= "json" then
    out.talk(("%d projects, %d instances, %d volumes: %s"):format(seen.projects, seen.instances, seen.volumes,
      #findings == 0 and "all is well" or ("%d things to see to; nothing was changed"):format(#findings)))
  end
  return #findings > 0 and 1 or 0
end

function actions.backup(world, state, options, target)
  if not target then err.raise { message = "backup to where?", exit = 64, hint = "holos state backup DIRECTORY, or FILE.tar" } end
  local context = { world = world, state = state, options = options, name = options.project_name }
  local made = state_.backup(context, target, { notice = out.talk })
  out.talk(("%s: %d files of %d projects; disks are not in it, private keys and secrets are"):format(made.target,
    made.files, #made.projects))
  return 0
end

function M.run(world, options)
  local words = options.arguments
  return actions[words[1]](world, state_.locate(world, options), options, words[2])
end

return M
