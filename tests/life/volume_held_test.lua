-- Volumes that machines have, whatever the record says by now: nobody takes or forgets them.
local attach = require "holos.run.attach"
local fs = require "sys.fs"
local guest = require "tests.support.attached_guest"
local stack_ = require "tests.support.stack"
local world = require "holos.run.world"

local function yaml(name, db, volumes)
  return ("name: %s\nservices:\n  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s, volumes: [%s]}\n"
    .. "volumes: {%s}\n"):format(name, db, volumes)
end

local function disk(stack, project, name) return ("%s/volumes/%s/%s.qcow2"):format(stack.state, project, name) end

local function has(text, wanted) ok(text:find(wanted, 1, true), ("%q is not in:\n%s"):format(wanted, text)) end

test("a disk is that of the machine that runs with it, though the record has moved on: no project takes it", function()
  local stack <close> = stack_.on_fake(yaml("own", "", "data: {size: 16M}"))
  stack:expect { "up", "--no-start" }
  stack:write(yaml("user", '"x:/c"', "x: {external: true, name: own_data}"))
  stack:expect { "up" }
  stack:write(yaml("user", "", ""))
  stack:expect { "up", "--no-start" }
  has(stack:expect({ "-p", "own", "down", "-v", "--purge" }, 3).stderr, "volume data is also that of db-0 of project user")
  has(stack:expect({ "volumes", "rm", "own/data" }, 3).stderr, "db-0 of project user has it and runs")
  stack:write(yaml("own", '"data:/d"', "data: {size: 16M}"))
  has(stack:expect({ "up" }, 3).stderr, "in use by db-0 of project user")
  ok(fs.stat(disk(stack, "own", "data")))
  stack:expect { "-p", "user", "down" }
  stack:expect { "-p", "own", "down", "-v", "--purge" }
  ok(not fs.stat(disk(stack, "own", "data")))
end)

test("a volume that a guest keeps is not removed", function()
  local stack <close> = stack_.on_fake(yaml("pair", "", "data: {size: 16M}"))
  stack:expect { "up" }
  stack:write(yaml("pair", '"data:/data"', "data: {size: 16M}"))
  stack:run { "up" } -- its guest cannot be told
  guest.with(nil, function() attach.attach(world, guest.at(stack)) end)
  stack:write(yaml("pair", "", "data: {size: 16M}"))
  stack:run { "up" }
  has(stack:expect({ "volumes", "rm", "data" }, 3).stderr, "db-0 has it and runs")
  equal(stack:expect({ "volumes", "ls", "-q" }).stdout, "data\n")
end)

test("a disk that any machine has open is not taken, though no record speaks of that", function()
  local stack <close> = stack_.on_fake(yaml("own", "", "data: {size: 16M}"))
  stack:expect { "up", "--no-start" }
  stack:write(yaml("user", '"x:/c"', "x: {external: true, name: own_data}"))
  stack:expect { "up" }
  local file, aside = stack.state .. "/projects/user.json", stack.directory .. "/aside.json"
  assert(fs.rename(file, aside))
  has(stack:expect({ "volumes", "rm", "own/data" }, 3).stderr, "volume data is in use by another process")
  has(stack:expect({ "-p", "own", "down", "-v", "--purge" }, 3).stderr, "volume data is in use by another process")
  ok(fs.stat(disk(stack, "own", "data")))
  assert(fs.rename(aside, file))
  stack:expect { "-p", "user", "down" }
  stack:expect { "-p", "own", "down", "-v" }
end)
