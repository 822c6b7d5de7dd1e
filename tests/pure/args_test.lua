--- Command lines by option tables, and what else the tables give.

local args = require "holos.core.args"
local manual = require "holos.core.manual"

local SPEC = {
  options = {
    { "-f", "--file", value = "FILE", repeated = true, help = "a file" },
    { "-n", "--tail", value = "LINES", kind = "integer", least = 0, help = "how many" },
    { "--wait-timeout", value = "DURATION", kind = "duration", help = "how long" },
    { "--memory", value = "SIZE", kind = "size", help = "how much" },
    { "--ansi", value = "WHEN", kind = "choice", choices = { "auto", "always", "never" }, help = "when" },
    { "-q", "--quiet", help = "say less" },
    { "-d", "--detach", help = "do not wait" },
    { "-h", "--help", help = "this" },
  },
  arguments = { { name = "SERVICE", optional = true, repeated = true } },
}

local function parse(...)
  return args.parse({ ... }, SPEC)
end

local function refused(message, ...)
  local problem = raises(message, args.parse, { ... }, SPEC)
  equal({ problem.exit, problem.code }, { 64, "EUSAGE" })
  return problem.hint
end

test("options stand anywhere, before and after arguments", function()
  equal(parse("web", "--detach", "db", "-n", "5", "x"),
    { detach = true, tail = 5, arguments = { "web", "db", "x" } })
end)

test("an option of other actions is refused, wherever it stands; help says whose it is", function()
  local spec = { usage = function() return "usage: x ACTION" end, arguments = { { name = "ACTION", optional = true } },
    options = { { "-n", "--name", value = "NAME", of = "import, export", help = "its name" }, { "-q", of = "ls", help = "less" } } }
  equal(args.parse({ "-nx", "export" }, spec), { name = "x", arguments = { "export" } })
  for words, message in pairs { ["port -nx"] = "-n is for import and export only", ["-q export"] = "-q is for ls only",
    ["--name=x"] = "--name is for import and export only", ["-qnx ls"] = "-n is for import and export only" } do
    local list = {}
    for word in words:gmatch("%S+") do list[#list + 1] = word end
    local problem = raises(message, args.parse, list, spec)
    equal({ problem.exit, problem.hint }, { 64, "usage: x ACTION" })
  end
  equal({ manual.about(spec.options[1]), manual.about { help = "x" } }, { "import, export: its name", "x" })
end)

test("every spelling of a value", function()
  for _, line in ipairs { "--tail 5", "--tail=5", "-n 5", "-n5", "-tail 5", "-tail=5" } do
    local words = {}
    for word in line:gmatch("%S+") do words[#words + 1] = word end
    equal(args.parse(words, SPEC), { tail = 5, arguments = {} }, line)
  end
end)

test("repeated options are lists, later ones of others win", function()
  equal(parse("-f", "a", "--file=b", "-fc").file, { "a", "b", "c" })
  equal(parse("-n1", "-n2").tail, 2)
end)

test("short options can be written together, the last with its value", function()
  equal(parse("-qdn3"), { quiet = true, detach = true, tail = 3, arguments = {} })
  equal(parse("-qf", "x"), { quiet = true, file = { "x" }, arguments = {} })
end)

test("behind -- everything is an argument", function()
  equal(parse("-q", "--", "-n", "--detach"), { quiet = true, arguments = { "-n", "--detach" } })
end)

test("kinds have their units: milliseconds, bytes, whole numbers", function()
  equal(parse("--wait-timeout", "1m30s").wait_timeout, 90000)
  equal(parse("-wait-timeout", "5").wait_timeout, 5000)
  equal(parse("--memory", "1.5g").memory, 1610612736)
  equal(parse("-n", "0").tail, 0)
  refused('--tail: expected a whole number, got "many"', "--tail", "many")
  refused("--tail: -1 is below 0", "--tail", "-1")
  refused('--wait-timeout: expected a duration such as 30s or 1m30s, got "soon"', "--wait-timeout", "soon")
  equal(refused('--ansi: expected auto, always, never, got "allways"', "--ansi", "allways"), "did you mean always?")
end)

test("flags take true and false with an equals sign", function()
  equal(parse("--detach=false").detach, false)
  equal(parse("--detach=true").detach, true)
  refused('--detach: takes no value but true or false, got "yes"', "--detach=yes")
end)

test("unknown options name the nearest one", function()
  equal(refused("unknown option --detatch", "--detatch"), "did you mean --detach?")
  equal(refused("unknown option -x", "-x"), nil)
  refused("unknown option --", "--=x")
  refused("--tail wants a value (LINES)", "--tail")
  refused("-n wants a value (LINES)", "-qn")
end)

test("arguments are counted, and checked against choices", function()
  local spec = { options = {}, arguments = { { name = "WHAT", choices = { "bash", "man" } } },
    usage = function() return "usage: x WHAT" end }
  equal(args.parse({ "man" }, spec).arguments, { "man" })
  equal(raises("missing WHAT", args.parse, {}, spec).hint, "usage: x WHAT")
  raises('"b" is one argument too many', args.parse, { "man", "b" }, spec)
  equal(raises('WHAT: expected bash, man, got "mann"', args.parse, { "mann" }, spec).hint, "did you mean man?")
end)

test("words behind an argument marked rest are its own, options too", function()
  local spec = { options = SPEC.options, arguments = {
    { name = "INSTANCE" }, { name = "COMMAND", optional = true, repeated = true, rest = true } } }
  equal(args.parse({ "-q", "db-0", "psql", "-h", "--quiet=x", "--", "y" }, spec),
    { quiet = true, arguments = { "db-0", "psql", "-h", "--quiet=x", "--", "y" } })
  equal(args.parse({ "db-0", "--", "-d" }, spec).arguments, { "db-0", "-d" })
end)

test("with --help nothing is missing", function()
  local spec = { options = SPEC.options, arguments = { { name = "INSTANCE" } } }
  equal(args.parse({ "-h" }, spec).help, true)
end)

test("one table gives the help of a command", function()
  local up = { summary = "start", options = { SPEC.options[2] }, arguments = SPEC.arguments }
  local lines = manual.help("holos", "up", up)
  equal(lines[1], "usage: holos up [OPTIONS] [SERVICE…]")
  ok(table.concat(lines, "\n"):find("  -n, --tail LINES  how many", 1, true))
end)
