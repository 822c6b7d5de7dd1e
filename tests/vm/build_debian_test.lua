-- A Dockerfile with every instruction on a full Debian: the same as tests/vm/build_test, with systemd, bash and GNU's tools.
local built_guest = require "tests.support.built_guest"
local files = require "tests.support.files"
local full_guest = require "tests.support.full_guest"

local BOOT_MS = full_guest.BOOT_MS

test("a guest with systemd is what every instruction of its Dockerfile says", function()
  if files.environment("HOLOS_TESTS") ~= "all" then skip("only with HOLOS_TESTS=all: a boot takes minutes") end
  local stack <close> = built_guest.stack("systemd", "debian")
  stack:expect({ "up" }, 0, { timeout_ms = BOOT_MS })
  built_guest.compare(stack, "systemd", BOOT_MS)
  equal(stack:run({ "plan", "--exit-code" }).status, 0)
  local unit = stack:expect({ "exec", "app-0", "--", "systemctl", "show", "-p", "ActiveState,KillSignal,User", "holos-app" }).stdout
  ok(unit:find("ActiveState=active", 1, true) and unit:find("User=app", 1, true) and unit:find("KillSignal=15", 1, true), unit)
end, { timeout_ms = 2 * BOOT_MS })
