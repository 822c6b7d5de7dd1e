-- Which machines there are: more and fewer replicas, orphans, what is made and not started, on the stand-in for QEMU.
local fs = require "sys.fs"
local pair = require "tests.support.pair"
local stack_ = require "tests.support.stack"

local TWO = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}
  web: {image: ./image.qcow2, image_os: plain, depends_on: [db], ports: ["0:80"], stop_grace_period: 1s}
]]

test("B23: scale up and down touches no sibling; surplus disks go to the trash; what changed in the file meanwhile waits for up",
  function()
    local stack <close> = pair.started(TWO)
    local before = pair.pids(stack)
    stack:write((TWO:gsub("db: {", "db: {vm: {memory_mb: 1024}, "):gsub("web: {", "web: {vm: {memory_mb: 768}, ")))
    stack:expect { "scale", "web=3" }
    local after = pair.pids(stack)
    equal({ after["db-0"], after["web-0"], #stack:pids() }, { before["db-0"], before["web-0"], 4 })
    equal({ stack:ps()["web-0"].memory_mib, stack:ps()["web-1"].memory_mib }, { 512, 768 })
    stack:expect { "scale", "web=1", "--no-deps" }
    equal(pair.pids(stack), before)
    equal({ #pair.disks_in_trash(stack, "web-1"), #pair.disks_in_trash(stack, "web-2") }, { 1, 1 })
    stack:expect { "scale", "web=0" }
    equal({ pair.pids(stack)["web-0"], #pair.disks_in_trash(stack, "web-0") }, { nil, 1 })
    stack:expect { "up", "--scale", "web=2", "--scale=db=1" }
    equal({ #stack:pids(), stack:ps()["db-0"].memory_mib }, { 3, 1024 })
    for _, words in ipairs { { "scale", "web" }, { "scale", "web=x" }, { "scale", "shop=2" }, { "up", "--scale", "web=999" } } do
      equal(stack:run(words).status, 64, table.concat(words, " "))
    end
    equal(#stack:pids(), 3)
  end)

test("replicas: 0 in the file: none is made, what runs goes to the trash, and up says so without an instance to name", function()
  local stack <close> = stack_.on_fake(TWO)
  stack:expect { "up" }
  stack:write((TWO:gsub("(%a+): {image", "%1: {replicas: 0, image")))
  ok(stack:expect({ "plan" }).stdout:find("\n0 to add, 0 to change, %d to remove"))
  stack:expect { "up" }
  equal({ #stack:pids(), #pair.disks_in_trash(stack, "web-0"), #pair.disks_in_trash(stack, "db-0") }, { 0, 1, 1 })
  ok(stack:expect({ "up" }).stderr:find("is up to date (0 instances)", 1, true))
end)

test("scale asks the rules of the file, too: one name cannot be had twice", function()
  local stack <close> = stack_.on_fake((TWO:gsub("db: {", "db: {container_name: base, ")))
  local refused = stack:expect({ "scale", "db=2" }, 2)
  ok(refused.stderr:find("2 instances cannot have one name", 1, true), refused.stderr)
  equal(#stack:pids(), 0)
end)

test("orphans stay until --remove-orphans; then their disks are in the trash, and a protected one is refused", function()
  local stack <close> = pair.started(TWO)
  local before = pair.pids(stack)
  stack:write((TWO:gsub("\n  web:[^\n]*", "")))
  ok(stack:expect({ "up" }).stderr:find("web-0 is recorded but no longer in the file", 1, true))
  equal(pair.pids(stack), before)
  stack:expect { "up", "db", "--remove-orphans" }
  equal({ #stack:pids(), #pair.disks_in_trash(stack, "web-0"), pair.pids(stack)["db-0"] }, { 1, 1, before["db-0"] })
  stack:write((TWO:gsub("web: {", "web: {protect: true, ")))
  stack:expect { "up" }
  stack:write((TWO:gsub("\n  web:[^\n]*", "")))
  stack:expect({ "up", "--remove-orphans" }, 3)
  equal(#stack:pids(), 2)
  stack:write(TWO)
  stack:expect { "up" }
end)

test("a service that a profile turns off is no orphan", function()
  local stack <close> = pair.started(TWO)
  stack:write((TWO:gsub("web: {", "web: {profiles: [extra], ")))
  local up = stack:expect { "up", "--remove-orphans" }
  equal({ #stack:pids(), up.stderr:find("web-0", 1, true) }, { 2 })
end)

test("--no-start makes disks and starts nothing; --no-deps leaves what is depended on alone", function()
  local stack <close> = stack_.on_fake(TWO)
  stack:expect { "up", "--no-start" }
  equal(#stack:pids(), 0)
  ok(fs.stat(stack.state .. "/instances/pair/web-0/root.qcow2"))
  equal(stack:ps()["web-0"].status, "stopped")
  stack:expect { "up", "--no-deps", "web" }
  equal({ #stack:pids(), pair.pids(stack)["db-0"] }, { 1 })
  stack:write((TWO:gsub("web: {", "web: {vm: {memory_mb: 1024}, ")))
  local left = stack:expect { "up", "--no-start" }
  ok(left.stderr:find("web-0 runs on as it is", 1, true), left.stderr)
  equal(#stack:pids(), 1)
  stack:expect { "up" }
  equal({ #stack:pids(), stack:ps()["web-0"].memory_mib }, { 2, 1024 })
end)

test("--wait waits though the environment says otherwise", function()
  local stack <close> = stack_.on_fake(TWO, { "report=none" })
  stack.env = { "HOLOS_WAIT=running" }
  stack:expect { "up" }
  stack:expect({ "up", "--wait", "--wait-timeout", "200ms" }, 4)
  stack:expect({ "up", "-d", "--wait", "--wait-timeout", "200ms" }, 4)
end)

test("--parallel bounds how many are launched at a time", function()
  local stack <close> = stack_.on_fake((TWO:gsub("web: {", "web: {replicas: 4, "):gsub("depends_on: %[db%], ", "")))
  stack:expect { "up", "--parallel", "1" }
  equal(#stack:pids(), 5)
  equal(stack:run({ "up", "--parallel", "-2" }).status, 64)
end)
