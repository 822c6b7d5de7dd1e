--- networks: those of a project, or of all; without locks. Effects: reads only.
local err = require "holos.core.err"
local instance = require "holos.plan.instance"
local network = require "holos.plan.network"
local networks = require "holos.plan.networks"
local project_ = require "holos.use.project"
local record_ = require "holos.run.record"
local state_ = require "holos.use.state"
local table_ = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

-- As `up` would lease them; what stands in the way of that is told.
local function planned(world, options)
  local context = project_.from_file(world, options)
  local project, records = context.project, record_.all(world, context.state)
  local empty = record_.new(context.name, project.directory, project.files)
  local instances = instance.list(project, empty)
  local facts = { sha256 = world.hash.sha256, routes = world.net.routes() or {}, records = records }
  local leases, findings, warnings = network.leases(project, instances, empty, facts)
  for _, finding in ipairs(findings) do warnings[#warnings + 1] = finding.message end
  return networks.of_project(project, instances, leases, facts), warnings
end

local function of_all(world, options)
  local records, damaged = record_.all(world, state_.locate(world, options))
  local rows = table_.list {}
  for _, name in ipairs(table_.keys(records)) do table_.extend(rows, networks.of_record(records[name])) end
  return rows, table_.map(damaged, function(bad) return bad.message end)
end

--- The networks of the project in reach, from its record, or from its file when it was not made yet; of all recorded
--- projects when none is in reach, or with options.all.
---@return holos.NetworkRow[] rows
---@return string[] warnings
function M.rows(world, options)
  if options.all then return of_all(world, options) end
  local ok, context = pcall(project_.from_record, world, options)
  if ok then return networks.of_record(context.record), context.notices end
  if not err.is(context) then error(context, 0) end
  if context.code == "ENOFILE" then return of_all(world, options) end
  if context.code ~= "ENOPROJECT" then error(context, 0) end
  if project_.asked_name(world, options) and not options.file then error(context, 0) end
  local is_planned, rows, warnings = pcall(planned, world, options)
  if not is_planned then error(err.is(rows, "ENOFILE") and context or rows, 0) end
  return rows, warnings
end

--- The one network of a name; raises when there is none, or several.
function M.one(rows, word)
  local named, names = networks.named(rows, word), {}
  if #named == 1 then return named[1] end
  for i, row in ipairs(#named > 1 and named or rows) do names[i] = row.name end
  local words = table_.extend(table_.map(rows, function(row) return row.key end), names)
  if #named > 1 then
    err.raise { message = ("several networks are called %q"):format(word), code = "EAMBIGUOUS", exit = 64,
      hint = "name one: " .. table.concat(names, " ") }
  end
  local near = text.nearest(word, words)
  err.raise { message = ("there is no network %q"):format(word), code = "ENOENT",
    hint = near and ("did you mean %q?"):format(near) or #names > 0 and "there are: " .. table.concat(names, " ") or nil }
end

return M
