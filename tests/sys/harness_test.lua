--- The test runner itself: what it counts, and what it does not let a test leave behind.

local files = require "tests.support.files"
local host = require "sys.host"

-- Runs one test file with this text; gives the result of the runner.
local function run(text, env)
  local path = tmpdir() .. "/made_test.lua"
  files.write(path, text)
  local settings = { "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or ""), table.unpack(env or {}) }
  return run_tool({ host.executable(), "lua", files.directory .. "/run.lua", path }, { env = settings })
end

local function fails(wanted, text)
  local result = run(text)
  equal(result.status, 1, result.stdout)
  ok(result.stdout:find(wanted, 1, true), result.stdout)
  ok(result.stdout:find("\n0 passed, 1 failed, 0 skipped\n$"), result.stdout)
end

test("passes, failures and skips are counted; the status says whether something failed", function()
  local result = run [[
    test("a", function() equal({ 1, { x = 2 } }, { 1, { x = 2 } }) end)
    test("b", function() skip "no guest" end)
  ]]
  equal(result.status, 0)
  ok(result.stdout:find(": b: no guest\n", 1, true), result.stdout)
  ok(result.stdout:find("\n1 passed, 0 failed, 1 skipped\n$"), result.stdout)
  fails('at ["x"][2]: got 1, want 2', 'test("a", function() equal({ x = { 0, 1 } }, { x = { 0, 2 } }) end)')
end)

test("a file that skips itself is one skip, one that does not load is one failure", function()
  ok(run('skip "nothing here"').stdout:find("\n0 passed, 0 failed, 1 skipped\n$"))
  fails("made_test.lua:1:", "test(")
end)

test("a test may not leave a descriptor open", function()
  fails("left a descriptor: ", 'test("a", function() package.loaded.kept = { require "sys.fd".pipe() } end)')
end)

test("a test may not leave a child process, not even a dead one", function()
  fails("left a child: ", [[
    test("a", function()
      local child <close> = require "sys.launch".prepare { program = "/bin/true" }
      child:go()
    end)
  ]])
end)

test("a test may not leave a global, nor an override", function()
  fails("left a global: forgotten", 'test("a", function() forgotten = 1 end)')
  local result = run [[
    local text = require "holos.core.text"
    test("a", function() text.wrap = function() end end)
  ]]
  ok(result.stdout:find("left an override: holos.core.text.wrap", 1, true), result.stdout)
  equal(result.status, 1)
end)

test("a test that waits too long fails, and its tool is ended", function()
  local result = run [[
    test("a", function() run_tool({ "tail", "-f", "/dev/null" }, { timeout_ms = 50 }) end)
    test("b", function() require "holos.core.task".event():wait() end, { timeout_ms = 50 })
  ]]
  equal(select(2, result.stdout:gsub("timed out after %d+", "")), 2, result.stdout)
  ok(result.stdout:find("\n0 passed, 2 failed, 0 skipped\n$"), result.stdout)
end)

test("golden files: compared, made with UPDATE=1, missing is a failure", function()
  local path = "../../" .. ("x"):rep(5)
  fails("UPDATE=1 makes it", ('test("a", function() golden(%q, "text") end)'):format(path))
end)

test("tools get what they are given, and give what they say", function()
  local result = run_tool({ "sh", "-c", 'cat; echo "$X" >&2; exit 7' }, { stdin = ("y"):rep(300000), env = { "X=a" } })
  equal({ result.status, #result.stdout, result.stderr, result.signal }, { 7, 300000, "a\n" })
  equal(run_tool({ "sh", "-c", "kill -9 $$" }).signal, "KILL")
  equal(run_tool({ "true" }, { stdin = ("y"):rep(300000) }).status, 0)
  raises("no-such-tool: not found on PATH", run_tool, { "no-such-tool" })
end)
