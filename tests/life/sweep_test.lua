-- Hidden files of writes that were killed: swept by the next command that changes something, when they are old.
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"
local sweep = require "holos.run.sweep"
local task = require "holos.core.task"

local YAML = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, volumes: ["data:/data"]}
volumes: {data: {size: 1M}}
]]
local ROUNDS = require("tests.support.files").environment "HOLOS_TESTS" == "all" and 40 or 4
local LEFT = ".0123456789abcdef.tmp"

test("what killed writers left goes, when it is old and has a name of ours", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up", "-d" }
  stack:expect { "down" }
  stack:expect { "up", "-d" }
  local batch = fs.list(stack.state .. "/trash/pair")[1].name
  local places = { "projects", "probes", "instances/pair/web-0", "volumes/pair", "ssh/pair", "trash/pair/" .. batch }
  local kept = { ".0123456789abcdef.tmp.txt", ".0123456789ABCDEF.tmp", "x.0123456789abcdef.tmp", ".0123456789abcde.tmp" }
  for _, place in ipairs(places) do
    for _, name in ipairs { LEFT, ".1111111111111111.tmp", table.unpack(kept) } do
      assert(fs.write_atomic(("%s/%s/%s"):format(stack.state, place, name), "x"))
      local date = name == ".1111111111111111.tmp" and "1 minute ago" or "61 minutes ago"
      equal(run_tool({ "touch", "-d", date, ("%s/%s/%s"):format(stack.state, place, name) }).status, 0)
    end
  end
  assert(fs.mkdir_all(stack.state .. "/volumes/pair/.2222222222222222.tmp"))
  stack:expect { "ps" }
  ok(fs.stat(stack.state .. "/projects/" .. LEFT), "a command that only reads removes nothing")
  stack:expect { "stop" }
  for _, place in ipairs(places) do
    equal(fs.lstat(("%s/%s/%s"):format(stack.state, place, LEFT)), nil, place)
    for _, name in ipairs { ".1111111111111111.tmp", table.unpack(kept) } do
      ok(fs.lstat(("%s/%s/%s"):format(stack.state, place, name)), place .. "/" .. name)
    end
  end
  ok(fs.lstat(stack.state .. "/volumes/pair/.2222222222222222.tmp"))
end)

test("a file of before the boot goes, however young; one of the future stays", function()
  local state = require("holos.run.state").locate({ host = { working_directory = function() return "/" end } },
    { state_dir = tmpdir() })
  assert(fs.mkdir_all(state:records()))
  local function sweep_at(written_ago_ms, up_ms)
    assert(fs.write_atomic(state:records() .. "/" .. LEFT, "x"))
    local stat_ms = fs.stat(state:records() .. "/" .. LEFT).mtime_ns // 1000000
    local now_ms = stat_ms + written_ago_ms
    sweep.temporaries({ fs = fs, clock = { utc_ms = function() return now_ms end, monotonic_ms = function() return up_ms end } },
      state, "pair")
    return fs.lstat(state:records() .. "/" .. LEFT) == nil
  end
  equal({ sweep_at(30000, 20000), sweep_at(30000, 40000), sweep_at(-5000, 1000), sweep_at(-5000, 10000000) },
    { true, false, false, false })
end)

test("copies of secrets that no record leads to go with the next command", function()
  local stack <close> = stack_.on_fake((YAML:gsub("image_os", "secrets: [pin], image_os") .. "secrets: {pin: {file: ./pin}}\n"))
  assert(fs.write_atomic(stack.directory .. "/pin", "1234"))
  stack:expect { "up", "-d" }
  local copies = stack.state .. "/projects/pair/secrets"
  ok(#fs.list(copies) > 0)
  stack:expect { "down" }
  stack:expect { "down", "-v" }
  ok(not fs.lstat(stack.state .. "/projects/pair.json"))
  ok(not fs.lstat(copies), "the copies go with the record")
  assert(fs.mkdir_all(copies))
  assert(fs.write_atomic(copies .. "/0123", "1234"))
  stack:write(YAML)
  stack:expect { "up", "-d" }
  ok(not fs.lstat(copies))
end)

local function has_come_late(told)
  for _, reason in ipairs { "there is no project", "is gone; another command", "the trash holds nothing" } do
    if told:find(reason, 1, true) then return true end
  end
  return false
end

test("up and down at the same time, again and again: none fails for what another has cleared up", function()
  local stack <close> = stack_.on_fake(YAML)
  local verbs = { { "up", "-d" }, { "down", "-v", "--purge" }, { "up", "-d" }, { "down" }, { "up", "-d" },
    { "trash", "empty", "--yes" } }
  for _ = 1, ROUNDS do
    task.map(verbs, #verbs, function(words)
      local result = stack:run(words)
      ok(result.status == 0 or words[1] ~= "up" and result.status == 1 and has_come_late(result.stderr),
        ("%s: %s %s"):format(words[1], result.status, result.stderr))
    end)
  end
  stack:run { "down", "-v", "--purge" }
  equal(#stack:pids(), 0)
end)
