-- A service of real guests whose new image does not serve goes back as a whole: both run on the disks of before.
local files = require "tests.support.files"
local fs = require "sys.fs"
local full_guest = require "tests.support.full_guest"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

local TWO = [[
name: pair
services:
  web:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    ports: ["0:80"]
    stop_grace_period: 20s
    cloud_init:
      bootcmd: ["mkdir -p /srv/www; echo hello >/srv/www/index.html; busybox httpd -p 80 -h /srv/www"]
    deploy:
      replicas: 2
      update_config: {failure_action: rollback, parallelism: 0}
      rollback_config: {parallelism: 2}
]]
-- Serves everywhere but on web-1.
local OTHER = TWO:gsub("parallelism: 0}", "parallelism: 1}"):gsub("bootcmd: %[", 'bootcmd: ["test $(hostname) != web-1", ')

local function asked(stack, name, command) return stack:expect({ "exec", name, "--", "sh", "-c", command }).stdout end

-- Both serve what they served before, on the disks that they had.
local function require_before(stack, inodes)
  local rows = stack:ps()
  for i = 0, 1 do
    local name = "web-" .. i
    equal({ rows[name].status, asked(stack, name, "cat /root/data") }, { "provisioned", "of " .. name .. "\n" })
    local page = run_tool { "curl", "-s", "--max-time", "20", ("http://127.0.0.1:%d/"):format(rows[name].ports[1].host) }
    equal(page.stdout, "hello\n")
    equal(fs.stat(("%s/instances/pair/%s/root.qcow2"):format(stack.state, name)).inode, inodes[name])
  end
end

local function in_trash(stack, name) return #files.below(stack.state .. "/trash", "/" .. name .. "/root%.qcow2$") end

test("two guests whose new image never becomes ready, and one that does where the other does not: all is as it was", function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = stack_.new { yaml = TWO, image = stack_.image("tiny") }
  stack:expect { "up" }
  local inodes = {}
  for _, name in ipairs { "web-0", "web-1" } do
    asked(stack, name, ("echo of %s >/root/data; sync"):format(name))
    inodes[name] = fs.stat(("%s/instances/pair/%s/root.qcow2"):format(stack.state, name)).inode
  end

  local blank = stack.directory .. "/blank.qcow2"
  assert(qcow2.create(blank, { size_bytes = 1 << 30 }))
  stack:write((TWO:gsub("IMAGE", blank)))
  local failed = stack:expect({ "up", "--recreate", "--wait-timeout", "60s" }, 4)
  ok(failed.stderr:find("web was rolled back: web-0, web-1", 1, true), failed.stderr)
  require_before(stack, inodes)
  equal({ in_trash(stack, "web%-0"), in_trash(stack, "web%-1") }, { 1, 1 })

  local copy = stack.directory .. "/copy.qcow2"
  assert(fs.copy(stack.image, copy, { mode = tonumber("644", 8) }))
  stack:write((OTHER:gsub("IMAGE", copy)))
  failed = stack:expect({ "up", "--recreate" }, 4)
  for _, words in ipairs { "✔ web-0  provisioned", "web-1: failed:", "web was rolled back: web-0, web-1" } do
    ok(failed.stderr:find(words, 1, true), failed.stderr)
  end
  require_before(stack, inodes)
  equal({ in_trash(stack, "web%-0"), in_trash(stack, "web%-1") }, { 2, 2 })
  stack:write(TWO)
  equal(stack:run({ "plan", "--exit-code" }).status, 0)
end, { timeout_ms = 900000 })
