-- A change that goes back is killed as it enters each call that changes something: nothing is lost, nothing runs twice, and the
-- next `up` goes on.
local crash = require "tests.support.crash"
local pair = require "tests.support.pair"
local qcow2 = require "sys.qcow2"

local BEFORE = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}
  web:
    {image: ./image.qcow2, image_os: plain, vm: {memory_mb: 512}, stop_grace_period: 1s,
     deploy: {replicas: 2, update_config: {failure_action: rollback}}}
]]
local OTHER_MEMORY = BEFORE:gsub("memory_mb: 512", "memory_mb: 768")
local OTHER_IMAGE = OTHER_MEMORY:gsub("web:\n    {image: ./image", "web:\n    {image: ./other")
local FAILS = { "web-1@768M: report=failed" }

local function changed_to(yaml)
  return function(stack)
    assert(qcow2.create(stack.directory .. "/other.qcow2", { size_bytes = 1 << 20 }))
    stack:write(BEFORE)
    stack:expect { "up" }
    stack:write(yaml)
  end
end

-- From the moment on when it is written down that they go back.
local function of_rollback(points)
  local first
  for position, point in ipairs(points) do
    if point.line:find "^rename.*pair%.json" then
      if first then return table.move(points, position, #points, 1, {}) end
      first = position
    end
  end
  error "nothing was written down"
end

local function memories(stack)
  local list = {}
  for name, entry in pairs(pair.record(stack).instances) do
    list[name] = name ~= "db-0" and entry.spec.vm.memory_mib or nil
    equal({ entry.previous, entry.replaced }, { nil, nil }, name)
  end
  return list
end

local function down(stack) stack:expect { "down", "--timeout", "200ms" } end

local most_going = 0

-- What was decided is left alone by `stop` and `start`, and carried out by `up`, whatever the file says by now; where nothing was
-- decided, it fails again.
local function require_back(stack, where, round)
  local count, kind = #pair.going_back(stack), round % 3
  most_going = math.max(most_going, count)
  if kind == 2 then
    local up = stack:expect({ "up" }, count > 0 and 0 or 4)
    equal(memories(stack), { ["web-0"] = 512, ["web-1"] = 512 }, where .. up.stderr)
  else
    local words = kind == 0 and { "restart", "db" } or { "stop", "--timeout", "200ms" }
    stack:expect(words)
    equal(#pair.going_back(stack), count, where)
  end
end

-- With the file of before all is as it was.
local function require_before(stack, where, round)
  require_back(stack, where, round)
  stack:write(BEFORE)
  stack:expect { "up" }
  equal(crash.running(stack), crash.ALL, where)
  equal(memories(stack), { ["web-0"] = 512, ["web-1"] = 512 }, where)
  down(stack)
end

test("going back is killed; the next up goes on with it", function()
  crash.sweep({ "up" }, { prepare = changed_to(OTHER_MEMORY), judge = require_before, ends = 4, settings = FAILS,
    among = of_rollback, sample = 6 })
  ok(most_going > 0, "some were killed on their way back")
end, crash.LONG)

test("a change that is to go back is killed anywhere; the next up goes on", function()
  crash.sweep({ "up" }, { prepare = changed_to(OTHER_MEMORY), judge = require_before, ends = 4, settings = FAILS, sample = 3 })
end, crash.LONG)

-- The disk of before stands in its place, or is in the trash, whichever file `up` is given; nothing is going back any more, and
-- what was to go back stands there.
local function require_disks(stack, where, round)
  if round % 2 == 0 then stack:write(BEFORE) end
  local is_due = #pair.going_back(stack) > 0
  local up = stack:run { "up", "--recreate" }
  ok(up.status == 0 or up.status == 4, where .. ": " .. up.stderr)
  for name, entry in pairs(pair.record(stack).instances) do
    ok(not (entry.previous and entry.previous.is_going_back), where .. ": " .. name)
  end
  for _, name in ipairs { "web-0", "web-1" } do
    local in_place = pair.backing(stack, name) == "image.qcow2"
    ok(in_place or not is_due, where .. ": " .. name)
    ok(in_place or #pair.disks_in_trash(stack, name) > 0, ("%s: the old disk of %s is lost"):format(where, name))
  end
  equal(crash.running(stack), crash.ALL, where)
  down(stack)
end

test("going back to the disks of before is killed; none is lost", function()
  crash.sweep({ "up", "--recreate" }, { prepare = changed_to(OTHER_IMAGE), judge = require_disks, ends = 4, settings = FAILS,
    sample = 5 })
end, crash.LONG)

-- One hangs when it is to go back, so that the `up` that has failed can be killed there.
local HANGS = { "web-0@768M: powerdown=ignore", "web-1@768M: report=failed" }

local function cut(stack)
  changed_to(OTHER_IMAGE)(stack)
  pair.kill_going_back(stack, { "up", "--recreate" })
end

-- Whichever file comes next, all of it is back.
local function require_all_back(stack, where, round)
  local is_due = #pair.going_back(stack) > 0
  if not is_due or round % 2 == 0 then stack:write(BEFORE) end
  stack:expect { "up" }
  equal(memories(stack), { ["web-0"] = 512, ["web-1"] = 512 }, where)
  for _, name in ipairs { "web-0", "web-1" } do
    equal({ pair.backing(stack, name), #pair.disks_in_trash(stack, name) }, { "image.qcow2", 1 }, where .. ": " .. name)
  end
  equal(crash.running(stack), crash.ALL, where)
  down(stack)
end

test("the up that goes on with it is killed, too", function()
  crash.sweep({ "up" }, { prepare = cut, judge = require_all_back, settings = HANGS, sample = 5 })
end, crash.LONG)
