-- BuildKit's vectors for the texts of Dockerfiles: 33 + 4 + 1 files, 26 heredocs and 30 words of them, 16 lists in JSON,
-- and those tables that say nothing of variables.

local conformance = require "tests.support.conformance"
local directives = require "holos.dockerfile.directives"
local dockerfile = require "tests.support.dockerfile"
local evaluate = require "holos.dockerfile.evaluate"
local heredoc = require "holos.dockerfile.heredoc"
local instructions = require "holos.dockerfile.instructions"
local json_form = require "holos.dockerfile.json_form"
local parse = require "holos.dockerfile.parse"
local words = require "holos.dockerfile.words"

local ROOT = "buildkit-parser/"

local FILES = {
  "ADD-COPY-with-JSON", "args", "brimstone-consuldock", "brimstone-docker-consul", "continue-at-eof", "continueIndent",
  "cpuguy83-nagios", "docker", "env", "escape", "escape-after-comment", "escape-nonewline", "escape-with-syntax", "escapes",
  "flags", "health", "influxdb", "jeztah-invalid-json-json-inside-string", "jeztah-invalid-json-json-inside-string-double",
  "jeztah-invalid-json-single-quotes", "jeztah-invalid-json-unterminated-bracket",
  "jeztah-invalid-json-unterminated-string", "json", "kartar-entrypoint-oddities", "lk4d4-the-edge-case-generator", "mail",
  "multiple-volumes", "mumble", "nginx", "tf2", "trailing-backslash", "weechat", "znc",
}

for _, name in ipairs(FILES) do
  test(name, function()
    local ast, findings = parse.parse(conformance.text(ROOT .. "testfiles/" .. name .. "/Dockerfile"))
    equal(findings, nil)
    equal(dockerfile.dump(ast), conformance.text(ROOT .. "testfiles/" .. name .. "/result"))
  end)
end

local WRONG = {
  env_no_value = { line = 3, message = "ENV must have two arguments" },
  empty_dockerfile = { line = 1, message = "file with no instructions" },
  only_comments = { line = 3, message = "file with no instructions" },
  ["shykes-nested-json"] = { line = 1, message = json_form.NOT_TEXTS },
}

for name, wanted in pairs(WRONG) do
  test("refused: " .. name, function()
    local ast, findings = parse.parse(conformance.text(ROOT .. "testfiles-negative/" .. name .. "/Dockerfile"))
    equal({ ast, #findings, findings[1].line, findings[1].message }, { nil, 1, wanted.line, wanted.message })
  end)
end

test("lines of instructions", function()
  local lines = {}
  for position, node in ipairs(parse.parse(conformance.text(ROOT .. "testfile-line/Dockerfile")).instructions) do
    lines[position] = { node.line, node.end_line }
  end
  equal(lines, { { 5, 5 }, { 11, 12 }, { 17, 31 } })
end)

-- What the vectors leave out where it says nothing.
local function as_vector(heredocs)
  local list = {}
  for position, doc in ipairs(heredocs) do
    list[position] = {
      Name = doc.name, Content = doc.body, Expand = doc.expands, Chomp = doc.strips_tabs or nil,
      FileDescriptor = doc.descriptor > 0 and doc.descriptor or nil,
    }
  end
  return list
end

test("heredocs of a file", function()
  local nodes = parse.parse(conformance.text(ROOT .. "heredoc/Dockerfile")).instructions
  local wanted = conformance.json(ROOT .. "heredoc/expected.json")
  equal(#nodes, #wanted + 1)
  for position, list in ipairs(wanted) do
    equal(as_vector(nodes[position + 1].heredocs), type(list) == "table" and list or {}, nodes[position + 1].original)
  end
end)

local heredoc_words = conformance.json(ROOT .. "vectors/heredoc-words.json")

test("words that begin heredocs, are broken ones, and are none", function()
  for _, word in ipairs(heredoc_words["TestParseHeredocHelpers.validHeredocs"]) do
    equal((heredoc.parse(word) or {}).name, "EOF", word)
  end
  for _, word in ipairs(heredoc_words["TestParseHeredocHelpers.invalidHeredocs"]) do
    local found, message = heredoc.parse(word)
    equal({ found, type(message) }, { nil, "string" }, word)
  end
  for _, word in ipairs(heredoc_words["TestParseHeredocHelpers.notHeredocs"]) do
    equal({ heredoc.parse(word) }, {}, word)
  end
end)

test("heredocs of lines", function()
  for _, case in ipairs(heredoc_words["TestHeredocsFromLine.srcs"]) do
    local names = {}
    for position, doc in ipairs(heredoc.find(case.line)) do names[position] = doc.name end
    equal(names, type(case.heredocNames) == "table" and case.heredocNames or {}, case.line)
  end
end)

local arrays = conformance.json(ROOT .. "vectors/json-arrays.json")

test("lists in JSON", function()
  for text, wanted in pairs(arrays.valid) do equal(json_form.parse(text), wanted, text) end
  for _, text in ipairs(arrays.not_string_array) do
    equal({ json_form.parse(text) }, { nil, json_form.NOT_TEXTS }, text)
    local ast, findings = parse.parse("FROM a\nCMD " .. text)
    equal({ ast, findings[1].message }, { nil, json_form.NOT_TEXTS })
  end
end)

local tables, rows = {}, 0
for _, suite in ipairs(conformance.json(ROOT .. "vectors/tables.json")) do
  tables[suite.test] = suite.cases
  rows = rows + #suite.cases
end

test("words with quotes and escapes", function()
  for _, case in ipairs(tables.TestParseWords) do
    for _, input in ipairs(case.input) do equal(words.quoted(input, "\\"), case.expect, input) end
  end
end)

test("directives", function()
  for _, case in ipairs(tables["TestDirectives/TestDetectSyntax (hand-transcribed)"]) do
    local _, _, ast = parse.parse(case.dockerfile)
    ast = ast or parse.parse(case.dockerfile)
    for _, wanted in ipairs(case.directives or {}) do equal(ast.directives, { [wanted[1]] = wanted[2] }) end
    if case.syntax then equal(ast.directives.syntax:match("^%S+"), case.syntax) end
    if case.cmdline then equal(ast.directives.syntax, case.cmdline) end
  end
  equal(directives.parse "# nothing = FOO bar", nil)
end)

test("sources and destinations of COPY", function()
  for _, case in ipairs(tables.TestCopyHeredoc) do
    local said = instructions.read(parse.parse(case.dockerfile).instructions[1])
    local wanted, contents = case.sourcesAndDest, {}
    for position, doc in ipairs(said.inline) do
      contents[position] = { Path = doc.name, Data = doc.content, Expand = doc.expands }
    end
    equal({ said.target, said.sources, contents }, { wanted.DestPath, wanted.SourcePaths or {}, wanted.SourceContents or {} })
  end
end)

test("heredocs of RUN", function()
  for _, case in ipairs(tables.TestRunHeredoc) do
    local said = instructions.read(parse.parse(case.dockerfile).instructions[1])
    local docs = {}
    for position, doc in ipairs(said.heredocs) do
      docs[position] = { Name = doc.name, Data = doc.body, Chomp = doc.strips_tabs or nil }
    end
    equal({ said.words or { said.text }, said.text ~= nil, docs }, { case.command, case.shell, case.files or {} })
  end
end)

test("instructions that are wrong", function()
  for _, name in ipairs { "TestErrorCases", "TestErrorCasesHeredoc" } do
    for _, case in ipairs(tables[name]) do
      local recipe, findings = evaluate.read(case.dockerfile)
      equal(recipe, nil, case.name)
      ok(findings[1].message:find(case.expectedError, 1, true), case.name .. ": " .. findings[1].message)
    end
  end
end)

test("no row is left out", function()
  local counts = {}
  for _, list in pairs(heredoc_words) do counts[#counts + 1] = #list end
  table.sort(counts)
  local valid = 0
  for _ in pairs(arrays.valid) do valid = valid + 1 end
  equal({ #FILES, counts, valid, #arrays.not_string_array, rows }, { 33, { 4, 7, 9, 10 }, 8, 8, 47 + 8 + 8 + 6 + 7 + 6 + 4 })
end)
