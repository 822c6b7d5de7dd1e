-- Scripts for root of a guest, judged by a real sshd: what they say when they fail reaches the user, safe to be shown.
local inside = require "holos.run.inside"
local keys = require "holos.run.keys"
local run_state = require "holos.run.state"
local sshd = require "tests.support.sshd"
local world = require "holos.run.world"

local TIMEOUT_MS = 20000

local function with_guest(body)
  local state = run_state.locate(world, { state_dir = tmpdir() .. "/state" })
  state:prepare(world)
  state:prepare_project(world, "pair")
  sshd.openssh({ host = keys.host(world, state, "pair", "web-0"), user = keys.user(world, state, "pair") }, function(server)
    local spec = { project = "pair", name = "web-0", user = server:target().user, nics = { { kind = "user" } }, ports = {} }
    local at = { state = state, spec = spec, now = { ports = { { host = server.port } } } }
    body(function(script) return inside.as_root(world, at, script, TIMEOUT_MS) end)
  end)
end

test("what a script for root says when it fails is told: its last line, of its errors first", function()
  with_guest(function(run)
    equal({ run "true" }, { true })
    equal({ run "exit 3" }, { false, "exit 3" })
    equal({ run "echo nothing; echo '/data is in use'; exit 1" }, { false, "exit 1: /data is in use" })
    equal({ run "echo 'no mkfs.xfs' >&2; echo later; exit 4" }, { false, "exit 4: no mkfs.xfs" })
  end)
end)

test("what a guest says is short and harmless, however much and whatever it is", function()
  with_guest(function(run)
    local done, reason = run "printf 'a\\033[2Jb\\n\\n  \\n'; exit 1"
    equal({ done, reason }, { false, [[exit 1: a\x1b[2Jb]] })
    done, reason = run "head -c 3000000 /dev/zero | tr '\\000' x; exit 1"
    ok(not done and #reason < 420 and reason:find("^exit 1: x+$"), reason)
  end)
end)
