-- Options of up and plan that contradict each other or name nothing are refused before anything is touched, with a sentence; what
-- --parallel and free memory bound; what --pull is worth where images are files. On the stand-in for QEMU.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local pair = require "tests.support.pair"
local stack_ = require "tests.support.stack"

local TWO = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}
  web: {image: ./image.qcow2, image_os: plain, depends_on: [db], stop_grace_period: 1s}
  tools: {image: ./image.qcow2, image_os: plain, profiles: [extra], stop_grace_period: 1s}
]]

-- What is typed, and what it says.
local WRONG = {
  { "up --force-recreate --no-recreate", "--no-recreate and --force-recreate exclude each other" },
  { "up --keep=web --recreate=web", "--keep and --recreate are both given for web" },
  { "up --keep --recreate", "--keep and --recreate are both given for all services" },
  { "up --reprovision=db --keep=web,db", "--reprovision and --keep are both given for db" },
  { "up --no-recreate --recreate", "--keep and --recreate are both given for all services" },
  { "up --force-recreate --keep=web web", "--force-recreate and --keep are both given for web" },
  { "up --recreate=wbe", '--recreate=wbe: there is no such service or instance', 'did you mean "web"?' },
  { "up --recreate=web-7", "there is no such service or instance" },
  { "up wbe", 'there is no service "wbe"', 'did you mean "web"?' },
  { "up --scale wbe=2", 'there is no service "wbe"', 'did you mean "web"?' },
  { "up --scale web=2 --scale web=3", "web is to have 2 instances, and 3" },
  { "up db --scale web=2", "--scale web=2: web is not among what is to come up" },
  { "up --scale tools=2", "--scale tools=2: tools is not among what is to come up" },
  { "up --scale web=-1", "expected SERVICE=NUMBER" },
  { "up --no-start --wait", "--no-start and --wait exclude each other" },
  { "up --parallel 0", "--parallel 0 would launch nothing" },
  { "up --parallel -2", "-2 is below -1" },
  { "up --pull sometimes", "--pull: unknown pull policy", "missing, never, daily" },
  { "up --pull always", "--pull always: the image of db is a local file, and there is nothing to fetch it from" },
}

test("what contradicts itself or names nothing is refused with a sentence, by up and by plan, and nothing is touched", function()
  local stack <close> = stack_.on_fake(TWO)
  for _, case in ipairs(WRONG) do
    local words = {}
    for word in case[1]:gmatch("%S+") do words[#words + 1] = word end
    local refused = stack:expect(words, 64)
    for i = 2, #case do ok(refused.stderr:find(case[i], 1, true), case[1] .. "\n" .. refused.stderr) end
    if case[1]:find "scale" or case[1]:find "recreate" or case[1]:find "pull" then
      words[1] = "plan"
      stack:expect(words, 64)
    end
  end
  equal({ #stack:pids(), (fs.stat(stack.state .. "/projects/pair.json")) }, { 0 })
end)

test("an answer for one instance goes before one for its service, that before one for all", function()
  local stack <close> = pair.started((TWO:gsub("web: {", "web: {replicas: 2, ")))
  local kept = pair.inode(stack, "web-1")
  stack:write((TWO:gsub("web: {image: ./image", "web: {replicas: 2, image: ./other")))
  stack:expect { "up", "--no-recreate", "--recreate=web-0" }
  equal({ pair.backing(stack, "web-0"), pair.inode(stack, "web-1") }, { "other.qcow2", kept })
end)

test("--scale of a service with a profile that is asked for, and of one that others need", function()
  local stack <close> = stack_.on_fake(TWO)
  equal(stack:run({ "--profile", "extra", "up", "--scale", "tools=2" }).status, 0)
  stack:expect { "up", "web", "--scale", "db=2" }
  local pids = pair.pids(stack)
  ok(pids["tools-1"] and pids["db-1"] and pids["web-0"], "all run")
end)

test("--pull missing and never take the files that are there, and count before what the file says", function()
  for _, policy in ipairs { "missing", "never", "if_not_present" } do
    local stack <close> = stack_.on_fake((TWO:gsub("db: {", "db: {pull_policy: " .. policy .. ", ")))
    equal({ stack:expect({ "up" }).status, #stack:pids() }, { 0, 2 }, policy)
    equal(stack:expect({ "plan", "--pull", "never", "--exit-code" }).status, 0)
  end
  local stack <close> = stack_.on_fake((TWO:gsub("db: {", "db: {pull_policy: always, ")))
  local said = stack:expect({ "up" }).stderr
  ok(said:find("services.db.pull_policy: has no effect: the image is a file, and nothing fetches it", 1, true), said)
  equal(#stack:pids(), 2)
end)

-- Counts the launches that are under way at the same time. The first wait until as many are there as the test says, which
-- says what memory is free, too.
local COUNTING = [[
local task, now, most = require "holos.core.task", 0, 0
local all_there = task.event()
holos.override("holos.run.memory", "look", function() return { total_bytes = 64 << 30, available_bytes = FREE } end)
holos.override("holos.run.launch", "start", function(base, ...)
  now = now + 1
  most = math.max(most, now)
  if now == WANTED then all_there:fire() end
  task.within(20000, all_there.wait, all_there)
  local started = base(...)
  now = now - 1
  return started
end)
local status = require "holos.main" { ... }
io.stdout:write("most: ", most, "\n")
return status
]]

test("free memory bounds how many are launched at a time, by up and by start; --parallel goes before it", function()
  local stack <close> = stack_.on_fake((TWO:gsub("web: {", "web: {replicas: 4, "):gsub("depends_on: %[db%], ", "")))
  local function expect(wanted, ...)
    files.write(stack.directory .. "/count.lua", (COUNTING:gsub("FREE", "1100 << 20"):gsub("WANTED", wanted)))
    equal(stack:expect({ "lua", "count.lua", ... }).stdout:match "most: (%d+)", tostring(wanted))
  end
  expect(2, "up", "-d")
  stack:expect { "stop" }
  expect(2, "start", "-d")
  stack:expect { "down" }
  expect(3, "up", "-d", "--parallel", "3")
  stack:expect { "down" }
  expect(5, "up", "-d", "--parallel", "-1")
end)

test("the first failure stops new work and leaves what runs; the next up does the rest", function()
  local stack <close> = stack_.on_fake((TWO:gsub("web: {", "web: {replicas: 4, "):gsub("depends_on: %[db%], ", "")))
  fake_qemu.set(stack.qemu, { "web-1: fail=no such machine" })
  stack:expect({ "up", "-d", "--parallel", "1" }, 1)
  local pids = pair.pids(stack)
  ok(pids["db-0"] and pids["web-0"], "what was launched before runs")
  equal({ pids["web-1"], pids["web-2"], pids["web-3"] }, {})
  fake_qemu.set(stack.qemu, {})
  stack:expect { "up", "-d" }
  local after = pair.pids(stack)
  equal({ after["db-0"], after["web-0"], #stack:pids() }, { pids["db-0"], pids["web-0"], 5 })
end)
