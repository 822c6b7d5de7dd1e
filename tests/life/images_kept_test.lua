-- What machines rest on, beside commands that remove, replace or damage it: a disk is never left without the base that it was
-- made from, and none is made on one that is not what its name says.

local err = require "holos.core.err"
local files = require "tests.support.files"
local fs = require "sys.fs"
local manifest = require "holos.image.manifest"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local state_ = require "holos.run.state"
local store = require "holos.use.store"
local users = require "holos.run.images.users"
local world = require "holos.run.world"

local YAML = [[
name: lab
services:
  web: {image: "debian:12", stop_grace_period: 1s, ready: running}
]]

local function new_stack()
  local stack = stack_.on_fake(YAML, nil, { in_memory = true })
  assert(qcow2.create(stack.directory .. "/first.qcow2", { size_bytes = 1 << 20 }))
  stack.first = stack:expect({ "images", "import", "first.qcow2", "debian:12" }).stdout:match("%S+")
  stack.base = ("%s/images/sha256/%s.qcow2"):format(stack.state, stack.first:sub(8))
  return stack
end

-- A world in which something happens as a directory comes to be listed for the first time.
local function at_listing(directory, happen)
  local has_happened = false
  local function list(path, ...)
    if path == directory and not has_happened then
      has_happened = true
      happen()
    end
    return fs.list(path, ...)
  end
  return setmetatable({ fs = setmetatable({ list = list }, { __index = fs }) }, { __index = world })
end

test("a removal keeps what is just put back from the trash, which waits for it", function()
  local stack <close> = new_stack()
  stack:expect { "up" }
  stack:expect { "down" }
  local state, restored = state_.locate(world, { state_dir = stack.state }), nil
  local beside = at_listing(state:trash(), function() restored = stack:run { "trash", "restore", "lab", "--no-wait" } end)
  local done, problem = pcall(store.remove, beside, state, { stack.first }, { on_removed = function() end })
  equal({ done, err.is(problem, "EINUSE"), restored.status }, { false, true, 5 })
  ok(restored.stderr:find("the image store is locked by", 1, true), restored.stderr)
  stack:expect { "trash", "restore", "lab" }
  stack:expect { "start", "-p", "lab" }
end)

test("a use is seen wherever it goes meanwhile", function()
  local stack <close> = new_stack()
  stack:expect { "up", "--no-start" }
  stack:expect { "down" }
  local state = state_.locate(world, { state_dir = stack.state })
  local from = ("%s/%s/instances/web-0"):format(state:trash("lab"), fs.list(state:trash("lab"))[1].name)
  local to = state:instance("lab", "web-0")
  assert(fs.remove(from .. "/../../record.json"))
  for _, way in ipairs { { from, to }, { to, from } } do
    assert(fs.mkdir_all((way[2]:match("^(.*)/")), tonumber("700", 8)))
    local uses = users.all(at_listing(state:records(), function() assert(fs.rename(way[1], way[2])) end), state)
    equal((uses[manifest.hex(stack.first)] or {})[1].instance, "web-0")
  end
  assert(fs.remove_tree(from))
end)

test("a machine whose base is gone comes back from the trash all the same, and that is said", function()
  local stack <close> = new_stack()
  stack:expect { "up", "--no-start" }
  stack:expect { "down" }
  assert(fs.rename(stack.base, stack.base .. ".away"))
  local said = stack:expect({ "trash", "restore", "lab" }).stderr
  ok(said:find("web-0: its base debian:12 (" .. stack.first:sub(1, 19), 1, true) and said:find("is gone", 1, true), said)
  assert(fs.rename(stack.base .. ".away", stack.base))
  stack:expect { "start", "-p", "lab" }
end)

-- One bit of it is another one, and it looks as it did.
local function damage(file)
  local stat, good = fs.stat(file), files.read(file)
  local flipped = good:sub(1, 60000) .. string.char(good:byte(60001) ~ 1) .. good:sub(60002)
  equal(run_tool({ "sh", "-c", "chmod u+w \"$1\" && cat > \"$1\" && chmod 400 \"$1\" && touch -d @\"$2\" \"$1\"", "sh", file,
    ("%d.%09d"):format(stat.mtime_ns // 1000000000, stat.mtime_ns % 1000000000) }, { stdin = flipped }).status, 0)
  equal({ fs.stat(file).mtime_ns, fs.stat(file).inode, files.read(file) == good }, { stat.mtime_ns, stat.inode, false })
end

test("no disk is made on an image that is known to be damaged, and none of those on it starts", function()
  local stack <close> = new_stack()
  stack:expect { "up", "--no-start" }
  damage(stack.base)
  stack:expect({ "verify" }, 1)
  local started = stack:expect({ "start" }, 1).stderr
  ok(started:find("is not what its disk was made from", 1, true), started)
  local refused = stack:expect({ "up", "--no-start", "--scale", "web=2" }, 1).stderr
  ok(refused:find(stack.base .. " is damaged: it has sha256:", 1, true), refused)
  equal({ stack:pids(), fs.lstat(stack.state .. "/instances/lab/web-1/root.qcow2") == nil }, { {}, true })
  stack:expect { "images", "import", "first.qcow2" }
  stack:expect { "up", "--scale", "web=2" }
  equal(#stack:pids(), 2)
end)

test("an image of a layer is hashed before the first disk is made from it, and mended in our own store", function()
  local below <close> = new_stack()
  local stack <close> = stack_.on_fake(YAML, nil, { in_memory = true })
  stack.env = { "HOLOS_IMAGES=" .. below.state .. "/images" }
  damage(below.base)
  local refused = stack:expect({ "up" }, 1).stderr
  ok(refused:find(below.base .. " is damaged", 1, true), refused)
  equal({ stack:pids(), fs.lstat(stack.state .. "/instances/lab/web-0/root.qcow2") == nil }, { {}, true })
  stack:expect { "images", "import", below.directory .. "/first.qcow2" }
  stack:expect { "up" }
  equal(qcow2.info(stack.state .. "/instances/lab/web-0/root.qcow2").backing,
    ("%s/images/sha256/%s.qcow2"):format(stack.state, below.first:sub(8)))
end)
