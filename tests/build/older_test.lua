-- A holos that knows an older minor version of the record works with what this one has written: what it does not know stays,
-- and this one goes on where it left off. It is built from this tree, without what newer minor versions have added.
local crash = require "tests.support.crash"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local pair = require "tests.support.pair"
local record_ = require "holos.run.record"
local tool = require "tests.support.tool"

local BUILD_TIMEOUT_MS = 20 * 60 * 1000
local NEEDED = { "holos.c", "modules", "lua", "recipes", "vendor", "Makefile", "LICENSE", "tests/targets.mk", "tests/need" }
local SUFFIX = "_of_tomorrow"
local FILE_MODE = tonumber("600", 8)

local OLDER_MINOR = 2 -- the next one has brought post_start, which the file of today has
local EVERYWHERE = { name = true } -- older versions have it, too, of other things

-- The fields that newer minor versions have added, as the comment beside the number says: "of specs: a, b; of instances: c".
local function newer_fields(source)
  local names = {}
  for minor = OLDER_MINOR + 1, record_.MINOR do
    local said = source:match(("\n%%-%%-%%- %d%%.%d: ([^\n]+)%%."):format(record_.MAJOR, minor))
    for list in said:gmatch(":([^;]+)") do
      for name in list:gmatch("[%l_]+") do names[#names + 1] = not EVERYWHERE[name] and name or nil end
    end
  end
  return names
end

-- Renames words in all scripts below a directory; gives how many there were.
local function rename(directory, names)
  local count = 0
  for _, path in ipairs(files.below(directory, "%.lua$")) do
    local text, found = files.read(path), 0
    for _, name in ipairs(names) do
      local renamed, here = text:gsub("%f[%w_]" .. name .. "%f[^%w_]", name .. SUFFIX)
      text, found = renamed, found + here
    end
    if found > 0 then files.write(path, text) end
    count = count + found
  end
  return count
end

local function copy_of_tree()
  local directory, tree = tmpdir(), files.directory .. "/.."
  local copy = 'cd "$1" && out=$2 && shift 2 && for f; do test ! -e "$f" || cp -R --parents "$f" "$out"; done'
  local result = tool.run { "sh", "-c", copy, "sh", tree, directory, table.unpack(NEEDED) }
  equal(result.status, 0, result.stderr)
  return directory
end

-- The libraries are there, or are where this tree has them.
local function environment_of_make()
  local env = { "VENDOR=" .. fs.realpath(os.getenv "VENDOR" or files.directory .. "/../build/vendor") }
  for _, name in ipairs { "HOLOS_SOURCES", "HOLOS_CACHE_DIR", "HOME" } do
    if os.getenv(name) then env[#env + 1] = name .. "=" .. os.getenv(name) end
  end
  return env
end

-- Builds it; gives the program.
local function build_older()
  local directory = copy_of_tree()
  local path = directory .. "/lua/run/record.lua"
  local source = files.read(path)
  local names = newer_fields(source)
  ok(rename(directory .. "/lua", names) > #names)
  local older, count = files.read(path):gsub(("M%%.MAJOR, M%%.MINOR = %d, %d"):format(record_.MAJOR, record_.MINOR),
    ("M.MAJOR, M.MINOR = %d, %d"):format(record_.MAJOR, OLDER_MINOR))
  equal(count, 1)
  files.write(path, older)
  local made = tool.run({ "make" }, { directory = directory, env = environment_of_make(), timeout_ms = BUILD_TIMEOUT_MS })
  equal(made.status, 0, made.stderr)
  return directory .. "/holos"
end

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 1s%s}
  web: {image: ./image.qcow2, image_os: plain, depends_on: [db], ports: ["0:80"], stop_grace_period: 1s}
volumes: {data: {size: 64M}}
]]
local OF_TODAY = YAML:format ', post_start: [{command: ["true"]}]'
local PLAIN = YAML:format ""

local function write_record(stack, record)
  assert(fs.write_atomic(stack.state .. "/projects/pair.json", json.encode(record, {}), { mode = FILE_MODE, sync = false }))
end

local function places_of(record)
  local db = record.instances["db-0"]
  return { record, db, db.spec, db.spec.vm, record.leases, record.volumes.data }
end

-- Adds what no version knows, at every level.
local function add_of_tomorrow(stack)
  local record = pair.record(stack)
  for _, place in ipairs(places_of(record)) do place.of_tomorrow = { "kept" } end
  write_record(stack, record)
end

local function require_all(stack, where)
  local record = pair.record(stack)
  for position, place in ipairs(places_of(record)) do
    equal(place.of_tomorrow, { "kept" }, ("%s: place %d"):format(where, position))
  end
  equal({ record.schema.minor, #record.instances["db-0"].spec.post_start }, { record_.MINOR, 1 }, where)
end

test("an older holos works with what this one wrote, loses nothing of it, and this one goes on", function()
  local older = build_older()
  local stack <close> = crash.new_stack(fake_qemu.install {}, OF_TODAY)
  local function with_older(words, status)
    local result = tool.run({ older, table.unpack(words) }, { directory = stack.directory, env = stack:environment() })
    equal(result.status, status or 0, table.concat(words, " ") .. result.stderr)
    return result
  end
  local both = { "pair/db-0", "pair/web-0" }
  stack:expect { "up", "-d" }
  add_of_tomorrow(stack)
  local pids, disks = stack:pids(), crash.disks(stack)
  ok(with_older { "ps" }.stdout:find("db-0", 1, true))
  equal({ stack:pids(), crash.running(stack) }, { pids, both }, "ps touches nothing")
  for _, step in ipairs { { { "stop" }, {} }, { { "start", "-d" }, both }, { { "stop", "web" }, { "pair/db-0" } },
    { { "start", "-d" }, both } } do
    with_older(step[1])
    equal(crash.running(stack), step[2], table.concat(step[1], " "))
    require_all(stack, table.concat(step[1], " "))
  end
  ok(with_older({ "scale", "-d", "web=2" }, 2).stderr:find("post_start", 1, true), "it does not know the language of today")
  require_all(stack, "scale refused")
  stack:write(PLAIN)
  with_older { "scale", "-d", "web=2" }
  equal(crash.running(stack), { "pair/db-0", "pair/web-0", "pair/web-1" })
  require_all(stack, "scale")
  crash.require_kept(stack, disks, "scale")
  stack:write(OF_TODAY)
  stack:expect { "scale", "-d", "web=1" }
  -- What the older one has started has not heard of post_start, so that is to be run; nothing else is to be done.
  local left = stack:expect({ "plan", "--exit-code" }, 10).stdout
  ok(left:find("^  · db%-0  runs `true` [^\n]+\n0 to add, 0 to change, 0 to remove.\n$"), left)
  equal(crash.running(stack), both, "this one goes on")
  require_all(stack, "scale by this one")
  with_older { "down" }
  equal(crash.running(stack), {})
  crash.require_kept(stack, disks, "down")
  stack:expect { "trash", "restore", "pair" }
  require_all(stack, "down by the older one, restored by this one")
  stack:expect { "start", "-d" }
  equal(crash.running(stack), both)
  crash.require_no_orphans(stack, "at the end")
end, { timeout_ms = BUILD_TIMEOUT_MS })

test("a record of a higher major version is refused in one sentence and stays as it is", function()
  local stack <close> = crash.new_stack(fake_qemu.install {}, PLAIN)
  stack:expect { "up", "-d" }
  local text = files.read(stack.state .. "/projects/pair.json")
  local record, pids = pair.record(stack), stack:pids()
  record.schema.major = record_.MAJOR + 1
  write_record(stack, record)
  local changed = files.read(stack.state .. "/projects/pair.json")
  for _, words in ipairs { { "ps" }, { "up", "-d" }, { "stop" }, { "start" }, { "scale", "web=2" }, { "down" } } do
    local result = stack:expect(words, 1)
    ok(result.stderr:find(("was written by a newer holos (schema %d; this one knows %d)"):format(record_.MAJOR + 1,
      record_.MAJOR), 1, true), result.stderr)
    equal(select(2, result.stderr:gsub("holos: ", "")), 1, result.stderr)
  end
  equal({ files.read(stack.state .. "/projects/pair.json"), stack:pids() }, { changed, pids })
  assert(fs.write_atomic(stack.state .. "/projects/pair.json", text, { mode = FILE_MODE, sync = false }))
end)
