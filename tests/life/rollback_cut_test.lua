-- A change that goes back (failure_action: rollback) is cut off by kill -9: nothing of that happens but by `up`, which says it
-- before; other commands leave it alone, and no spec comes to the wrong disk.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local pair = require "tests.support.pair"
local table_ = require "holos.core.table"

local function yaml(changes)
  local with = table_.merge({ image = "image", memory = 512, replicas = 3 }, changes or {})
  return ([[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}
  web:
    {image: ./%s.qcow2, image_os: plain, vm: {memory_mb: %d}, stop_grace_period: 3s,
     deploy: {replicas: %d, update_config: {failure_action: rollback}}}
]]):format(with.image, with.memory, with.replicas)
end

local ALL = { "web-0", "web-1", "web-2" }

-- web-0 has been changed and hangs as it is to go back; web-1 has failed; the turn of web-2 had not come.
local function cut(change, words)
  local stack = pair.started(yaml())
  stack:write(yaml(change))
  fake_qemu.set(stack.qemu, { "web-0@768M: powerdown=ignore", "web-1@768M: report=failed" })
  pair.kill_going_back(stack, words)
  equal(pair.going_back(stack), ALL)
  fake_qemu.set(stack.qemu, {})
  return stack
end

local function cut_memory() return cut({ memory = 768 }, { "up" }) end
local function cut_image() return cut({ image = "other", memory = 768 }, { "up", "--recreate" }) end

-- Memory of what is recorded and the disk that stands in its place, of web-0 … web-2.
local function made(stack)
  local list, instances = {}, pair.record(stack).instances
  for i = 0, 2 do
    local name = "web-" .. i
    list[i + 1] = ("%d %s"):format(instances[name].spec.vm.memory_mib, pair.backing(stack, name))
  end
  return list
end

local function launched_with(stack, name)
  local file = ("%s/instances/pair/%s/runtime.json"):format(stack.state, name)
  return assert(json.decode(files.read(file), {})).spec.vm.memory_mib
end

local BEFORE = { "512 image.qcow2", "512 image.qcow2", "512 image.qcow2" }

local function require_settled(stack)
  for name, entry in pairs(pair.record(stack).instances) do
    equal({ entry.previous, entry.replaced, entry.desired }, { nil, nil, "running" }, name)
  end
  for name, row in pairs(stack:ps()) do equal(row.status, "provisioned", name) end
end

test("commands that are about another service leave what goes back alone", function()
  local stack <close> = cut_memory()
  local before = pair.pids(stack)
  for _, words in ipairs { { "stop", "db" }, { "start", "db" }, { "restart", "db" }, { "rm", "--stop", "--force", "db" },
    { "up", "db" } } do
    local result = stack:run(words)
    equal({ result.status, pair.going_back(stack) }, { 0, ALL }, table.concat(words, " ") .. result.stderr)
    local now = pair.pids(stack)
    for _, name in ipairs(ALL) do equal(now[name], before[name], table.concat(words, " ") .. " " .. name) end
  end
  ok(stack:expect({ "up", "db" }).stderr:find("web-0 is on its way back to what it was, and left as it is", 1, true))
end)

test("plan says what goes back, a plan that is refused changes nothing, and up carries it out", function()
  local stack <close> = cut_memory()
  local before, record = pair.pids(stack), pair.record(stack)
  stack:write((yaml { image = "other" }):gsub("services:\n", "services:\n  more: {image: ./image.qcow2, ports: ['1:1', '1:2']}\n"))
  ok(stack:run({ "up", "-y" }).status ~= 0)
  stack:write((yaml():gsub("db: {image: ./image", "db: {image: ./other")))
  local refused = stack:expect({ "up", "-y" }, 3)
  ok(refused.stderr:find("nothing was changed", 1, true), refused.stderr)
  equal({ pair.pids(stack), pair.record(stack) }, { before, record })

  stack:write(yaml { memory = 768 })
  local planned = stack:expect { "plan" }
  for _, words in ipairs { "~ web-0  restart   memory 768 MiB → 512 MiB; the change of it was given up",
    "~ web-1  restart   memory 768 MiB → 512 MiB" } do
    ok(planned.stdout:find(words, 1, true), planned.stdout)
  end
  ok((planned.stdout .. planned.stderr):find("web goes back first, as was decided before; what the file says otherwise waits", 1,
    true), planned.stderr)
  stack:expect { "up" }
  equal(made(stack), BEFORE)
  equal(pair.pids(stack)["web-2"], before["web-2"])
  require_settled(stack)
  stack:expect { "up" }
  equal(made(stack)[1], "768 image.qcow2")
end)

test("up from another directory changes nothing of a project that goes back", function()
  local stack <close> = cut_memory()
  local before, record = pair.pids(stack), pair.record(stack)
  local directory = tmpdir()
  files.write(directory .. "/holos.yaml", (yaml():gsub("%./image", stack.directory .. "/image")))
  local refused = stack:run { "up", "-f", directory .. "/holos.yaml" }
  equal({ refused.status, refused.stderr:find("belongs to", 1, true) ~= nil }, { 3, true }, refused.stderr)
  equal({ pair.pids(stack), pair.record(stack) }, { before, record })
end)

test("what is stopped and started while it goes back runs as it is recorded, on the disk that it has", function()
  local stack <close> = cut_image()
  stack:expect { "stop", "--timeout", "200ms" }
  equal(pair.going_back(stack), ALL)
  stack:expect { "start" }
  equal({ pair.going_back(stack), made(stack) }, { ALL, { "768 other.qcow2", "512 image.qcow2", "768 image.qcow2" } })
  -- web-1 has got its disk back when it failed, and the turn of web-2 had not come: each runs as its disk was made for.
  equal({ launched_with(stack, "web-0"), launched_with(stack, "web-1"), launched_with(stack, "web-2") }, { 768, 512, 512 })
  local before = pair.pids(stack)["web-2"]
  stack:write(yaml())
  stack:expect { "up" }
  equal({ made(stack), pair.pids(stack)["web-2"] }, { BEFORE, before })
  require_settled(stack)
end)

test("disks of before come back with up, as its plan says, whatever image the file names", function()
  local stack <close> = cut_image()
  local planned = stack:expect { "plan" }
  for _, words in ipairs { "~ web-0  go back   to its old disk, from image.qcow2; its change was given up",
    "(the new disk goes to the trash)", "1 to change, 0 to remove.\n" } do
    ok(planned.stdout:find(words, 1, true), planned.stdout)
  end
  stack:expect { "up" }
  equal(made(stack), BEFORE)
  require_settled(stack)
  for i = 0, 1 do equal(#pair.disks_in_trash(stack, "web-" .. i), 1) end -- the new ones
  stack:expect({ "up" }, 3) -- now it asks about the other image again
end)

test("a disk that may have to come back is spared by trash empty; the new one stays where it is gone all the same", function()
  local stack <close> = cut_image()
  local said = stack:expect { "trash", "empty", "--yes" }
  ok(said.stderr:find("web-0 may have to come back", 1, true), said.stderr)
  equal(#pair.disks_in_trash(stack, "web-0"), 1)

  local batch = assert(pair.record(stack).instances["web-0"].replaced).batch
  assert(fs.remove_tree(stack.state .. "/trash/pair/" .. batch))
  local gone = "web-0: its old disk is no longer in the trash, so the new one stays"
  ok((stack:expect({ "plan" }).stderr):find(gone, 1, true))
  said = stack:expect { "stop", "db" }
  ok(said.stderr:find(gone, 1, true), said.stderr)
  equal(pair.going_back(stack), { "web-1", "web-2" })
  stack:expect { "up" }
  equal(made(stack), { "768 other.qcow2", "512 image.qcow2", "512 image.qcow2" })
  require_settled(stack)
  ok(not stack:expect({ "trash", "empty", "--yes" }).stderr:find("kept", 1, true))
end)

-- As if it had been killed while it put the disk of web-0 back; gives where that waits.
local function cut_put_back(stack)
  local batch = pair.record(stack).instances["web-0"].replaced.batch
  local waiting = ("%s/trash/pair/%s/instances/web-0"):format(stack.state, batch)
  pair.edit(stack, "projects/pair.json", function(record)
    local replaced = record.instances["web-0"].replaced
    replaced.is_put_back, replaced.inode = true, assert(fs.stat(waiting)).inode
  end)
  return waiting
end

test("what stands in the place of a disk that was being put back is told from it, whatever is in the trash", function()
  local stack <close> = cut_image()
  stack:expect { "stop" }
  local waiting, place = cut_put_back(stack), stack.state .. "/instances/pair/web-0"
  assert(fs.rename(place, stack.state .. "/new"))
  ok(stack:expect({ "start", "web-0" }, 3).stderr:find("on its way back to its old disk; go on with: holos up", 1, true))
  assert(fs.rename(waiting, place))
  stack:expect { "start", "web-0" }
  equal({ launched_with(stack, "web-0"), pair.backing(stack, "web-0") }, { 512, "image.qcow2" })

  local other <close> = cut_image()
  other:expect { "stop" }
  assert(fs.remove_tree(cut_put_back(other)))
  other:expect { "start", "web-0" }
  equal({ launched_with(other, "web-0"), pair.backing(other, "web-0") }, { 768, "other.qcow2" })
end)

test("scale carries out what was begun, too", function()
  local stack <close> = cut_memory()
  stack:expect { "scale", "web=4" }
  equal(made(stack), BEFORE)
  require_settled(stack)
end)

test("down takes what goes back along, to the trash", function()
  local stack <close> = cut_image()
  stack:expect { "down", "--timeout", "200ms" }
  for i = 0, 1 do equal(#pair.disks_in_trash(stack, "web-" .. i), 2) end
  equal(#pair.disks_in_trash(stack, "web-2"), 1)
end)
