-- A full Debian guest: what cloud-init, systemd and OpenSSH make of a seed. One boot takes a minute or more under emulation.
local fs = require "sys.fs"
local full_guest = require "tests.support.full_guest"
local hash = require "sys.hash"
local sshkey = require "sys.sshkey"
local stack_ = require "tests.support.stack"

-- Quotes and blanks arrive, stdin is piped, the status is the command's own.
local function exec_is_exact(stack)
  local script = 'printf "%s|" "$@"; cat; echo err >&2; exit 7'
  local result = stack:expect({ "exec", "web-0", "--", "sh", "-c", script, "sh", "two  words", "it's $HOME" }, 7,
    { stdin = "piped\0bytes" })
  equal({ result.stdout, stack_.stderr_of(result) }, { "two  words|it's $HOME|piped\0bytes", "err\n" })
end

local function much_comes_through(stack)
  local script = "head -c 52428800 /dev/urandom >/tmp/x; sha256sum </tmp/x >&2; cat /tmp/x"
  local result = full_guest.wait_for(stack, { "exec", "web-0", "--", "sh", "-c", script })
  equal({ #result.stdout, hash.sha256(result.stdout) }, { 50 << 20, stack_.stderr_of(result):match("^%x+") })
end

local function another_host_key_is_refused(stack)
  local file, other = stack.state .. "/ssh/full/host-web-0", assert(sshkey.generate("another"))
  assert(fs.write_atomic(file, other.private, { mode = 384 }))
  assert(fs.write_atomic(file .. ".pub", other.public .. "\n", { mode = 384 }))
  local refused = stack:expect({ "exec", "web-0", "--", "touch", "/tmp/ran" }, 255)
  ok(refused.stderr:find("host key", 1, true), refused.stderr)
end

local TINY = [[
name: full
services:
  web: {image: IMAGE, image_os: plain, vm: {memory_mb: 256}, volumes: ["data:/mnt:ro"], stop_grace_period: 20s}
volumes:
  data: {size: 256M}
]]

test("one boot of the full guest: its seed, exec, shares, console, logs, and a volume that survives it", function()
  local stack <close> = full_guest.new {}
  full_guest.wait_for(stack, { "up" })
  full_guest.check(stack)
  exec_is_exact(stack)
  much_comes_through(stack)
  local logs = stack:expect { "logs", "web" }.stdout
  for _, text in ipairs { "Linux version", "web-0 login: debian (automatic login)", "step 3/3 touch", "provisioned" } do
    ok(logs:find(text, 1, true), "not in the logs: " .. text)
  end
  another_host_key_is_refused(stack)

  stack:expect { "down" }
  equal(#stack:pids(), 0)
  -- The tiny guest looks: it boots in seconds.
  stack.image = stack_.image("tiny")
  stack:write(TINY)
  stack:expect { "up" }
  equal(stack:expect { "exec", "web-0", "--", "cat", "/mnt/file" }.stdout, "me too\n")
end, { timeout_ms = 2 * full_guest.BOOT_MS })

test("the same seed by UEFI", function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = full_guest.new { uefi = true }
  full_guest.wait_for(stack, { "up" })
  full_guest.check(stack, { firmware = "uefi" })
end, { timeout_ms = 2 * full_guest.BOOT_MS })
