-- holos args shows what is really run, and runs nothing itself.
local files = require "tests.support.files"
local json = require "sys.json"
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 2s}
  web:
    image: ./image.qcow2
    image_os: plain
    replicas: 2
    ports: ["0:80", "20000-20100:443"]
    stop_grace_period: 2s
    networks: [front]
volumes: {data: {size: 64M}}
networks: {front: {}}
]]

local function rows(stack, words)
  local list = {}
  for line in stack:expect({ "args", "--format", "json", table.unpack(words) }).stdout:gmatch("[^\n]+") do
    list[#list + 1] = assert(json.decode(line, {}))
  end
  return list
end

-- What a process was started with.
local function command_line(pid)
  local words = {}
  for word in files.read(("/proc/%d/cmdline"):format(pid)):gmatch("([^%z]*)%z") do words[#words + 1] = word end
  return { table.unpack(words, 2) }
end

test("before anything is made args shows what up will run, and leaves nothing behind", function()
  local stack <close> = stack_.on_fake(YAML)
  local shown = rows(stack, { "db" })[1]
  equal(fs.stat(stack.state .. "/projects"), nil)
  equal(fs.stat(stack.state .. "/instances"), nil)
  stack:expect { "up" }
  equal(command_line(stack:ps()["db-0"].pid), shown.argv)
end)

test("what runs is what is shown, from the file and from the record", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  stack:expect { "stop" }
  stack:expect { "start" } -- with the ports that were leased
  local seen = stack:ps()
  for _, words in ipairs { { "web" }, { "-p", "pair", "web" } } do
    local shown = rows(stack, words)
    equal(#shown, 2)
    for _, row in ipairs(shown) do equal({ row.instance, row.argv }, { row.instance, command_line(seen[row.instance].pid) }) end
  end
  fs.remove(stack.directory .. "/holos.yaml")
  equal(rows(stack, { "-p", "pair", "db" })[1].argv, command_line(seen["db-0"].pid))
  ok(stack:expect({ "args", "--explain", "-p", "pair", "db" }).stdout:find("-smp 1\n    record  services.db.vm.vcpu\n", 1, true))
end)

test("what runs with other options than the file asks for is told", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  stack:expect { "stop" }
  stack:expect { "start" }
  equal(stack:expect({ "args", "db" }).stderr:find("runs with other options"), nil)
  stack:write((YAML:gsub("db: {", "db: {memory: 1g, ")))
  local result = stack:expect { "args", "--format", "json", "db" }
  ok(result.stderr:find("db-0 runs with other options now: add --recorded to see them\n", 1, true), result.stderr)
  ok(json.decode(result.stdout, {}).runs_otherwise)
  equal(rows(stack, { "--recorded", "db" })[1].argv, command_line(stack:ps()["db-0"].pid))
end)

test("an unknown service is told with those that there are", function()
  local stack <close> = stack_.on_fake(YAML)
  ok(stack:expect({ "args", "wep" }, 64).stderr:find('did you mean "web"', 1, true))
  ok(stack:expect({ "args", "nothing-like-it" }, 64).stderr:find("there are: db db-0 web web-0 web-1", 1, true))
end)

test("the text can be given to a shell: the same words come out", function()
  local stack <close> = stack_.on_fake(YAML)
  local text = stack:expect({ "args", "web-1" }).stdout
  local result = run_tool({ "sh", "-s" }, { stdin = 'show() { shift; printf "%s\\n" "$@"; }\nshow '
    .. text:gsub("^%S+", "program") })
  equal(result.stdout, table.concat(rows(stack, { "web-1" })[1].argv, "\n") .. "\n")
end)
