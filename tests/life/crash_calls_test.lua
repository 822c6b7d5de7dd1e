-- holos is killed as it enters each call that changes something: nothing is lost, nothing runs twice or unknown, and the
-- next command finishes.
local crash = require "tests.support.crash"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"

local WANTED_POINTS = 1000
local sweeps = 0

--- A test that sweeps over a command; the last one of this file asks how many points there were.
local function sweep(name, words, at)
  sweeps = sweeps + 1
  test(name, function() crash.sweep(words, at) end, crash.LONG)
end

local function up(stack) stack:expect { "up", "-d" } end

--- Root disks in the trash: what was taken away is all there.
local function disks_in_trash(stack)
  return #files.below(stack.state .. "/trash", "/root%.qcow2$")
end

sweep("up is killed", { "up", "--detach" }, { prepare = function() end, judge = crash.require_recovery })

--- After every second one comes another stop first.
local function require_start(stack, where, round)
  if round % 2 == 0 then
    stack:expect { "stop" }
    equal(crash.running(stack), {}, where)
  end
  stack:expect { "start", "-d" }
  equal(crash.running(stack), crash.ALL, where)
  crash.require_recovery(stack, where)
end

sweep("stop is killed; then comes another stop and a start, or a start", { "stop" }, { prepare = up, judge = require_start })

sweep("start is killed; then comes another start, or a stop and a start", { "start", "-d" }, {
  prepare = function(stack)
    up(stack)
    stack:expect { "stop" }
  end,
  judge = require_start })

sweep("restart is killed; then comes another restart, or an up", { "restart", "-d" }, { prepare = up,
  judge = function(stack, where, round)
    if round % 2 == 0 then
      stack:expect { "restart", "-d" }
      equal(crash.running(stack), crash.ALL, where)
    end
    crash.require_recovery(stack, where)
  end })

sweep("down is killed; then comes another down, or an up", { "down" }, { prepare = up,
  judge = function(stack, where, round)
    if round % 2 == 0 then crash.require_recovery(stack, where) end
    local down = stack:run { "down" }
    ok(down.status == 0 or round % 2 == 0, where .. down.stderr)
    ok(disks_in_trash(stack) >= 3, where)
    ok(fs.stat(stack.state .. "/volumes/pair/data.qcow2"), where)
  end })

sweep("down --volumes is killed; an up makes all anew", { "down", "--volumes" }, { prepare = up,
  judge = crash.require_recovery })

local function scaled(count, names)
  return function(stack, where)
    stack:expect { "scale", "-d", "web=" .. count }
    equal(crash.running(stack), names, where)
    stack:expect { "down" }
  end
end

local FOUR = scaled(4, { "pair/db-0", "pair/web-0", "pair/web-1", "pair/web-2", "pair/web-3" })
local ONE = scaled(1, { "pair/db-0", "pair/web-0" })

sweep("scale up is killed; another one finishes it, or gives another number", { "scale", "-d", "web=4" }, { prepare = up,
  judge = function(stack, where, round) return (round % 2 == 0 and FOUR or ONE)(stack, where) end })

sweep("scale down is killed; another one finishes it, and the disk is in the trash", { "scale", "-d", "web=1" }, { prepare = up,
  judge = function(stack, where)
    ONE(stack, where)
    equal(#files.below(stack.state .. "/trash", "/web%-1/root%.qcow2$"), 1, where)
  end })

--- The pair as it was, but for db's image or first steps.
local function changed(stack, from, to)
  up(stack)
  assert(qcow2.create(stack.directory .. "/other.qcow2", { size_bytes = 1 << 20 }))
  stack:write((crash.YAML:gsub("db: {" .. from, "db: {" .. to)))
end

--- What db's disk was made from, where it stands now.
local function base_of_db(stack)
  local info = qcow2.info(stack.state .. "/instances/pair/db-0/root.qcow2")
  return info and info.backing:match("[^/]+$")
end

sweep("up --recreate is killed: the next up makes the new disk, or asks", { "up", "--detach", "--recreate" }, {
  prepare = function(stack) changed(stack, "image: ./image", "image: ./other") end,
  judge = function(stack, where)
    local next_up = stack:run { "up", "--detach" }
    ok(next_up.status == 0 or next_up.status == 3 and base_of_db(stack) == "image.qcow2", where .. next_up.stderr)
    if next_up.status == 3 then stack:expect { "up", "--detach", "--recreate=db" } end
    equal({ base_of_db(stack), crash.running(stack) }, { "other.qcow2", crash.ALL }, where)
    equal(#files.below(stack.state .. "/trash", "/db%-0/root%.qcow2$"), 1, where .. ": the old disk")
    crash.require_recovery(stack, where)
  end })

sweep("up --recreate is killed as it puts the old disk back: the next command finishes that",
  { "up", "--recreate", "--wait-timeout", "100ms" }, {
  ends = 1,
  settings = {}, -- each stack has its own
  prepare = function(stack)
    changed(stack, "image: ./image", "image: ./other")
    fake_qemu.set(stack.qemu, { "db-0: fail=no such machine" })
  end,
  judge = function(stack, where)
    fake_qemu.set(stack.qemu, {})
    stack:write(crash.YAML)
    local next_up = stack:run { "up", "--detach" }
    if next_up.status == 3 then next_up = stack:run { "up", "--detach", "--recreate=db" } end -- the new one was begun with
    equal({ next_up.status, base_of_db(stack) }, { 0, "image.qcow2" }, where .. next_up.stderr)
    crash.require_recovery(stack, where)
  end })

sweep("up that changes ports of what runs is killed: the next up finishes it", { "up", "--detach" }, {
  prepare = function(stack)
    up(stack)
    stack:write((crash.YAML:gsub('"0:80"', '"0:81", "0:80"')))
  end,
  judge = function(stack, where)
    local before = stack:pids()
    local next_up = stack:run { "up", "--detach" }
    equal({ next_up.status, stack:pids() }, { 0, before }, where .. next_up.stderr)
    for _, name in ipairs { "web-0", "web-1" } do equal(#stack:ps()[name].ports, 2, where) end
    equal(stack:run({ "plan", "--exit-code" }).status, 0, where)
    crash.require_recovery(stack, where)
  end })

sweep("up --reprovision is killed: the next up runs the steps, or asks", { "up", "--detach", "--reprovision" }, {
  prepare = function(stack) changed(stack, "", 'cloud_init: {runcmd: ["true"]}, ') end,
  judge = function(stack, where)
    local next_up = stack:run { "up", "--detach" }
    if next_up.status == 3 then next_up = stack:run { "up", "--detach", "--reprovision=db" } end
    equal({ next_up.status, disks_in_trash(stack) }, { 0, 0 }, where .. next_up.stderr)
    equal(stack:run({ "plan", "--exit-code" }).status, 0, where)
    crash.require_recovery(stack, where)
  end })

sweep("up that restarts all of them for more memory is killed: the next up finishes it", { "up", "--detach" }, {
  prepare = function(stack)
    up(stack)
    stack:write((crash.YAML:gsub("image_os: plain", "image_os: plain, vm: {memory_mb: 768}")))
  end,
  judge = function(stack, where)
    up(stack)
    equal({ crash.running(stack), disks_in_trash(stack) }, { crash.ALL, 0 }, where)
    for name, row in pairs(stack:ps()) do equal(row.memory_mib, 768, where .. ": " .. name) end
    equal(stack:run({ "plan", "--exit-code" }).status, 0, where)
    crash.require_recovery(stack, where)
  end })

sweep("up --remove-orphans is killed: the next one finishes it", { "up", "--detach", "--remove-orphans" }, {
  prepare = function(stack)
    up(stack)
    stack:write((crash.YAML:gsub("\n  web:[^\n]*", "")))
  end,
  judge = function(stack, where)
    stack:expect { "up", "--detach", "--remove-orphans" }
    equal({ crash.running(stack), disks_in_trash(stack) }, { { "pair/db-0" }, 2 }, where)
    stack:expect { "down" }
  end })

sweep("trash restore is killed; another one finishes it", { "trash", "restore", "pair" }, {
  prepare = function(stack)
    up(stack)
    stack:expect { "down", "--volumes" }
  end,
  judge = function(stack, where)
    local again = stack:run { "trash", "restore", "pair" }
    ok(again.status == 0 or again.stderr:find("the trash holds nothing of pair", 1, true), where .. ": " .. again.stderr)
    equal(disks_in_trash(stack), 0, where)
    local start = stack:run { "start", "-p", "pair" }
    equal({ start.status, crash.running(stack) }, { 0, crash.ALL }, where .. ": " .. start.stderr)
    equal(stack:run({ "down" }).status, 0, where)
  end })

if crash.IS_FULL then
  test(("these were at least %d points"):format(WANTED_POINTS), function()
    if crash.swept < sweeps then skip(("only %d of %d sweeps ran to their end"):format(crash.swept, sweeps)) end
    ok(crash.killed >= WANTED_POINTS, ("there were %d"):format(crash.killed))
  end)
end
