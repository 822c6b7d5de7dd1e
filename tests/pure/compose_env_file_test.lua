-- Env files: what the vectors of others leave open.

local env_file = require "holos.compose.env_file"

local ENV = { HOME = "/home/anna", EMPTY = "" }
local function lookup(name) return ENV[name] end

local function values(text, options)
  local parsed, problem = env_file.parse(text, lookup, options)
  return parsed and parsed.values or ("%d:%d: %s"):format(problem.line, problem.column, problem.message), problem and problem.hint
end

test("values: blanks, comments, quotes, names", function()
  for text, wanted in pairs {
    ["A="] = { A = "" }, ["A= # nothing"] = { A = "" }, ["A=#x"] = { A = "#x" }, ["A=a#b #c #d"] = { A = "a#b" },
    ["A=  x  y  "] = { A = "x  y" }, ["A=x\r\nB=y\r\n"] = { A = "x", B = "y" }, ["A=it's"] = { A = "it's" },
    ["A=''\nB=\"\" #"] = { A = "", B = "" }, ["A: b: c"] = { A = "b: c" }, ["A=\nB=x"] = { A = "", B = "x" },
    ["export=1"] = { export = "1" }, ["export = 1"] = { export = "1" }, ["export \nA=1"] = { A = "1" },
    ["export HOME"] = { HOME = "/home/anna" }, ["  HOME  \nNOT_SET\nEMPTY"] = { HOME = "/home/anna", EMPTY = "" },
    ["a[0].b-c=1"] = { ["a[0].b-c"] = "1" }, ["größe=1"] = { ["größe"] = "1" }, ["#A=1\n\n \t\n  # x"] = {},
    ["A=1\nA=2"] = { A = "2" }, ["A='a\\\\'\nB='c'"] = { A = "a\\\\", B = "c" }, ["A='\\n$HOME'"] = { A = "\\n$HOME" },
    ['A="\\0303\\0251\\0777\\01\\c"'] = { A = "é\\0777\\01\\c" }, ['A="a\\\nb"'] = { A = "a\\\nb" },
    ['A="$$HOME \\$HOME"'] = { A = "$HOME $HOME" }, ["A=$$HOME"] = { A = "$HOME" },
    ["A=1\nHOME=/x\nB=$HOME$A"] = { A = "1", HOME = "/x", B = "/home/anna1" },
  } do
    equal((values(text)), wanted, text)
  end
end)

test("names keep the order of their first places", function()
  equal(env_file.parse("B=1\nA=2\nNOT_SET\nB=3\nHOME\n", lookup).order, { "B", "A", "HOME" })
end)

test("mistakes: line, column and what it is", function()
  local LINE = "a line is KEY=value, or a comment after #"
  local ESCAPE = 'put the value in single quotes, or write "$$" for every "$" that stands for itself'
  for text, wanted in pairs {
    ["A=1\n\nB C=2"] = { '3:2: key cannot contain a space: "B C"', LINE },
    ["A\t%=1"] = { '1:3: unexpected character "%" in variable name "A\\t%"', LINE },
    ["A='1\n2'\nif [ -f x ]; then"] = { '3:12: unexpected character ";" in variable name "if [ -f x ]; then"', LINE },
    ["é\27[2J=1"] = { '1:2: unexpected character "\\x1b" in variable name "é\\x1b[2J"', LINE },
    ["A='x\nB=y\n"] = { "1:3: unterminated quoted value 'x", "a ' is missing at its end" },
    ['A="x"y'] = { '1:6: after the closing " only a comment may follow', 'a " inside of the value is written \\"' },
    ["A=1\nPW=a${b"] = { '2:4: "${b" is no variable: its "}" is missing', ESCAPE },
    ['PW="${b!}"'] = { '1:4: "${b!}" is no variable: after b comes "}" or one of :- - :? ? :+ +', ESCAPE },
    ["A=${B:?say\tit}"] = { "1:3: required variable B is missing a value: say\\tit",
      "set it in the environment, in .env, or in a file that --env-file names: B=…" },
    ["A=1\nB=\255"] = { "2:3: this is no UTF-8", "save the file as UTF-8" },
    ["\255\254A\0=\0"] = { "1:4: a zero byte: this is no text, or one in UTF-16", "save the file as UTF-8" },
    ['A="\\0303"'] = { "1:3: with its escapes this value is no UTF-8" },
  } do
    equal({ values(text) }, wanted, text)
  end
end)

test("variables that are not set are told with their lines", function()
  local told = {}
  local parsed = env_file.parse("A=$X\n\nB='$Y'\nC=\"\n$Z\"\nD=${X:-1}$X\n", lookup, { unset = function(name, line)
    told[#told + 1] = name .. line
  end })
  equal({ told, parsed.values.D }, { { "X1", "Z4", "X6" }, "1" })
end)

test("raw: nothing but lines", function()
  local function raw(text) return (values(text, { format = "raw" })) end
  equal(raw("A='x' \n  B=$HOME # no comment\n# C=1\n\nHOME\nNOT_SET\nD==\nE="),
    { A = "'x' ", B = "$HOME # no comment", HOME = "/home/anna", D = "=", E = "" })
  equal(raw("A=1\nB C=1"), '2:1: key cannot contain a space: "B C"')
  equal(raw("=1"), "1:1: no variable name before the =")
end)

test("a file that would grow without end is refused at once", function()
  local lines = { "A0=" .. ("x"):rep(1000) }
  for number = 1, 60 do lines[number + 1] = ("A%d=${A%d}${A%d}"):format(number, number - 1, number - 1) end
  equal((values(table.concat(lines, "\n"))), "12:5: with its variables it would be longer than 1048576 bytes")
  lines = { "A=" .. ("x"):rep(1000) }
  for number = 1, 10000 do lines[number + 1] = ("B%d=$A"):format(number) end
  ok(values(table.concat(lines, "\n")):find("the values up to here add up to more than 8388608 bytes", 1, true))
end)

-- Each would take minutes if any step looked back.
test("long lines and many lines take their time once", function()
  local begun = os.clock()
  values("A=" .. (" "):rep(1000000))
  values("A=" .. (" "):rep(1000000) .. "x")
  values((" "):rep(1000000) .. "x y")
  values(("A=$X\n"):rep(100000), { unset = function() end })
  values('A="' .. ("\\"):rep(1000001) .. '"')
  ok(os.clock() - begun < 10, ("%.1f s"):format(os.clock() - begun))
end)

test("random files are read or explained", function()
  local PIECES = { "A", "b", "=", ":", "'", '"', "\n", "\r\n", " ", "#", "\\", "$", "${", "}", "export ", "é", "\0", "0101" }
  math.randomseed(5)
  for _ = 1, 5000 do
    local parts = {}
    for position = 1, math.random(15) do parts[position] = PIECES[math.random(#PIECES)] end
    local text = table.concat(parts)
    for _, format in ipairs { "", "raw" } do
      local parsed, problem = env_file.parse(text, lookup, { format = format })
      ok(parsed or problem.line >= 1 and problem.column >= 1 and problem.message, text)
      for _, name in ipairs(parsed and parsed.order or {}) do ok(parsed.values[name], text) end
    end
  end
end)
