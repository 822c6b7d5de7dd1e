--- args: the command lines of QEMU that `up` would run, or that a recorded project would be started with. Effects: reads only.
local explain = require "holos.plan.explain"
local facts_ = require "holos.run.facts"
local images = require "holos.use.images"
local launch = require "holos.run.launch"
local leases = require "holos.run.leases"
local ports = require "holos.run.ports"
local prepare = require "holos.use.prepare"
local probe = require "holos.run.probe"
local runtime = require "holos.run.runtime"
local table_ = require "holos.core.table"
local unknown = require "holos.use.unknown"

local M = {}

local function chosen(specs, word)
  local list, known = table_.list {}, {}
  for _, spec in ipairs(specs) do
    if spec.service == word or spec.name == word then list[#list + 1] = spec end
    known[spec.service], known[spec.name] = true, true
  end
  if #list > 0 then return list end
  unknown.refuse("service or instance", word, known)
end

-- Of a range of ports the first is shown, as the launch takes the first that is free.
local function forwards_of(record, spec)
  local entry = record.instances[spec.name]
  local wanted = ports.wanted(spec, entry and entry.leased or {})
  for _, port in ipairs(wanted) do
    if port.first and port.host == 0 then port.host = port.first end
  end
  return wanted
end

local function row_of(state, program, firmware, record, spec, explained)
  local command = launch.command(state, spec, firmware, forwards_of(record, spec))
  return { instance = spec.name, service = spec.service, program = program, argv = table_.list(command.argv),
    options = explain.options(command.options, explained) }
end

-- The spec that a VM runs with; nil when it does not run.
local function running(context, name)
  local now = runtime.load(context.world, context.state, context.name, name)
  local process <close> = runtime.process(context.world, now)
  return process and runtime.applied(context.state, context.name, name, now) or nil
end

-- Whether a VM runs with other options than those that are shown.
local function runs_otherwise(context, prepared, row)
  local spec = prepared.record.instances[row.instance] and running(context, row.instance)
  if not spec then return nil end
  local command = launch.command(context.state, spec, prepared.facts.firmware, forwards_of(prepared.record, spec))
  return not table_.deep_equal(command.argv, row.argv) or nil
end

--- From the file: what `up` would launch.
---@param word string  a service or an instance
---@return table[] rows  {instance, service, program, argv, options = as of plan/explain, runs_otherwise = true?}
---@return string[] warnings
function M.of_file(context, word)
  images.require_here(context.project)
  local prepared = prepare.specs(context)
  local project, rows = context.project, table_.list {}
  leases.recall(context.world, context.state, prepared.record)
  for position, spec in ipairs(chosen(prepared.wanted.specs, word)) do
    rows[position] = row_of(context.state, prepared.facts.qemu.program, prepared.facts.firmware, prepared.record, spec,
      { name = spec.service, service = project.services[spec.service], place = project.marks })
    rows[position].runs_otherwise = runs_otherwise(context, prepared, rows[position])
  end
  return rows, prepared.wanted.warnings
end

--- From the record: what runs, or would be started.
---@param word string  a service or an instance
---@return table[] rows  as of_file gives them; options know the key at most, no place in a file
function M.of_record(context, word)
  local world, record, specs, rows = context.world, context.record, {}, table_.list {}
  leases.recall(world, context.state, record)
  for position, name in ipairs(table_.keys(record.instances)) do
    specs[position] = running(context, name) or record.instances[name].spec
  end
  local program = probe.find(world) or "qemu-system-" .. world.host.architecture()
  for position, spec in ipairs(chosen(specs, word)) do
    runtime.require_launchable(spec)
    rows[position] = row_of(context.state, program, facts_.firmware(world), record, spec, { name = spec.service })
  end
  return rows
end

return M
