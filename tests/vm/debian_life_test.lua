-- The whole life of a full Debian guest: four boots, each of a minute or more under emulation.
local full_guest = require "tests.support.full_guest"
local stack_ = require "tests.support.stack"

-- Here and not in `make check`, because they come from the distribution's archive over the guest's user network.
local PACKAGES, MORE_PACKAGES = "bc", "bc, dc"

local MORE = [[
    healthcheck: {test: [test, -s, /var/lib/db/file], interval: 5s, retries: 200}]]

-- A tiny guest that may start when the full one is healthy.
local CLIENT = [[
  client: {image: IMAGE, image_os: plain, depends_on: [web], vm: {memory_mb: 256}, stop_grace_period: 20s}
]]

local QUESTIONS = {
  volume = "cat /var/lib/db/file", share = "cat /srv/www/index.html", root_disk = "sudo ls /root",
  host_keys = "ls /etc/ssh | grep -c '^ssh_host.*key$'", first_steps = "grep -c 'step 1 of' /var/log/cloud-init-output.log",
  boots = "grep -c 'running .init-local' /var/log/cloud-init.log", packages = "echo '6 7 * p' | dc; echo '6 * 7' | bc",
  has_more_memory = "awk '/MemTotal/ { print ($2 > 512 * 1024) }' /proc/meminfo",
}

-- After the boot of that number, and once the first steps were run again.
local function answers(boots)
  return { volume = "me too", share = "hello from the host", root_disk = "a b mine", host_keys = "1", first_steps = "2",
    boots = tostring(boots), packages = "42 42", has_more_memory = "1" }
end

local FIRST_BOOT = {
  package = "echo '6 * 7' | bc",
  schema = "sudo cloud-init schema --system 2>&1 | tail -n 1",
}

local function first_boot(stack)
  local told = full_guest.wait_for(stack, { "up" }).stderr
  local healthy, started = told:find("web%-0 +healthy"), told:find("client%-0 +running")
  ok(healthy and started and healthy < started, told)
  full_guest.check(stack)
  equal(full_guest.ask(stack, FIRST_BOOT), { package = "42", schema = "Valid cloud-config: system userdata" })
  stack:expect { "exec", "client", "--", "busybox", "ping", "-c", "1", "web" }
end

-- Memory by itself would restart the guest; with a package more it is asked for, and nothing is touched before.
local function a_package_and_memory_more(stack, rest)
  stack:expect { "exec", "web-0", "--", "sudo", "touch", "/root/mine" }
  stack:write((full_guest.yaml({ packages = MORE_PACKAGES, more = MORE, rest = rest }):gsub("memory_mb: 512", "memory_mb: 640")))
  local before = stack:ps()
  local refused = stack:expect({ "up" }, 3)
  ok(refused.stderr:find("--reprovision=web", 1, true), refused.stderr)
  equal(stack:ps()["web-0"].pid, before["web-0"].pid)
  full_guest.wait_for(stack, { "up", "--reprovision=web" })
  equal(full_guest.ask(stack, QUESTIONS), answers(2))
  equal(stack:ps()["client-0"].pid, before["client-0"].pid)
end

-- The volume is there, the rest is new; a step that fails ends `up`, and the guest stays to be looked at.
local function anew_with_a_failing_step(stack)
  stack:write(full_guest.yaml { runcmd = '["echo seen here; exit 100", "touch /root/never"]' })
  local told = full_guest.wait_for(stack, { "up" }, 4).stderr
  ok(told:find("step 1, exit 100", 1, true), told)
  ok(told:find("seen here", 1, true), told)
  ok(stack:ps()["web-0"].status:find("failed", 1, true))
  equal(full_guest.ask(stack, { volume = "cat /var/lib/db/file", root_disk = "sudo ls /root" }),
    { volume = "me too", root_disk = "" })
end

test("a full guest lives through a package and memory more, stop, down and up, the trash, and a step that fails", function()
  full_guest.only_when_all_is_asked_for()
  local rest = CLIENT:gsub("IMAGE", stack_.image("tiny"))
  local stack <close> = full_guest.new { packages = PACKAGES, more = MORE, rest = rest }
  first_boot(stack)
  a_package_and_memory_more(stack, rest)

  stack:expect { "stop" }
  equal(#stack:pids(), 0)
  stack:expect { "down" }
  equal(#stack:pids(), 0)
  stack:expect { "trash", "restore", "full" }
  full_guest.wait_for(stack, { "start" })
  equal(full_guest.ask(stack, QUESTIONS), answers(3))

  stack:expect { "down" }
  anew_with_a_failing_step(stack)
end, { timeout_ms = 5 * full_guest.BOOT_MS })
