--- holos networks
local err = require "holos.core.err"
local networks = require "holos.use.networks"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local text = require "holos.core.text"

local M = {
  summary = "list networks, or show who is in one",
  arguments = {
    { name = "ACTION", choices = { "ls", "inspect" }, help = "ls or inspect" },
    { name = "NETWORK", optional = true, help = "inspect: a network, by its name in the file or its whole one" },
  },
  options = {
    { "-a", "--all", help = "the networks of all projects" },
    { "-q", "--quiet", of = "ls", help = "names only" },
    shared.FORMAT,
  },
}

local function group(row) return row.group and ("%s:%d"):format(row.group, row.port) or "-" end

local function show(cells)
  for _, line in ipairs(text.columns(cells)) do out.result(text.escape_terminal(line)) end
end

local actions = {}

function actions.ls(world, options, rows)
  local cells = { { "PROJECT", "NETWORK", "NAME", "DRIVER", "SUBNET", "MULTICAST", "INTERNAL", "INSTANCES", "STATE" } }
  for i, row in ipairs(rows) do
    if options.quiet then out.result(row.name)
    elseif options.format == "json" then out.result(world.json.encode(row, {})) end
    cells[i + 1] = { row.project, row.key, row.name, row.driver, row.subnet or "-", group(row), row.internal and "yes" or "no",
      tostring(#row.members), row.state }
  end
  if options.quiet or options.format == "json" then return end
  show(cells)
end

local function internal_words(row)
  return row.internal and "yes: instances that are in no other have no way out, and 10.0.2.2 is closed to them" or "no"
end

function actions.inspect(world, options, rows, word)
  if not word then err.raise { message = "inspect which network?", exit = 64, hint = "holos networks inspect NETWORK" } end
  local row = networks.one(rows, word)
  if options.format == "json" then return out.result(world.json.encode(row, {})) end
  local head = { { "network", row.key }, { "name", row.name }, { "project", row.project }, { "state", row.state },
    { "driver", row.driver }, { "subnet", row.subnet or "-" }, { "multicast", row.group and group(row) .. " on loopback" or "-" },
    { "internal", internal_words(row) } }
  show(head)
  out.result ""
  local cells = { { "INSTANCE", "ADDRESS", "MAC", "INTERFACE", "NAMES" } }
  for i, member in ipairs(row.members) do
    cells[i + 1] = { member.instance, member.address or "-", member.mac, member.interface or "-",
      table.concat(member.names, " ") }
  end
  show(cells)
end

function M.run(world, options)
  local rows, warnings = networks.rows(world, options)
  for _, warning in ipairs(warnings) do out.warn(warning) end
  actions[options.arguments[1]](world, options, rows, options.arguments[2])
  return 0
end

return M
