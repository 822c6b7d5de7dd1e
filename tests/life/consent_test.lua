-- What may cost a disk is asked first: nothing is touched before, and what is decided is done, on the stand-in for QEMU.
local fake_qemu = require "tests.support.fake_qemu"
local fs = require "sys.fs"
local pair = require "tests.support.pair"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"
local typist = require "tests.support.typist"

local TWO = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 1s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, ports: ["0:80"], stop_grace_period: 1s}
volumes: {data: {size: 64M}}
]]
local WITH_STEP = TWO:gsub("web: {", 'web: {cloud_init: {runcmd: ["true"]}, ')
local WITH_IMAGE = TWO:gsub("db: {image: ./image", "db: {image: ./other")

test("without a terminal a changed first part and a changed image are refused with the options that decide; nothing is touched",
  function()
    local stack <close> = pair.started(TWO)
    local before, text = pair.pids(stack), fs.read(stack.state .. "/projects/pair.json", { max_bytes = 1 << 20 })
    stack:write((WITH_STEP:gsub("db: {image: ./image", "db: {image: ./other"):gsub("64M}}", "64M}, more: {}}")))
    for _, words in ipairs { { "up" }, { "up", "-y" }, { "up", "--dry-run" } } do
      local refused = stack:expect(words, 3).stderr
      for _, wanted in ipairs { "! db-0: image ", "! web-0, web-1: cloud_init.runcmd 0 commands → 1 commands   holos.yaml:4",
        "--reprovision=web", "--keep=web", "--recreate=web", "--keep=db", "--recreate=db", "new disks from other.qcow2",
        "nothing was changed" } do
        ok(refused:find(wanted, 1, true), wanted .. "\n" .. refused)
      end
      ok(not refused:find("--reprovision=db", 1, true), refused)
    end
    equal(pair.pids(stack), before)
    equal(fs.read(stack.state .. "/projects/pair.json", { max_bytes = 1 << 20 }), text)
    equal(fs.stat(stack.state .. "/volumes/pair/more.qcow2"), nil)
    equal(stack:expect({ "plan", "--exit-code" }, 10).stdout:match("[^\n]+\n$"), "1 to add, 0 to change, 0 to remove.\n")
    equal(stack:run({ "up", "--keep=db" }).status, 3) -- web is still open
    equal(pair.pids(stack), before)
    equal(stack:run({ "up", "--keep=shop" }).status, 64)
  end)

test("keep leaves the machine alone, says so in ps and plan, is remembered, and does not hold up other changes", function()
  local stack <close> = pair.started(TWO)
  local before = pair.pids(stack)
  stack:write(WITH_IMAGE)
  local kept = stack:expect { "up", "--keep=db" }
  ok(kept.stderr:find("config changed", 1, true), kept.stderr)
  equal(pair.pids(stack), before)
  ok(stack:expect({ "ps" }).stdout:find("config changed", 1, true))
  local plan = stack:expect { "plan", "--exit-code" }
  ok(plan.stdout:find("= db-0", 1, true), plan.stdout)
  equal(plan.stdout:match("[^\n]+\n$"), "0 to add, 0 to change, 0 to remove.\n")
  stack:write((WITH_IMAGE:gsub("db: {", "db: {vm: {memory_mb: 1024}, ")))
  stack:expect { "up" }
  equal({ pair.backing(stack, "db-0"), stack:ps()["db-0"].memory_mib }, { "image.qcow2", 1024 })
  stack:write((WITH_IMAGE:gsub("db: {", 'db: {cloud_init: {runcmd: ["true"]}, ')))
  stack:expect({ "up" }, 3) -- that is another question
  stack:write(TWO)
  stack:expect { "up" }
  ok(not stack:expect({ "ps" }).stdout:find("config changed", 1, true))
end)

test("reprovision keeps the disk and gives the guest another instance-id, each time it is asked for", function()
  local stack <close> = pair.started(TWO)
  local disk, first = pair.inode(stack, "web-0"), pair.record(stack).instances["web-0"].spec.instance_id
  local db = pair.pids(stack)["db-0"]
  stack:write(WITH_STEP)
  ok(stack:expect({ "up", "--reprovision=web" }).stderr:find("reprovision   cloud_init.runcmd", 1, true))
  local second = pair.record(stack).instances["web-0"].spec.instance_id
  stack:write(TWO)
  stack:expect { "up", "--reprovision" }
  local third = pair.record(stack).instances["web-0"].spec.instance_id
  ok(first ~= second and second ~= third and first ~= third, "ids repeat: the guest would think it has run these steps")
  equal({ pair.inode(stack, "web-0"), pair.pids(stack)["db-0"], #pair.disks_in_trash(stack, "web-0") }, { disk, db, 0 })
  local again = stack:expect { "up", "--reprovision" }
  ok(again.stderr:find("up to date", 1, true), again.stderr)
end)

test("recreate makes a new disk, the old one waits in the trash; siblings are not touched", function()
  local stack <close> = pair.started(TWO)
  local before, web = pair.pids(stack), pair.inode(stack, "web-0")
  stack:write(WITH_IMAGE)
  local plan = stack:expect({ "plan", "--recreate=db" }).stdout
  ok(plan:find("~ db-0  recreate   image ", 1, true) and not plan:find("No disk is lost", 1, true), plan)
  stack:expect { "up", "--recreate=db" }
  local after = pair.pids(stack)
  equal({ pair.backing(stack, "db-0"), after["web-0"], pair.inode(stack, "web-0") }, { "other.qcow2", before["web-0"], web })
  ok(after["db-0"] ~= before["db-0"])
  equal({ #pair.disks_in_trash(stack, "db-0"), pair.record(stack).instances["db-0"].replaced }, { 1 })
  ok(fs.stat(stack.state .. "/volumes/pair/data.qcow2"))
  ok(stack:expect({ "up", "--recreate=db" }).stderr:find("up to date", 1, true))
  stack:expect { "up", "--force-recreate", "db" }
  equal({ #pair.disks_in_trash(stack, "db-0"), pair.pids(stack)["web-0"] }, { 2, before["web-0"] })
end)

test("a new disk that does not serve makes room for the old one, which runs again; what failed is in the trash", function()
  local stack <close> = pair.started(TWO)
  for round, setting in ipairs { "db-0: report=none", "db-0: fail=no such machine" } do
    local disk = pair.inode(stack, "db-0")
    stack:write(WITH_IMAGE)
    fake_qemu.set(stack.qemu, { setting })
    local failed = stack:run { "up", "--recreate=db", "--wait-timeout", "300ms" }
    ok(failed.status == 4 or failed.status == 1, failed.stderr)
    ok(failed.stderr:find("the old one is back", 1, true), failed.stderr)
    equal({ pair.inode(stack, "db-0"), pair.backing(stack, "db-0"), #pair.disks_in_trash(stack, "db-0") },
      { disk, "image.qcow2", round })
    equal(pair.record(stack).instances["db-0"].replaced, nil)
    fake_qemu.set(stack.qemu, {})
    stack:write(TWO)
    stack:expect { "stop", "db" } -- it was launched as the new one was
    stack:expect { "up" }
    equal(#stack:pids(), 3)
  end
end)

test("with -d the old disk is kept back until a later up has seen the new one serve", function()
  local stack <close> = pair.started(TWO)
  stack:write(WITH_IMAGE)
  stack:expect { "up", "-d", "--recreate" }
  ok(pair.record(stack).instances["db-0"].replaced.is_moved)
  stack:expect { "plan", "--exit-code" }
  stack:expect { "up" }
  equal(pair.record(stack).instances["db-0"].replaced, nil)
end)

test("protect refuses a new disk, whoever asks for it", function()
  local stack <close> = pair.started((TWO:gsub("db: {", "db: {protect: true, ")))
  local disk = pair.inode(stack, "db-0")
  stack:write((WITH_IMAGE:gsub("db: {", "db: {protect: true, ")))
  for _, words in ipairs { { "up", "--recreate" }, { "up", "--recreate=db" }, { "up", "--force-recreate", "db" } } do
    local refused = stack:expect(words, 3)
    ok(refused.stderr:find("protect", 1, true), refused.stderr)
  end
  equal({ pair.inode(stack, "db-0"), #pair.disks_in_trash(stack, "db-0") }, { disk, 0 })
  stack:write(TWO)
  stack:expect { "up" }
end)

test("A1: start of one replica leaves its stopped siblings alone", function()
  local stack <close> = pair.started(TWO)
  stack:expect { "stop" }
  stack:expect { "start", "web-0" }
  equal(#stack:pids(), 1)
  ok(fs.stat(stack.state .. "/instances/pair/web-1/root.qcow2"))
end)

--- `holos up` on a terminal, with what is typed at its questions.
local function up_at_terminal(stack, words, answers)
  return typist.run(words, answers, { directory = stack.directory, env = stack:environment() })
end

test("on a terminal it is a question; what is no answer changes nothing, -y asks nothing", function()
  local stack <close> = pair.started(TWO)
  local before = pair.pids(stack)
  stack:write(WITH_STEP)
  local shown = up_at_terminal(stack, { "up" }, { "web? [p/k/c", "\n" })
  ok(shown:find("run all steps again, on the present disks", 1, true) and shown:find("status 3", 1, true), shown)
  ok(up_at_terminal(stack, { "up", "-y" }, {}):find("status 3", 1, true))
  equal(pair.pids(stack), before)
  ok(up_at_terminal(stack, { "up" }, { "web? [p/k/c", "k\n" }):find("status 0", 1, true))
  equal(pair.pids(stack), before)
  stack:write(WITH_IMAGE)
  shown = up_at_terminal(stack, { "up" }, { "db? [k/c", "recreate\n" })
  ok(shown:find("status 0", 1, true), shown)
  equal({ pair.backing(stack, "db-0"), #pair.disks_in_trash(stack, "db-0"), pair.pids(stack)["web-0"] },
    { "other.qcow2", 1, before["web-0"] })
end)

test("several commands at once, two of which make new disks, under a supervisor that restarts what ends", function()
  local stack <close> = stack_.on_fake [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, replicas: 3, restart: always, stop_grace_period: 1s}
]]
  stack:expect { "up" }
  local statuses = task.map({ 1, 2, 3, 4, 5 }, 5, function(number)
    return stack:run(number % 2 == 0 and { "up", "--force-recreate" } or { "up" }).status
  end)
  equal(statuses, { 0, 0, 0, 0, 0 })
  equal({ #stack:pids(), #pair.disks_in_trash(stack, "web-0"), stack:run({ "plan", "--exit-code" }).status }, { 3, 2, 0 })
end)
