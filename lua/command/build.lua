--- holos build
local amounts = require "holos.plan.build"
local build = require "holos.use.build"
local err = require "holos.core.err"
local out = require "holos.command.out"
local shared = require "holos.command.shared"
local table_ = require "holos.core.table"
local text = require "holos.core.text"

local M = {
  summary = "check Dockerfiles, or show what they do; `up` runs their steps in the machines",
  arguments = { { name = "SERVICE", optional = true, repeated = true, help = "services with build:; none means all" } },
  options = {
    { "--check", help = "say what could be better in the Dockerfiles; exit with 1 where one says check=error=true" },
    { "--print", help = "show the steps, what they take along, and what runs afterwards" },
    shared.FORMAT,
  },
}

local function check(world, options, rows)
  local found, is_error = build.check(rows)
  for _, one in ipairs(found) do
    if options.format == "json" then
      out.result(world.json.encode(one, {}))
    else
      out.result(("%s:%d: %s: %s"):format(text.escape_terminal(one.file), one.line, one.rule, one.message))
    end
  end
  if #found == 0 then out.talk("nothing to say about " .. (#rows == 1 and "the Dockerfile" or #rows .. " Dockerfiles")) end
  return is_error and 1 or 0
end

local function size_of(entries) return amounts.amount({ entries }) end

-- How a step is done: as whom and where, or what goes where.
local function manner(step, row)
  if step.kind == "run" then return ("as %s in %s"):format(step.user or "root", step.workdir or "/") end
  if step.kind == "workdir" then return ("made for %s"):format(step.user or "root") end
  local what = step.number and size_of(row.build.entries[step.number]) .. " " or ""
  return what .. "to " .. step.target .. (step.chown and " of " .. step.chown or "")
end

local function show(row)
  local recipe, cells = row.recipe, {}
  out.result(text.escape_terminal(("%s  %s, from %s, %s"):format(row.service, row.file, recipe.from.text, row.context)))
  for number, step in ipairs(row.build.steps) do cells[number] = { tostring(number), step.title, manner(step, row) } end
  for _, line in ipairs(text.columns(cells)) do out.result(text.escape_terminal("  " .. line)) end
  local app = row.service_of.app
  if app then
    out.result(text.escape_terminal(("  app  %s  as %s in %s"):format(table.concat(table_.map(app.argv, text.shell_quote), " "),
      app.user or "root", app.working_dir or "/")))
  end
  out.result("  digest  " .. row.build.digest)
end

-- What each step takes along, with the digests of files.
local function files_of(entries)
  return table_.list(table_.map(entries, function(entry)
    return { name = entry.name, type = entry.type, mode = ("%o"):format(entry.mode), size_bytes = entry.size_bytes,
      sha256 = entry.digest, target = entry.target }
  end))
end

-- A step without the passwords of the addresses that it fetches.
local function told(step)
  local copy = table_.copy(step)
  for _, remote in ipairs(copy.remotes or {}) do remote.url, remote.shown = remote.shown or remote.url, nil end
  return copy
end

local function data(row)
  return { service = row.service, file = row.file, context = row.context, from = row.recipe.from.text, digest = row.build.digest,
    steps = table_.list(table_.map(row.build.steps, told)), files = table_.list(table_.map(row.build.entries, files_of)) }
end

local function print_rows(world, options, rows)
  for _, row in ipairs(rows) do
    if options.format == "json" then out.result(world.json.encode(data(row), {})) else show(row) end
  end
  return 0
end

-- What the checks say themselves.
local function is_of_dockerfile(rows, warning)
  for _, row in ipairs(rows) do
    if warning:sub(1, #row.file + 1) == row.file .. ":" then return true end
  end
  return false
end

function M.run(world, options)
  if options.check and options.print then
    err.raise { message = "--check and --print exclude each other", code = "EUSAGE", exit = 64 }
  elseif not options.check and not options.print then
    err.raise { message = "build what? Machines are made by `holos up`, which runs the steps in them", code = "EUSAGE", exit = 64,
      hint = "holos build --check looks for mistakes · holos build --print shows the steps" }
  end
  local rows, context = build.rows(world, options, options.arguments)
  for _, warning in ipairs(context.project.warnings) do
    if not (options.check and is_of_dockerfile(rows, warning)) then out.warn(warning) end
  end
  if #rows == 0 then out.talk "no service has build:" end
  return (options.check and check or print_rows)(world, options, rows)
end

return M
