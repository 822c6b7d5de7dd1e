--- holos config
local config = require "holos.use.config"
local err = require "holos.core.err"
local out = require "holos.command.out"
local output = require "holos.use.output"
local table_ = require "holos.core.table"
local text = require "holos.core.text"

local M = {
  summary = "print what the files say, merged: one document that loads to the same project",
  arguments = {
    { name = "SERVICE", optional = true, repeated = true, help = "these services and what they wait for; none means all" },
  },
  options = {
    { "--format", value = "FORMAT", kind = "choice", choices = { "yaml", "json" }, help = "yaml or json; lists as JSON, too" },
    { "-o", "--output", value = "FILE", help = "write it there; - is standard output" },
    { "-q", "--quiet", help = "print errors only" },
    { "--explain", help = "say behind each line which line of which file it comes from" },
    { "--services", help = "print the names of the services" },
    { "--volumes", help = "print the names of the volumes" },
    { "--networks", help = "print the names of the networks" },
    { "--images", help = "print the images" },
    { "--profiles", help = "print the profiles" },
    { "--variables", help = "print every variable that the files name, with what they take instead" },
    { "--environment", help = "print the variables that the files have, with their values" },
    { "--hash", value = "SERVICE", help = "print the hash of a service, or of several with commas between them, or of all: *" },
    { "--no-interpolate", help = "leave variables in place" },
    { "--no-normalize", help = "leave out names, networks and defaults that no file says" },
    { "--no-path-resolution", help = "leave relative paths as they are" },
    { "--no-consistency", help = "do not hold services against each other and against this host" },
    { "--no-env-resolution", help = "leave env_file and label_file in place, unread" },
  },
}

local NAMES = { "services", "volumes", "networks", "images", "profiles" }

-- The one thing that is to be printed instead of the document; "quiet" is nothing.
local function asked_for(options)
  local asked
  for _, word in ipairs { "quiet", "variables", "environment", "hash", table.unpack(NAMES) } do
    if options[word] and asked then
      err.raise { message = ("--%s and --%s exclude each other"):format(asked, word), code = "EUSAGE", exit = 64 }
    end
    asked = options[word] and word or asked
  end
  return asked
end

local function require_sense(options)
  local problem = options.explain and options.format == "json" and "--explain: JSON has no comments; leave out --format json"
    or options.hash and options.no_interpolate and "--hash: hashes need the values of variables; leave out --no-interpolate"
  if problem then err.raise { message = problem, code = "EUSAGE", exit = 64 } end
end

-- What is a form of the whole document is none of a list.
local function require_form(options, asked)
  local form = options.explain and "--explain" or options.format == "yaml" and "--format yaml"
  if not form or not asked or asked == "quiet" then return end
  err.raise { message = ("%s: --%s is printed as lines, or with --format json"):format(form, asked), code = "EUSAGE", exit = 64 }
end

-- Values may hold anything, and a line is one of them.
local function on_one_line(line) return (text.escape_terminal(line):gsub("\n", "\\n"):gsub("\t", "\\t")) end

local function lines_of(lines)
  for i, line in ipairs(lines) do lines[i] = on_one_line(line) end
  return #lines > 0 and table.concat(lines, "\n") .. "\n" or ""
end

local INDENT = 2

-- JSON may hold these as they are; YAML, which it is read as, may not, and terminals take them for commands.
local function escape_controls(bytes)
  return (bytes:gsub("\127", "\\u007f"):gsub("\194([\128-\159])", function(second) return ("\\u00%02x"):format(second:byte()) end))
end

local function json(context, value)
  return escape_controls(assert(context.world.json.encode(value, { indent = INDENT }))) .. "\n"
end

local printers = {}

for _, kind in ipairs(NAMES) do
  printers[kind] = function(context)
    local names = config.names(context, kind)
    if context.options.format == "json" then return json(context, table_.list(names)) end
    return lines_of(names)
  end
end

-- Pairs as lines, or as an object.
local function pairs_of(context, list, lines)
  if context.options.format ~= "json" then return lines_of(lines(list)) end
  local object = {}
  for _, pair in ipairs(list) do object[pair[1]] = pair[2] end
  return json(context, object)
end

function printers.environment(context)
  return pairs_of(context, config.environment(context), function(list)
    return table_.map(list, function(pair) return ("%s=%s"):format(pair[1], pair[2]) end)
  end)
end

function printers.hash(context)
  return pairs_of(context, config.hashes(context, context.options.hash), text.columns)
end

function printers.variables(context)
  local variables = config.variables(context)
  if context.options.format == "json" then return json(context, variables) end
  local cells = { { "NAME", "REQUIRED", "DEFAULT", "ALTERNATE" } }
  for _, variable in ipairs(variables) do
    cells[#cells + 1] = { variable.name, tostring(variable.required), on_one_line(variable.default or ""),
      on_one_line(variable.alternate or "") }
  end
  return lines_of(text.columns(cells))
end

local function document(context)
  if context.options.format == "json" then return json(context, (config.document(context))) end
  return config.yaml(context, context.options.explain)
end

-- What variables hold may be a secret.
local function put(context, name, bytes)
  if output.is_standard(name) then return out.bytes(bytes) end
  output.put(context.world, name, bytes, { sources = context.sources, is_private = true })
end

function M.run(world, options)
  require_sense(options)
  local asked = asked_for(options)
  require_form(options, asked)
  local context = config.load(world, options)
  for _, warning in ipairs(context.warnings) do out.warn(warning) end
  local bytes = (printers[asked] or document)(context)
  if not options.quiet then put(context, options.output, bytes) end
  return 0
end

return M
