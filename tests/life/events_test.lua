-- holos events: what has happened is read back, chosen from, and followed, on the stand-in for QEMU.
local clock = require "sys.clock"
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local pair = require "tests.support.pair"
local program = require "tests.support.program"
local supervised = require "tests.support.supervised"
local table_ = require "holos.core.table"
local task = require "holos.core.task"

local TWO = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, restart: always}
]]

local function types(stack, words)
  local list = {}
  for line in stack:expect({ "events", "--format", "json", table.unpack(words or {}) }).stdout:gmatch("[^\n]+") do
    local event = assert(json.decode(line, {}))
    list[#list + 1] = (event.instance or "") .. " " .. event.type
  end
  return list
end

test("events are shown oldest first, of what is named, of a time, the last of them", function()
  local stack <close> = pair.started(TWO)
  stack:expect { "stop", "web" }
  local all = types(stack)
  for _, wanted in ipairs { " project.up", "db-0 instance.launched", "web-0 instance.stopped" } do
    ok(table_.index_of(all, wanted), wanted .. " is not among " .. table.concat(all, "\n"))
  end
  for _, event in ipairs(types(stack, { "web" })) do equal(event:match("^%S+"), "web-0") end
  equal(types(stack, { "-n", "1" }), { all[#all] })
  equal({ #types(stack, { "--since", "1h" }), types(stack, { "--until", "2001-01-01" }) }, { #all, {} })
  local file = stack.state .. "/events/pair.jsonl"
  assert(fs.rename(file, file .. ".1")) -- as it is put aside when it is large
  files.write(file,
    '{"time":"2100-01-01T00:00:00Z","type":"instance.exited","instance":"db-0","text":"a \\u001b[31mred\\nword"}\n{"ti')
  equal(#types(stack), #all + 1)
  local last = stack:expect({ "events", "-n1" }).stdout
  equal(last, "2100-01-01T00:00:00Z  db-0          instance.exited       text='a \\x1b[31mred word'\n")
  stack:expect({ "events", "--since", "yesterday" }, 64)
end)

test("events are followed, over a log that is put aside", function()
  local stack <close> = pair.started(TWO)
  local file = stack.state .. "/events/pair.jsonl"
  local holos = require("sys.host").executable()
  local follower <close> = program.start { holos, "events", "--state-dir", stack.state, "-p", "pair", "-f" }
  local function until_line(pattern)
    repeat local line = assert(follower:line()) until line:find(pattern)
  end
  task.within(20000, function()
    until_line "web%-0 +instance.launched"
    stack:expect { "stop", "db" }
    until_line "db%-0 +instance.stopped"
    ok(fs.rename(file, file .. ".1"))
    supervised.kill(stack:ps()["web-0"].pid)
    until_line "web%-0 +instance.exited"
  end)
end)

test("events are followed until a time; those of a project that is gone can still be read", function()
  local stack <close> = pair.started(TWO)
  local soon = clock.iso(clock.utc_ms() + 1500)
  ok(#types(stack, { "--follow", "--until", soon }) >= 3)
  stack:expect { "down" }
  local gone = types(stack)
  equal(gone[#gone], " project.down")
  ok(#types(stack, { "web" }) > 2)
  stack:expect({ "events", "-p", "nobody" }, 1)
end)
