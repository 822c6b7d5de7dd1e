-- `holos schema`, judged by Python's jsonschema: it is a schema, and files that load are right by it.

local compose = require "tests.support.compose"
local document = require "holos.compose.document"
local files = require "tests.support.files"
local host = require "sys.host"
local json = require "holos.core.json"

-- Reads {schema, files} and prints, for each file in order, how many errors there are and where they are.
local JUDGE = [[
import json, sys
from jsonschema import Draft202012Validator as Validator
given = json.load(sys.stdin)
Validator.check_schema(given["schema"])
for tree in given["trees"]:
    errors = sorted("/".join(map(str, e.absolute_path)) for e in Validator(given["schema"]).iter_errors(tree))
    print(len(errors), *errors)
]]

local function require_judge()
  local python = run_tool { "python3", "-c", "import jsonschema; jsonschema.Draft202012Validator" }
  if python.status ~= 0 then skip "no python3 with jsonschema (Debian: python3-jsonschema)" end
end

-- A text as the tree it is, aliases and merges done.
local function as_json(text) return json.encode(document.build(compose.parse(text)).trees[1]) end

-- What the judge says of each of these texts.
local function judge(texts)
  local trees = {}
  for position, text in ipairs(texts) do trees[position] = as_json(text) end
  local schema = run_tool({ host.executable(), "schema" }).stdout
  local given = ('{"schema":%s,"trees":[%s]}'):format(schema, table.concat(trees, ","))
  local result = run_tool({ "python3", "-c", JUDGE }, { stdin = given, timeout_ms = 60000 })
  equal(result.status, 0, result.stderr)
  local lines = {}
  for line in result.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

local RIGHT = { "my_stack", "grace", "volume", "health", "images", "extra_args", "everything", "docker_app", "machines" }

-- Files with mistakes that a look at one value shows, and where one of them is.
local WRONG = {
  unknown_keys = "services/web/vm", numbers = "services/a/vm/vcpu", types = "services/web/ports", names = "name",
  programs = "services/web/working_dir",
}

local VARIABLES = 'services: {a: {image: "${I}", replicas: "${N:-2}", stop_grace_period: "${T}", protect: "$P", memory: "${M}"}}'

local function golden_text(kind, name) return assert(files.read(("%s/golden/%s/%s.yaml"):format(files.directory, kind, name))) end

test("the schema is one, and tells right files from wrong ones", function()
  require_judge()
  local texts, wrong_names = { VARIABLES }, {}
  for _, name in ipairs(RIGHT) do texts[#texts + 1] = golden_text("right", name) end
  for name in pairs(WRONG) do wrong_names[#wrong_names + 1] = name end
  for _, name in ipairs(wrong_names) do texts[#texts + 1] = golden_text("wrong", name) end
  local lines = judge(texts)
  equal(lines[1], "0", "variables stand wherever a value has a grammar")
  for position, name in ipairs(RIGHT) do equal(lines[1 + position], "0", name) end
  for position, name in ipairs(wrong_names) do
    local line = lines[1 + #RIGHT + position]
    ok((line .. " "):find(" " .. WRONG[name] .. " ", 1, true), name .. ": " .. line)
  end
end)

test("canonical models are right by the schema", function()
  require_judge()
  local texts, names = {}, { "whole", "bare", "part", "explain", "templates" }
  for _, name in ipairs(RIGHT) do names[#names + 1] = name end
  for position, name in ipairs(names) do
    texts[position] = assert(files.read(("%s/golden/config/%s.txt"):format(files.directory, name)))
  end
  for position, line in ipairs(judge(texts)) do equal(line, "0", names[position]) end
end)
