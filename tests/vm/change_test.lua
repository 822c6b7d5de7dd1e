-- What changes on real guests: their memory, ports, names, first steps, disk.
local full_guest = require "tests.support.full_guest"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

local ONE = [[
name: change
services:
  web:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    ports: []
    stop_grace_period: 20s
    cloud_init:
      bootcmd: ["mkdir -p /srv/www; echo hello >/srv/www/index.html; busybox httpd -p 80 -h /srv/www"]
      runcmd: ["echo first >>/root/steps"]
]]

local function asked(stack, command) return stack:expect({ "exec", "web-0", "--", "sh", "-c", command }).stdout end

local function ports_live(stack)
  stack:write((ONE:gsub("ports: %[%]", 'ports: ["0:80"]')))
  stack:expect { "up" }
  local row = stack:ps()["web-0"]
  local page = run_tool { "curl", "-s", "--max-time", "20", ("http://127.0.0.1:%d/"):format(row.ports[1].host) }
  equal(page.stdout, "hello\n")
  stack:write(ONE)
  stack:expect { "up" }
  equal(stack:ps()["web-0"].ports, {})
end

local function names_follow(stack)
  equal(asked(stack, "grep -c web-1 /etc/hosts || true"), "0\n")
  stack:expect { "scale", "-d", "web=2" }
  equal(asked(stack, "grep -c 'web-1' /etc/hosts"), "1\n")
  stack:expect { "scale", "web=1" }
  equal(asked(stack, "grep -c web-1 /etc/hosts || true"), "0\n")
end

local function steps_again(stack)
  local more = ONE:gsub('>>/root/steps"%]', '>>/root/steps", "echo second >>/root/steps"]')
  stack:write(more)
  local refused = stack:expect({ "up" }, 3)
  ok(refused.stderr:find("--reprovision=web", 1, true), refused.stderr)
  stack:expect { "up", "--reprovision=web" }
  equal(asked(stack, "cat /root/steps"), "first\nfirst\nsecond\n")
  stack:write((more:gsub("memory_mb: 256", "memory_mb: 320")))
  stack:expect { "up" }
  equal(asked(stack, "cat /root/steps"), "first\nfirst\nsecond\n")
  ok(tonumber(asked(stack, "awk '/MemTotal/{print $2}' /proc/meminfo")) > 256 * 1024)
end

test("ports and names change under a guest that runs; steps run again on its disk; memory keeps it; another image asks", function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = stack_.new { yaml = ONE, image = stack_.image("tiny") }
  stack:expect { "up" }
  local pid = stack:ps()["web-0"].pid
  ports_live(stack)
  names_follow(stack)
  equal(stack:ps()["web-0"].pid, pid)
  steps_again(stack)
  local other = stack.directory .. "/other.qcow2"
  assert(qcow2.create(other, { size_bytes = 1 << 30 }))
  stack:write((ONE:gsub("IMAGE", other)))
  ok(stack:expect({ "up" }, 3).stderr:find("--recreate=web", 1, true))
  ok(fs.stat(stack.state .. "/instances/change/web-0/root.qcow2"))
end, { timeout_ms = 600000 })
