-- A Dockerfile with every instruction on the tiny guest; a step that fails stops there, is told everywhere, and the machine stays.
local built_guest = require "tests.support.built_guest"
local files = require "tests.support.files"

local PATIENCE_MS = 600000

test("a plain guest is what every instruction of its Dockerfile says; the same file is the same machine", function()
  local stack <close> = built_guest.stack("plain", "tiny")
  local said = stack:expect({ "up" }, 0, { timeout_ms = PATIENCE_MS })
  built_guest.compare(stack, "plain")
  ok(stack:ps()["app-0"].status:find("healthy", 1, true))
  ok(said.stderr:find("RUN", 1, true), said.stderr)
  equal(stack:run({ "plan", "--exit-code" }).status, 0)
  stack:expect { "stop" }
  stack:expect({ "start" }, 0, { timeout_ms = PATIENCE_MS })
  built_guest.compare(stack, "plain")
end, { timeout_ms = 3 * PATIENCE_MS })

test("a step that fails stops there: its number and exit code are told, and it can be looked at and gone on from", function()
  local stack <close> = built_guest.stack("plain", "tiny")
  built_guest.write(stack, "plain", "FROM x AS whole\nARG SIZE PASSWORD\nRUN echo one >/srv/one\n"
    .. "RUN --mount=type=tmpfs,target=/scratch echo no luck; test -e /srv/flag || exit 42\nRUN echo three >/srv/three\n")
  local said = stack:expect({ "up" }, 4, { timeout_ms = PATIENCE_MS })
  ok(said.stderr:find("(step 2, exit 42)", 1, true) and said.stderr:find("no luck", 1, true), said.stderr)
  local status = stack:ps()["app-0"].status
  ok(status:find("(step 2, exit 42)", 1, true), status)
  ok(stack:expect({ "logs", "app-0" }).stdout:find("step 2 failed with status 42", 1, true))
  stack:expect { "exec", "app-0", "--", "sh", "-c", "cat /srv/one && ! ls /srv/three && touch /srv/flag" }
  stack:expect({ "restart" }, 0, { timeout_ms = PATIENCE_MS })
  equal(stack:expect({ "exec", "app-0", "--", "cat", "/srv/three" }).stdout, "three\n")
  files.write(stack.directory .. "/app/conf/one", "nobody copies it")
  equal(stack:run({ "plan", "--exit-code" }).status, 0)
end, { timeout_ms = 3 * PATIENCE_MS })
