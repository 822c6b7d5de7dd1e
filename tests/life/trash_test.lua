-- The trash beside what has happened since.
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local pair = require "tests.support.pair"
local stack_ = require "tests.support.stack"
local typist = require "tests.support.typist"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, ports: ["0:80"]}
]]

-- Somebody who says yes, and a `down` that ends meanwhile.
local ASKED = [[
local process, world = require "holos.run.process", require "holos.run.world"
holos.override("holos.command.ask", "is_possible", function() return true end)
holos.override("holos.command.ask", "letter", function()
  local env = {}
  for name, value in pairs(world.host.environ()) do env[#env + 1] = name .. "=" .. value end
  local ended = process.run(world, { program = world.host.executable(), argv = { "down", "db" }, env = env })
  assert(ended.status == 0, ended.stderr)
  return "y"
end)
return require "holos.main" { ... }
]]

local function stack_of(yaml) return stack_.on_fake(yaml or YAML) end

test("names in the trash: a near miss is told, a path is none, and nothing is made for it", function()
  local stack <close> = stack_of()
  stack:expect { "up" }
  stack:expect { "down" }
  for _, words in ipairs { { "restore", "pari" }, { "ls", "pari" }, { "empty", "--yes", "pari" } } do
    local refused = stack:expect({ "trash", table.unpack(words) }, 1)
    ok(refused.stderr:find('did you mean "pair"?', 1, true), refused.stderr)
  end
  files.write(stack.directory .. "/outside/instances/x-0/root.qcow2", "precious")
  for _, name in ipairs { "../../outside", "..", ".", "", "a/b" } do
    equal(stack:run({ "trash", "restore", name }).status, 1)
    equal(stack:run({ "trash", "empty", "--yes", name }).status, 1)
    equal(stack:run({ "down", "-p", name }).status == 0, name == "") -- an empty one is none: the project of the file is meant
  end
  ok(fs.stat(stack.directory .. "/outside/instances/x-0/root.qcow2"))
  equal(fs.list(stack.state .. "/instances/a"), nil)
  equal(fs.list(stack.state .. "/volumes"), {})
  ok(stack:expect({ "trash", "ls" }).stdout:find("web-0", 1, true))
  local near = stack:expect({ "logs", "-p", "pair2" }, 1)
  ok(near.stderr:find("holos ls", 1, true), near.stderr)
end)

test("an address that another instance got meanwhile is leased anew, and said", function()
  local stack <close> = stack_of((YAML:gsub("services:", "services:\n  zoo: {image: ./image.qcow2, image_os: plain}")))
  stack:expect { "up", "-d" }
  local before = stack:ps()["web-0"].address
  stack:expect { "down", "web" }
  stack:write((YAML:gsub("\n  web:.*$", "\n  zoo: {image: ./image.qcow2, image_os: plain}\n"
    .. "  api: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}\n")))
  stack:expect { "up", "-d" }
  equal(stack:ps()["api-0"].address, before)
  local restored = stack:expect { "trash", "restore", "pair" }
  ok(restored.stderr:find(("web-0: its address %s is not free by now"):format(before), 1, true), restored.stderr)
  local rows, seen = stack:ps(), {}
  for name, row in pairs(rows) do
    ok(not seen[row.address], name .. " shares an address with " .. tostring(seen[row.address]))
    seen[row.address] = name
  end
  equal({ rows["web-0"].state, rows["api-0"].state }, { "stopped", "provisioned" })
  stack:expect { "start", "-p", "pair", "web" }
  equal(pair.record(stack).instances["web-0"].spec.nics[2].address, rows["web-0"].address)
end)

test("a published port that another project runs on by now: nothing is put back, and who has it is told", function()
  local text = YAML:gsub('"0:80"', '"28471:80"')
  local stack <close> = stack_of(text)
  stack:expect { "up", "-d" }
  stack:expect { "down" }
  files.write(stack.directory .. "/other/holos.yaml", (text:gsub("name: pair", "name: other"):gsub("%./image", "../image")))
  stack:expect { "-f", "other/holos.yaml", "up", "-d" }
  local refused = stack:expect({ "trash", "restore", "pair" }, 3)
  ok(refused.stderr:find("web-0 publishes 127.0.0.1:28471/tcp, which other/web-0 has by now", 1, true), refused.stderr)
  ok(refused.stderr:find("holos stop -p other web-0", 1, true), refused.stderr)
  equal(fs.stat(stack.state .. "/instances/pair/web-0"), nil)
  stack:expect { "stop", "-p", "other", "web-0" }
  stack:expect { "trash", "restore", "pair" }
  stack:expect { "start", "-d", "-p", "pair" }
  stack:expect { "down", "-p", "other" }
end)

test("what restore leaves in the trash is told, and how to get it", function()
  local stack <close> = stack_of()
  stack:expect { "up", "--no-start" }
  stack:expect { "down", "db" }
  stack:expect { "down" }
  local said = stack:expect({ "trash", "restore", "pair" }).stderr
  ok(said:find("pair: put back web-0\nthey are stopped; next: holos start -p pair\n", 1, true), said)
  local words = said:match "still in the trash: db%-0   %(holos (trash restore pair %S+)%)"
  ok(words, said)
  local list = {}
  for word in words:gmatch "%S+" do list[#list + 1] = word end
  ok(not stack:expect(list).stderr:find("still in the trash", 1, true))
end)

test("trash empty is about the project in reach, says what it would delete, and asks; --all is about all", function()
  local stack <close> = stack_of()
  for _, name in ipairs { "pair", "twin" } do
    stack:expect { "-p", name, "up", "--no-start" }
    stack:expect { "-p", name, "down" }
  end
  local refused = stack:expect({ "trash", "empty" }, 3)
  ok(refused.stdout:find("db-0 web-0", 1, true) and not refused.stdout:find("twin", 1, true), refused.stdout)
  ok(refused.stderr:find("holos trash empty --yes pair", 1, true), refused.stderr)
  local function at_terminal(typed)
    return typist.run({ "trash", "empty" }, { "for good: [y]es, or [N]o?", typed },
      { directory = stack.directory, env = stack:environment() })
  end
  ok(at_terminal("\\n"):find("nothing was deleted", 1, true))
  ok(at_terminal("y\\n"):find("deleted pair %S+ db%-0 web%-0"))
  ok(stack:expect({ "trash", "empty", "--yes" }).stderr:find("nothing to delete", 1, true))
  ok(stack:expect({ "trash", "ls" }).stdout:find("twin", 1, true))
  fs.remove(stack.directory .. "/holos.yaml")
  ok(stack:expect({ "trash", "empty", "--yes" }, 64).stderr:find("holos trash empty PROJECT, or --all", 1, true))
  stack:expect { "trash", "empty", "--yes", "--all" }
  equal(stack:expect({ "trash", "ls", "--format", "json" }).stdout, "")
end)

test("trash empty deletes what it was asked about and nothing else: one batch, and none that came meanwhile", function()
  local stack <close> = stack_of()
  local function batches()
    local names = {}
    for line in stack:expect({ "trash", "ls", "--format", "json" }).stdout:gmatch "[^\n]+" do
      names[#names + 1] = json.decode(line, {}).batch
    end
    return names
  end
  for _, service in ipairs { "db", "web" } do
    stack:expect { "up", "--no-start" }
    stack:expect { "down", service }
  end
  local before = batches()
  equal(#before, 2)
  local none = stack:expect({ "trash", "empty", "--yes", "pair", "20260101T010101.000Z" }, 1).stderr
  ok(none:find("named 20260101T010101.000Z", 1, true), none)
  ok(stack:expect({ "trash", "ls", "pair", before[1] }).stdout:find "db%-0\n$")
  stack:expect { "trash", "empty", "--yes", "pair", before[1] }
  equal(batches(), { before[2] })
  files.write(stack.directory .. "/asked.lua", ASKED)
  local said = stack:expect({ "lua", "asked.lua", "trash", "empty" }).stderr
  ok(said:find("deleted pair " .. before[2], 1, true), said)
  equal(#batches(), 1)
end)

test("trash empty and restore wait for the project's lock, or do not", function()
  local stack <close> = stack_of()
  stack:expect { "up", "-d" }
  stack:expect { "down" }
  local lock <close> = assert(require("sys.lock").open(stack.state .. "/locks/pair.lock"))
  assert(lock:try_take())
  equal(stack:run({ "trash", "empty", "--yes", "--no-wait" }).status, 5)
  equal(stack:run({ "trash", "restore", "pair", "--lock-timeout", "50ms" }).status, 5)
  lock:release()
  stack:expect { "trash", "empty", "--yes" }
  equal(stack:expect({ "trash", "ls", "--format", "json" }).stdout, "")
end)

test("a directory in a batch that its record does not name: a sentence, nothing is put back, and the way out works", function()
  local stack <close> = stack_of()
  stack:expect { "up", "-d" }
  stack:expect { "down" }
  local batch = ("%s/trash/pair/%s"):format(stack.state, fs.list(stack.state .. "/trash/pair")[1].name)
  files.write(batch .. "/instances/stray-0/root.qcow2", "of nobody")
  local refused = stack:expect({ "trash", "restore", "pair" }, 3)
  ok(refused.stderr:find("instances/stray-0 of this batch is not in its record.json", 1, true), refused.stderr)
  equal(fs.stat(stack.state .. "/instances/pair/web-0"), nil)
  assert(fs.rename(batch .. "/instances/stray-0", stack.directory .. "/stray-0"))
  stack:expect { "trash", "restore", "pair" }
  ok(fs.stat(stack.state .. "/instances/pair/web-0"))
end)

test("a restore that was cut off after its record: up and start name the batch that has the disk, and that mends it", function()
  local stack <close> = stack_of()
  stack:expect { "up", "-d" }
  stack:expect { "down", "web" }
  local place = stack.state .. "/trash/pair/"
  local name = fs.list(place)[1].name
  local here, there = stack.state .. "/instances/pair/web-0", place .. name .. "/instances/web-0"
  local kept = assert(fs.read(place .. name .. "/record.json"))
  stack:expect { "trash", "restore", "pair" }
  assert(fs.mkdir_all(place .. name .. "/instances", 448))
  assert(fs.write_atomic(place .. name .. "/record.json", kept, { mode = 384 }))
  assert(fs.rename(here, there))
  local cure = ("holos trash restore pair %s"):format(name)
  for _, words in ipairs { { "up" }, { "start" } } do
    local refused = stack:expect(words, 3)
    ok(refused.stderr:find("the trash holds one of web-0: " .. cure, 1, true), refused.stderr)
    ok(not refused.stderr:find("holos down", 1, true), refused.stderr)
  end
  stack:expect { "trash", "restore", "pair", name }
  stack:expect { "up", "-d" }
  equal(#stack:pids(), 2)
end)

test("what up would delete from the trash is said by every plan, and deleted only by an up that is not refused", function()
  local stack <close> = stack_of()
  stack:expect { "up", "-d" }
  stack:expect { "down" }
  local batch = fs.list(stack.state .. "/trash/pair")[1].name
  equal(run_tool({ "touch", "-d", "10 days ago", stack.state .. "/trash/pair/" .. batch }).status, 0)
  local said = ("up deletes from the trash: %s of pair (db-0 web-0), older than 7 days"):format(batch)
  local function says(status, ...)
    local result = stack:expect({ ... }, status)
    ok(result.stderr:find(said, 1, true), result.stderr)
  end
  says(0, "plan")
  says(0, "up", "--dry-run")
  local taken <close> = assert(require("sys.net").listen_tcp("127.0.0.1", 0))
  stack:write((YAML:gsub('"0:80"', ('"%d:80"'):format(assert(require("sys.net").bound_port(taken))))))
  stack:expect({ "up" }, 1)
  equal(#fs.list(stack.state .. "/trash/pair"), 1)
  stack:write(YAML)
  says(0, "up", "-d")
  equal(fs.list(stack.state .. "/trash/pair"), {})
end)
