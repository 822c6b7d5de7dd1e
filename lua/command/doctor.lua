--- holos doctor
local doctor = require "holos.use.doctor"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local state_ = require "holos.use.state"

local M = { summary = "check what this host has for running VMs", arguments = {}, options = { shared.FORMAT } }

local MARKS = { ok = "✔", warn = "!", fail = "✘" }

local function show(result)
  out.result(("  %s %-9s %s"):format(MARKS[result.status], result.name, result.text))
  if result.fix then out.result(("              fix: %s"):format(result.fix)) end
end

function M.run(world, options)
  local failed, warned = 0, 0
  for _, result in ipairs(doctor.run(world, state_.locate(world, options))) do
    failed = failed + (result.status == "fail" and 1 or 0)
    warned = warned + (result.status == "warn" and 1 or 0)
    if options.format == "json" then out.result(world.json.encode(result, {})) else show(result) end
  end
  if options.format ~= "json" then
    out.result(failed + warned == 0 and "all is well."
      or ("%d %s `up`, %d to note."):format(failed, failed == 1 and "problem blocks" or "problems block", warned))
  end
  return failed > 0 and 1 or 0
end

return M
