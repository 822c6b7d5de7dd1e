-- How Dockerfiles are read: what is said of wrong ones, and what no text may cost.

local heredoc = require "holos.dockerfile.heredoc"
local json_form = require "holos.dockerfile.json_form"
local parse = require "holos.dockerfile.parse"
local shell = require "holos.dockerfile.shell"

local function findings_of(text)
  local ast, findings = parse.parse(text)
  equal(ast, nil)
  local said = {}
  for position, finding in ipairs(findings) do said[position] = ("%d: %s"):format(finding.line, finding.message) end
  return said
end

test("all that is wrong is said at once, by line", function()
  equal(findings_of 'FROM debian:12\nENV A\nRUN <<EOF\nx\nEOF\nCMD ["a", 1]\nENV B=1 C\nRUN <<X\n', {
    "2: ENV must have two arguments",
    "6: when using JSON array syntax, arrays must be comprised of strings only",
    '7: can\'t find = in "C": it must be of the form name=value',
    "8: unterminated heredoc: no line holds X alone",
  })
end)

test("directives once each, with known values, at the top only", function()
  equal(findings_of "# escape=\\\n# Escape = `\nFROM a\n",
    { "2: only one escape parser directive can be used; there is one on line 1" })
  equal(findings_of "# escape=x\nFROM a\n", { '1: the escape character "x" is neither \\ nor `' })
  equal(parse.parse("# check=skip=A\n# syntax=x\nFROM a\n# escape=`\n").directives, { check = "skip=A", syntax = "x" })
  equal(parse.parse("#\n# escape=`\nFROM a\n").escape, "\\")
end)

test("texts that are no text", function()
  equal(findings_of "FROM a\0b\n", { "1: there is a NUL byte in it" })
  equal(findings_of "# caf\xE9\nFROM a\nENV A=caf\xE9\n", { "3: it is not UTF-8" })
  equal(findings_of "\255\254F\0R\0", { "1: the file is UTF-16" })
  equal(parse.parse("\239\187\191# escape=`\nFROM a\n").escape, "`")
end)

test("lines of Windows", function()
  local ast = parse.parse("FROM a\r\nRUN a \\\r\n  b\r\nRUN <<EOF\r\nx\r\nEOF\r\n")
  equal({ ast.instructions[2].text, ast.instructions[3].heredocs[1].body }, { "a   b", "x\r\n" })
end)

test("limits: bytes, lines, instructions", function()
  equal(findings_of(("#"):rep(1 << 21)), { "1: the file is larger than 1048576 bytes" })
  equal(findings_of("FROM a\nRUN " .. ("x"):rep(70000) .. "\n"),
    { "2: dockerfile line greater than max allowed size of 65535 bytes" })
  equal(findings_of(("RUN a\n"):rep(5000)), { "1001: there are more than 1000 instructions" })
  ok(parse.parse("FROM a\nRUN " .. ("x\\\n"):rep(100000) .. "y\n"))
end)

test("what is misspelt is found", function()
  equal({ parse.nearest "RNU", parse.nearest "ENTRYPIONT", parse.nearest "SERVICES" }, { "RUN", "ENTRYPOINT" })
end)

test("a list that is none is said to be none, and a test of the shell is not taken for one", function()
  local ast = parse.parse("FROM a\nCMD ['a', 'b']\nRUN [ \"$A\" = \"b\" ]\nRUN a \\\n\n  b\n")
  equal({ #ast.warnings, ast.warnings[1].rule, ast.warnings[1].line, ast.warnings[2].rule, ast.warnings[2].line },
    { 2, "JSONArgsInvalid", 2, "NoEmptyContinuation", 4 })
end)

test("heredocs without their tabs", function()
  local doc = parse.parse("FROM a\nRUN <<-X\n\ta\n\n\t\tb\nc\td\n\tX\n").instructions[2].heredocs[1]
  equal(heredoc.content(doc), "a\n\nb\nc\td\n")
end)

test("names of heredocs with blanks, in COPY too", function()
  local node = parse.parse("FROM a\nCOPY <<'a b' << c /x/\n1\na b\n2\nc\n").instructions[2]
  equal(node.words, { "<<'a b'", "<< c", "/x/" })
  equal({ node.heredocs[1].body, node.heredocs[2].body, node.end_line }, { "1\n", "2\n", 6 })
end)

test("JSON as strict as it is", function()
  for _, text in ipairs { '["a",]', '[,"a"]', '["a" "b"]', "['a']", '["a"] x', '["\\x"]', '["\t"]', '["\\u12"]', "[01]", "[1.]",
    "[+1]", '[{"a"}]', '[{"a":1,}]', "[tru]", '["a"', "[", '["a\\', ("["):rep(100000) } do
    equal({ json_form.parse(text) }, {}, text)
  end
  equal(json_form.parse '["\\u20ac\\ud83d\\ude00\\ud800x\127"]', { "€😀\u{FFFD}x\127" })
  equal({ json_form.parse '[-1.5e+3, {"a": [null, true], "b": {}}, "x"]' }, { nil, json_form.NOT_TEXTS })
end)

test("substitutions cost what they are worth, whatever they are", function()
  local nested = ("${A:-"):rep(2000) .. ("}"):rep(2000)
  equal(select(2, shell.word(nested, {})), "its substitutions stand inside each other more than 50 levels deep")
  equal(shell.word(("${A:-"):rep(40) .. "x" .. ("}"):rep(40), {}), "x")
  equal(select(2, shell.word(("$A"):rep(200), { A = ("x"):rep(1000) })), "with its variables it would be longer than 131072 bytes")
  local budget, refused = shell.budget(), nil
  local environment = { A = ("x"):rep(60000) }
  for _ = 1, 1000 do
    local _, message = shell.word("$A$A", environment, { budget = budget })
    refused = refused or type(message) == "string" and message
  end
  equal(refused, "its variables, or those before it, make too much text of it")
end)

test("patterns cost what they are worth, whatever they are", function()
  local long = ("a"):rep(100000)
  for _, pattern in ipairs { ("a*"):rep(2000) .. "b", ("?"):rep(20000) .. "b", ("a?"):rep(10000) .. "b",
    "*" .. ("a"):rep(50000) .. "b" } do
    for _, operator in ipairs { "#", "##", "%", "%%", "//" } do
      local text, budget = ("${A%s%s%s}"):format(operator, pattern, operator == "//" and "/x" or ""), shell.budget()
      budget.steps = 100000
      local result, message = shell.word(text, { A = long }, { budget = budget })
      ok(result == long or message == "its patterns, or those before it, take too long to match", text:sub(1, 20))
    end
  end
end)

test("patterns know characters, and the shortest and longest text", function()
  local environment = { A = "äöü.tar.gz", B = "a\nb", C = "€€", D = "xyx" }
  for text, wanted in pairs {
    ["${A#?}"] = "öü.tar.gz", ["${A%??}"] = "äöü.tar.", ["${A%.*}"] = "äöü.tar", ["${A%%.*}"] = "äöü", ["${A##*.}"] = "gz",
    ["${A#*.}"] = "tar.gz", ["${B#a?}"] = "b", ["${B%%*}"] = "", ["${B%*}"] = "a\nb", ["${C//?/x}"] = "xx", ["${C/?/}"] = "€",
    ["${D//x/}"] = "y", ["${D//*/z}"] = "z", ["${D//q/z}"] = "xyx", ["${D//x*x/}"] = "", ["${D/#x/}"] = "xyx",
  } do equal(shell.word(text, environment), wanted, text) end
  equal({ shell.word("${A#\\x}", environment) }, { nil, 'invalid escape \\x in the pattern "\\\\x"' })
end)

test("the escape character may be another one", function()
  local o = { escape = "`" }
  equal({ shell.word("a`$A\\b", { A = "x" }, o), (shell.word('"`$A`x"', {}, o)) }, { "a$A\\b", "$A`x" })
end)
