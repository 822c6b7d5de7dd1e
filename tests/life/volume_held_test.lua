-- Volumes that machines have, whatever the record says by now: nobody takes or forgets them.
local attach = require "holos.run.attach"
local down = require "holos.use.down"
local err = require "holos.core.err"
local fs = require "sys.fs"
local guest = require "tests.support.attached_guest"
local instead = require "tests.support.instead"
local project_ = require "holos.use.project"
local qcow2 = require "sys.qcow2"
local runtime = require "holos.run.runtime"
local stack_ = require "tests.support.stack"
local world = require "holos.run.world"

local function yaml(name, db, volumes)
  return ("name: %s\nservices:\n  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s, volumes: [%s]}\n"
    .. "volumes: {%s}\n"):format(name, db, volumes)
end

local function disk(stack, project, name) return ("%s/volumes/%s/%s.qcow2"):format(stack.state, project, name) end

local function has(text, wanted) ok(text:find(wanted, 1, true), ("%q is not in:\n%s"):format(wanted, text)) end

test("a disk is that of the machine that runs with it, by whatever path this has the state directory", function()
  local stack <close> = stack_.on_fake(yaml("own", "", "data: {size: 16M}"))
  stack:expect { "up", "--no-start" }
  stack:write(yaml("user", '"x:/c"', "x: {external: true, name: own_data}"))
  local state = stack.state
  stack.state = stack.directory .. "/link"
  assert(fs.symlink(state, stack.state))
  stack:expect { "up" }
  stack.state = state
  has(stack:expect({ "-p", "own", "down", "-v", "--purge" }, 3).stderr, "volume data is also that of db-0 of project user")
  has(stack:expect({ "volumes", "rm", "own/data" }, 3).stderr, "db-0 of project user has it and runs")
  stack:expect { "volumes", "clone", "own/data", "own/copy" }
end)

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

local DATA = "data: {size: 16M}"

-- The words of `plan` on db-0.
local function planned(stack) return stack:expect({ "plan" }).stdout:match "db%-0 +([^\n]*)" end

local function attached(stack)
  stack:write(yaml("pair", '"data:/data"', DATA))
  stack:run { "up" }
  guest.with(nil, function() attach.attach(world, guest.at(stack)) end)
end

test("a disk that QEMU has and no guest has mounted is held, and goes again when nobody wants it", function()
  local stack <close> = stack_.on_fake(yaml("pair", "", DATA))
  stack:expect { "up" }
  stack:write(yaml("pair", '"data:/data"', DATA))
  stack:run { "up" }
  guest.with(function(script) return script:find("holos_mount_volume", 1, true) and "exit 1" end, function()
    ok(not pcall(attach.attach, world, guest.at(stack)))
  end)
  has(planned(stack), "live   volumes data:/data (half done) → data:/data")
  stack:write(yaml("pair", "", DATA))
  has(planned(stack), "live   volumes data:/data (half done) → none")
  stack:run { "up" }
  has(stack:expect({ "volumes", "rm", "data" }, 3).stderr, "db-0 has it and runs")
  stack:write((yaml("pair", "", DATA):gsub("services:",
    "services:\n  web: {image: ./image.qcow2, image_os: plain, volumes: ['data:/d']}")))
  has(stack:expect({ "plan" }).stdout, "~ db-0") -- it waits for that
  stack:write(yaml("pair", "", DATA))
  guest.with(nil, function() attach.detach(world, guest.at(stack)) end)
  equal(guest.at(stack).now.attached, {})
  ok(qcow2.grow(disk(stack, "pair", "data"), 32 << 20))
  equal(planned(stack), nil)
end)

test("a detach that is cut off anywhere leaves a volume that is to be attached again, or to go", function()
  for cut = 1, 2 do
    local stack <close> = stack_.on_fake(yaml("pair", "", DATA))
    stack:expect { "up" }
    attached(stack)
    stack:write(yaml("pair", "", DATA))
    stack:run { "up" }
    local saves, save = 0, runtime.save
    do
      local _killed <close> = instead(runtime, { save = function(...)
        saves = saves + 1
        if saves > cut then error("killed", 0) end
        return save(...)
      end })
      guest.with(nil, function() ok(not pcall(attach.detach, world, guest.at(stack))) end)
    end
    stack:write(yaml("pair", '"data:/data"', DATA))
    has(planned(stack), "live   volumes data:/data (half done) → data:/data")
    stack:run { "up" }
    guest.with(nil, function() attach.attach(world, guest.at(stack)) end)
    equal(planned(stack), nil)
    equal(select(3, qcow2.grow(disk(stack, "pair", "data"), 32 << 20)), "EBUSY") -- QEMU has it
  end
end)

test("a name that two projects' volumes have is refused, and both are named", function()
  local stack <close> = stack_.on_fake(yaml("a_b", '"c:/c"', "c: {size: 16M}"))
  stack:expect { "up", "--no-start" }
  stack:write(yaml("a", '"b_c:/c"', "b_c: {size: 32M}"))
  stack:expect { "up", "--no-start" }
  stack:write(yaml("user", '"x:/c"', "x: {external: true, name: a_b_c}"))
  local refused = stack:run { "up", "--no-start" }
  ok(refused.status ~= 0)
  has(refused.stderr, '"a_b_c" may be volume ')
  has(refused.stderr, "volume c of project a_b")
  has(refused.stderr, "volume b_c of project a")
end)

test("down -v leaves what the file calls external before any up, and says what it has taken", function()
  local stack <close> = stack_.on_fake(yaml("own", '"data:/c"', "data: {size: 16M}, logs: {size: 32M}"))
  stack:expect { "up", "--no-start" }
  stack:write(yaml("own", '"data:/c"', "data: {external: true}, logs: {size: 32M}"))
  local said = stack:expect({ "down", "-v" }).stderr
  has(said, "in the trash for 7 days: volume logs (32 MiB)")
  has(said, "kept: volume data (16 MiB)")
  ok(fs.stat(disk(stack, "own", "data")) and not fs.stat(disk(stack, "own", "logs")))
  stack:write(yaml("own", "", "data: {size: 16M}"))
  stack:expect { "up", "--no-start" }
  stack:write "services: ["
  has(stack:expect({ "-p", "own", "down", "-v", "--purge" }).stderr, "deleted: volume data (16 MiB)")
end)

test("down -v asks again who has a volume once its own machines are stopped", function()
  local stack <close> = stack_.on_fake(yaml("own", "", "data: {size: 16M}"))
  stack:expect { "up" }
  stack:write(yaml("user", '"x:/c"', "x: {external: true, name: own_data}"))
  local context = project_.from_record(world, { state_dir = stack.state, project_name = "own", volumes = true }, {}, "down")
  local function quiet() end
  local is_done, problem = pcall(down.down, context, {}, { notice = quiet, warn = quiet, on_start = quiet, on_change = quiet,
    on_end = quiet, planned = function() stack:expect { "up", "--no-start" } end }, "project.down")
  ok(not is_done and err.is(problem, "EBUSY"), tostring(problem))
  has(problem.message, "volume data is also that of db-0 of project user")
  ok(fs.stat(disk(stack, "own", "data")))
end)
