-- holos config beside docker-compose 1.29 config (Debian's docker-compose, which needs no engine for it): 250 invented files
-- mean the same to both, but for what is meant to differ.

local files = require "tests.support.files"
local host = require "sys.host"
local invented = require "tests.support.compose_files"
local json = require "sys.json"
local meaning = require "tests.support.compose_meaning"

if files.environment "HOLOS_TESTS" ~= "all" then skip "only with HOLOS_TESTS=all: docker-compose takes a while for each file" end

-- The interpreter that Debian's docker-compose names.
local PYTHON = "/usr/bin/python3"
local USUAL = 20261121
local SEED = tonumber(files.environment "HOLOS_TEST_SEED" or USUAL)
local CASES = 250

-- Runs docker-compose's own main once for each line of input, in one process: starting it takes most of its time. Command
-- lines that are texts are split by Python's shlex.
local DRIVER = [[
import contextlib, io, json, os, shlex, sys
import yaml
from compose.cli.main import main

def words(document):
    for service in (document.get("services") or {}).values():
        for key in ("command", "entrypoint"):
            if isinstance(service.get(key), str):
                service[key] = shlex.split(service[key])
                service["x-was-text"] = True
    return document

for line in sys.stdin:
    case = json.loads(line)
    os.chdir(case["directory"])
    sys.argv = ["docker-compose"] + case["words"]
    out, complaint, status = io.StringIO(), io.StringIO(), 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaint):
            main()
    except SystemExit as end:
        status = end.code or 0
    document = words(yaml.safe_load(out.getvalue())) if not status else {}
    print(json.dumps({"status": status, "document": document, "complaint": complaint.getvalue()}), flush=True)
]]

local function require_docker()
  local probe = run_tool { PYTHON, "-c", "import compose; print(compose.__version__)" }
  if probe.status ~= 0 or probe.stdout:sub(1, 5) ~= "1.29." then skip "no docker-compose 1.29 (Debian: docker-compose)" end
end

local ENVIRONMENT = invented.SHELL

local function write(root, number, case)
  local directory = ("%s/case%d"):format(root, number)
  for name, text in pairs(case.files) do files.write(directory .. "/" .. name, text) end
  local words = {}
  for position, name in ipairs(case.names) do words[2 * position - 1], words[2 * position] = "-f", name end
  words[#words + 1] = "config"
  return { directory = directory, words = words }
end

local function ask_docker(runs)
  local lines = {}
  for position, run in ipairs(runs) do lines[position] = json.encode(run) end
  local result = run_tool({ PYTHON, "-c", DRIVER }, { env = ENVIRONMENT, stdin = table.concat(lines, "\n") .. "\n",
    timeout_ms = 600000 })
  equal(result.status, 0, result.stderr)
  local answers = {}
  for line in result.stdout:gmatch("[^\n]+") do answers[#answers + 1] = assert(json.decode(line)) end
  equal(#answers, #runs)
  return answers
end

local function ask_holos(run)
  local words = table.move(run.words, 1, #run.words, 1, {})
  table.move({ "--format", "json", "--no-normalize", "--no-consistency", "--profile", "*" }, 1, 6, #words + 1, words)
  local env = { "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or ""), table.unpack(ENVIRONMENT) }
  return run_tool({ host.executable(), table.unpack(words) }, { directory = run.directory, env = env })
end

-- What only one of them refuses: patterns of every line that says why, by the names of what is meant to differ.
local OURS = { contradiction = { " says [^,]+, and ", "^    keep one of them$" } }
local THEIRS = { disable = { '"disable: true" cannot be combined', "variable is not set" } }

local function is_explained(complaint, patterns)
  for line in complaint:gmatch("[^\n]+") do
    local is_known = line:find("^warning: ") or line:find("not available yet", 1, true) or line:find("^%d+ errors?;")
    for _, pattern in ipairs(patterns) do is_known = is_known or line:find(pattern) end
    if not is_known then return false end
  end
  return true
end

-- Whether both take the files; if one of them does not, it is for a reason that is meant.
local function check_status(result, answer, note, what)
  if result.status == 0 and answer.status == 0 then return true end
  if result.status ~= 0 and answer.status ~= 0 then return false end
  local complaint, reasons = answer.complaint, THEIRS
  if result.status ~= 0 then complaint, reasons = result.stderr, OURS end
  for name, patterns in pairs(reasons) do
    if is_explained(complaint, patterns) then
      note(name)
      return false
    end
  end
  error(what .. "\n" .. complaint, 0)
end

test(("%d invented files of seed %d mean the same to docker-compose"):format(CASES, SEED), function()
  require_docker()
  math.randomseed(SEED)
  local root, runs, cases, met, compared = tmpdir(), {}, {}, {}, 0
  local function note(name) met[name] = (met[name] or 0) + 1 end
  for number = 1, CASES do
    cases[number] = invented.make()
    runs[number] = write(root, number, cases[number])
  end
  for number, answer in ipairs(ask_docker(runs)) do
    local result = ask_holos(runs[number])
    local texts = cases[number].files
    local what = ("case %d of seed %d\n%s\n%s"):format(number, SEED, texts["a.yml"], texts["b.yml"] or "")
    if check_status(result, answer, note, what) then
      compared = compared + 1
      local theirs = meaning.docker(answer.document, note, runs[number].directory)
      equal(meaning.ours(assert(json.decode(result.stdout)), note), theirs, what)
    end
  end
  for name in pairs(meaning.INTENDED) do ok(met[name] or SEED ~= USUAL, name .. " was never met") end
  ok(compared >= 200, compared .. " were compared")
end)
