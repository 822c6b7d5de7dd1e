-- What changes on real guests: their ports, number, first steps, memory, image, and which disk they have then.
local full_guest = require "tests.support.full_guest"
local fs = require "sys.fs"
local json = require "sys.json"
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

local STEPS = "cat /root/steps"
local OTHERS = "sed -n 's/.* \\(web-[0-9]\\).*/\\1/p' /etc/hosts | sort"

local function asked(stack, command, instance)
  return stack:expect({ "exec", instance or "web-0", "--", "sh", "-c", command }).stdout
end

local function pid(stack) return stack:ps()["web-0"].pid end

-- What the trash holds, oldest first: {batch, instances, …}.
local function batches(stack)
  local list = {}
  for line in stack:expect({ "trash", "ls", "change", "--format", "json" }).stdout:gmatch("[^\n]+") do
    list[#list + 1] = assert(json.decode(line, {}))
  end
  return list
end

-- The last batch holds these instances, with their disks.
local function last_batch(stack, instances)
  local all = batches(stack)
  local last = all[#all]
  table.sort(last.instances)
  equal(last.instances, instances)
  for _, name in ipairs(instances) do
    ok(fs.stat(("%s/trash/change/%s/instances/%s/root.qcow2"):format(stack.state, last.batch, name)), name)
  end
  return last.batch
end

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

local function number_changes(stack)
  equal(asked(stack, OTHERS), "web-0\n")
  stack:expect { "scale", "web=3" }
  for _, name in ipairs { "web-0", "web-1", "web-2" } do equal(asked(stack, OTHERS, name), "web-0\nweb-1\nweb-2\n", name) end
  asked(stack, "ping -c 1 -w 20 web-2")
  asked(stack, "ping -c 1 -w 20 web-0", "web-2")
  stack:expect { "scale", "web=1" }
  equal(asked(stack, OTHERS), "web-0\n")
  equal(#stack:pids(), 1)
  last_batch(stack, { "web-1", "web-2" })
end

-- The file that asked for it stays.
local function steps_again(stack, before)
  stack:write((ONE:gsub('>>/root/steps"%]', '>>/root/steps", "echo second >>/root/steps"]')))
  local refused = stack:expect({ "up" }, 3)
  ok(refused.stderr:find("--reprovision=web", 1, true), refused.stderr)
  equal({ pid(stack), asked(stack, STEPS) }, { before, "first\n" })
  stack:expect { "up", "--reprovision=web" }
  equal(asked(stack, STEPS), "first\nfirst\nsecond\n")
end

local function more_memory(stack)
  local before, yaml = pid(stack), fs.read(stack.directory .. "/holos.yaml", { max_bytes = 1 << 16 })
  stack:write((yaml:gsub("memory_mb: 256", "memory_mb: 320")))
  stack:expect { "up" }
  ok(pid(stack) ~= before)
  equal(asked(stack, STEPS), "first\nfirst\nsecond\n")
  ok(tonumber(asked(stack, "awk '/MemTotal/{print $2}' /proc/meminfo")) > 256 * 1024)
end

-- Another image is another disk; the one before it comes back out of the trash and boots.
local function another_image(stack)
  local before, yaml = pid(stack), fs.read(stack.directory .. "/holos.yaml", { max_bytes = 1 << 16 })
  local other = stack.directory .. "/other.qcow2"
  assert(fs.copy(stack.image, other, { mode = tonumber("644", 8) }))
  stack:write((yaml:gsub("image: [^\n]+", "image: " .. other)))
  ok(stack:expect({ "up" }, 3).stderr:find("--recreate=web", 1, true))
  equal(pid(stack), before)
  stack:expect { "up", "--recreate=web" }
  equal(asked(stack, STEPS), "first\nsecond\n")
  local old = last_batch(stack, { "web-0" })

  stack:expect { "down" }
  stack:expect { "trash", "restore", "change", old }
  stack:expect { "start" }
  equal(asked(stack, STEPS), "first\nfirst\nsecond\n")
end

test("ports and number change and a guest runs on; steps run again on its disk, memory keeps it, an image replaces it", function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = stack_.new { yaml = ONE, image = stack_.image("tiny") }
  stack:expect { "up" }
  local before = pid(stack)
  ports_live(stack)
  number_changes(stack)
  equal(pid(stack), before)
  steps_again(stack, before)
  more_memory(stack)
  another_image(stack)
end, { timeout_ms = 900000 })
