--- holos args
local err = require "holos.core.err"
local args = require "holos.use.args"
local available = require "holos.use.available"
local explain = require "holos.plan.explain"
local out = require "holos.command.out"
local project = require "holos.use.project"
local text = require "holos.core.text"

local M = {
  summary = "show QEMU's command line, and what in the file each option is there for; nothing is run",
  arguments = { { name = "SERVICE", help = "a service or an instance" } },
  options = {
    { "--explain", help = "for each option the line of the file that made it, or why holos or a default did" },
    { "--recorded", help = "what runs, or what start would run, whatever the file says" },
    { "--format", value = "FORMAT", kind = "choice", choices = { "text", "json" }, help = "text, or json: one object a line" },
  },
}

-- The file's, where one is in reach; else the record's.
local function rows_for(world, options, word)
  if options.recorded then return args.of_record(project.from_record(world, options), word) end
  local ok, context = pcall(project.from_file, world, options)
  if not ok and err.is(context, "ENOFILE") then
    return args.of_record(project.from_record(world, options), word)
  end
  if not ok then error(context, 0) end
  for _, warning in ipairs(context.project.warnings) do out.warn(warning) end
  for _, finding in ipairs(available.findings(context.project)) do
    out.warn(err.render_finding(finding) .. "; up refuses it")
  end
  local rows, warnings = args.of_file(context, word)
  for _, warning in ipairs(warnings) do out.warn(warning) end
  for _, row in ipairs(rows) do
    if row.runs_otherwise then out.talk(("%s runs with other options now: add --recorded to see them"):format(row.instance)) end
  end
  return rows
end

local function quoted(words)
  local list = {}
  for i, word in ipairs(words) do list[i] = text.shell_quote(word) end
  return table.concat(list, " ")
end

local function say(line) out.result(text.escape_terminal(line)) end

-- As a shell takes it.
local function show_command(row)
  say(text.shell_quote(row.program) .. " \\")
  for position, option in ipairs(row.options) do
    say("  " .. quoted(option.words) .. (position < #row.options and " \\" or ""))
  end
end

local function show_reasons(row)
  for _, option in ipairs(row.options) do
    say(quoted(option.words))
    for _, reason in ipairs(option.reasons) do say("    " .. explain.line(reason)) end
  end
end

function M.run(world, options)
  local rows = rows_for(world, options, options.arguments[1])
  for position, row in ipairs(rows) do
    if options.format == "json" then
      out.result(world.json.encode(row, {}))
    else
      if #rows > 1 then out.result((position > 1 and "\n" or "") .. "# " .. row.instance) end
      local show = options.explain and show_reasons or show_command
      show(row)
    end
  end
  return 0
end

return M
