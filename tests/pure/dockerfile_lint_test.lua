-- What is said of Dockerfiles that work.

local evaluate = require "holos.dockerfile.evaluate"
local lint = require "holos.dockerfile.lint"
local parse = require "holos.dockerfile.parse"

local function found_in(text, o)
  local ast = parse.parse(text)
  o = o or {}
  o.architecture = "x86_64"
  local list, is_error = lint.lint(ast, (evaluate.evaluate(ast, o)))
  local said = {}
  for position, item in ipairs(list) do said[position] = ("%d %s: %s"):format(item.line, item.rule, item.message) end
  return said, is_error
end

-- what follows FROM → what is found
local CASES = {
  { "RUN a\nEnv A=1", "3 ConsistentInstructionCasing: Command 'Env' should match the case of the command majority (uppercase)" },
  { "CMD a", "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals" },
  { 'SHELL ["bash", "-c"]\nCMD a' },
  { "CMD ['a']",
    "2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
    "2 JSONArgsInvalid: CMD looks like a list in JSON and is none: the shell gets it as it stands" },
  { "ENV a b", '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format' },
  { "LABEL a b", '2 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format' },
  { "MAINTAINER me",
    "2 MaintainerDeprecated: The MAINTAINER instruction is deprecated, use a label instead to define an image author" },
  { 'CMD ["a"]\nCMD ["b"]',
    "3 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one "
    .. "will be used" },
  { "RUN a \\\n\n b", "2 NoEmptyContinuation: empty continuation line: there is an empty line inside of this instruction" },
  { "ARG AWS_SECRET_ACCESS_KEY\nENV APIKEY=x PUBLIC_KEY=y MONKEY=z",
    '2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "AWS_SECRET_ACCESS_KEY")',
    '3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "APIKEY")' },
  { "ENV PATH=$PAHT:/app", "2 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)" },
  { "COPY $foo /x/", "" },
  { "ARG foo\nENV A=$foo B=${bar:-1} C=${baz+2}" },
  { "WORKDIR app\nWORKDIR /a\nWORKDIR b",
    '2 WorkdirRelativePath: Relative workdir "app" can have unexpected results if the base image changes' },
  { "EXPOSE 80/TCP", "2 ExposeProtoCasing: EXPOSE 80/TCP: the protocol should be lower case" },
  { "EXPOSE 80:80",
    "2 ExposeInvalidFormat: EXPOSE 80:80: no address and no port of the host belong here; ports are published by ports:" },
  { "ONBUILD RUN a",
    "2 NoMeaning: ONBUILD RUN is not run: it is for images that start from this one, and machines do not" },
  { "RUN <<EOF\r\na\r\nEOF\r\n", "2 CarriageReturn: the lines of EOF end in CR LF: the shell takes the CR for part of them" },
  { "RUN --network=host a", "2 NoMeaning: --network=host: a machine has a network of its own; the step has that" },
}

for _, case in ipairs(CASES) do
  test(case[1], function()
    if case[2] == "" then return equal(found_in("FROM a\n" .. case[1]), {}) end -- no recipe: that is an error already
    equal(found_in("FROM a\n" .. case[1]), { table.unpack(case, 2) })
  end)
end

test("stages", function()
  equal(found_in "FROM a as Context", {
    "1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match",
    '1 ReservedStageName: Stage name should not use the same name as reserved stage "context"',
    "1 StageNameCasing: Stage name 'Context' should be lowercase",
  })
  equal(found_in "FROM a AS x\nFROM b AS X", {
    '2 DuplicateStageName: Duplicate stage name "x", stage names should be unique',
    "2 StageNameCasing: Stage name 'X' should be lowercase",
  })
  equal(found_in "ARG V=1\nFROM a:$V$W", { "2 UndefinedArgInFrom: FROM argument 'W' is not declared" })
  equal(found_in "FROM --platform=$TARGETPLATFORM a", {
    "1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default "
    .. "behavior",
  })
  equal(found_in "FROM --platform=linux/amd64 a",
    { '1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"' })
end)

test("arguments that nobody declares", function()
  equal(found_in("FROM a\nARG A", { args = { A = "1", B = "2", HTTP_PROXY = "p", TARGETARCH = "x" } }),
    { "1 UnusedBuildArg: the argument B is given, and no ARG declares it" })
end)

test("a file says what is skipped, and whether the rest are errors", function()
  local text = "FROM a\nCMD a\nMAINTAINER me"
  equal(#found_in(text), 2)
  equal({ found_in("# check=skip=JSONArgsRecommended,MaintainerDeprecated\n" .. text) }, { {}, false })
  equal({ found_in("# check=skip=all;error=true\n" .. text) }, { {}, false })
  local said, is_error = found_in("# check=error=true; skip=MaintainerDeprecated\n" .. text)
  equal({ #said, is_error }, { 1, true })
end)

test("what others find is skipped the same way, and every rule has a name", function()
  local ast = parse.parse "# check=skip=CopyIgnoredFile\nFROM a\n"
  local item = { rule = "CopyIgnoredFile", line = 2, message = "x" }
  equal(lint.lint(ast, nil, { item }), {})
  equal(lint.lint(parse.parse "FROM a\n", nil, { item }), { item })
  local names = {}
  for _, name in ipairs(lint.names()) do names[name] = true end
  for _, case in ipairs(CASES) do
    for position = 2, #case do ok(case[position] == "" or names[case[position]:match("^%d+ (%w+):")], case[position]) end
  end
end)
