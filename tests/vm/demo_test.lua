-- The README's demo, as `make demo` runs it.
local files = require "tests.support.files"
local host = require "sys.host"
local stack_ = require "tests.support.stack"

test("the demo answers on both published ports, through the database's name", function()
  local state = tmpdir()
  stack_.image("tiny")
  local env = { "HOLOS_STATE_DIR=" .. state, "HOME=" .. (files.environment("HOME") or state) }
  for _, name in ipairs { "HOLOS_TEST_CACHE", "XDG_CACHE_HOME" } do
    local value = files.environment(name)
    if value then env[#env + 1] = name .. "=" .. value end
  end
  local result = run_tool({ host.executable(), "lua", "tests/demo.lua" }, { env = env, timeout_ms = 600000 })
  local down = run_tool({ host.executable(), "down", "-p", "demo", "--purge", "-v", "-t", "20s" },
    { env = env, timeout_ms = 120000 })
  equal(result.status, 0, result.stderr)
  for replica = 0, 1 do ok(result.stdout:find(("Hello from web-%d."):format(replica), 1, true), result.stdout) end
  local _, answers = result.stdout:gsub('The database "db" at 10%.%d+%.0%.2 answers: I am db%-0', "")
  equal(answers, 2)
  equal(down.status, 0, down.stderr)
end, { timeout_ms = 900000 })
