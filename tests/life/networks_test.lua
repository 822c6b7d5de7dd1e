-- holos networks: before up, while it runs, without the file, of all projects.
local fs = require "sys.fs"
local json = require "sys.json"
local stack_ = require "tests.support.stack"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, networks: {back: {aliases: [sql]}}, stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, networks: [front, back], stop_grace_period: 2s}
networks: {front: {}, back: {internal: true}}
]]

local function rows(stack, words)
  local list = {}
  for line in stack:expect({ "networks", "ls", "--format", "json", table.unpack(words or {}) }).stdout:gmatch("[^\n]+") do
    list[#list + 1] = assert(json.decode(line, {}))
  end
  return list
end

test("what is planned is what is leased, and the record says it without the file", function()
  local stack <close> = stack_.on_fake(YAML)
  local before = rows(stack)
  equal({ #before, before[1].key, before[1].state, before[1].internal, #before[1].members }, { 2, "back", "planned", true, 3 })
  equal(fs.stat(stack.state .. "/projects"), nil)
  stack:expect { "up" }
  local after = rows(stack)
  for i, row in ipairs(after) do
    equal({ row.state, before[i].state }, { "leased", "planned" })
    before[i].state = "leased"
  end
  equal(after, before)
  fs.remove(stack.directory .. "/holos.yaml")
  equal(rows(stack), after)
  equal(rows(stack, { "-p", "pair" }), after)
  equal(rows(stack, { "--all" }), after)
  local one = stack:expect({ "networks", "inspect", "pair_back" }).stdout
  ok(one:find("\ndb%-0 +10%.%d+%.0%.2 +52:54:[%x:]+ +%- +db%-0 db sql\n"), one)
  equal(json.decode(stack:expect({ "networks", "inspect", "back", "--format", "json" }).stdout, {}), after[1])
  equal(stack:expect({ "networks", "ls", "-q" }).stdout, "pair_back\npair_front\n")
  stack:expect { "down", "-p", "pair" }
end)

test("what is not there is told, with what was meant", function()
  local stack <close> = stack_.on_fake(YAML)
  equal(stack:expect({ "networks", "inspect", "fornt" }, 1).stderr,
    'holos: there is no network "fornt"\n  did you mean "front"?\n')
  ok(stack:expect({ "networks", "ls", "-p", "pear" }, 1).stderr:find('there is no project "pear"', 1, true))
  ok(stack:expect({ "networks", "inspect" }, 64).stderr:find("inspect which network?", 1, true))
end)

test("a network that cannot be leased is shown with the reason", function()
  local stack <close> = stack_.on_fake((YAML:gsub("front: {}", "front: {external: true}")))
  local result = stack:expect { "networks", "ls" }
  ok(result.stderr:find("networks of others (external: true) are not available yet", 1, true), result.stderr)
  ok(result.stdout:find("front", 1, true))
end)
