-- Images are copied in slices: others run meanwhile, an interrupt is heard, it is told how far it is, and nothing but a whole
-- file has the wanted name.

local err = require "holos.core.err"
local files = require "tests.support.files"
local fs = require "sys.fs"
local image_export = require "holos.use.image_export"
local state_ = require "holos.run.state"
local store = require "holos.run.images.store"
local task = require "holos.core.task"
local world = require "holos.run.world"

local SIZE_BYTES = 30 << 20
local TEXT = ("every image is whole"):rep(SIZE_BYTES // 20)

local function new_state() return state_.locate(world, { state_dir = tmpdir() }) end

local function disk()
  local file = tmpdir() .. "/disk.raw"
  files.write(file, TEXT)
  return file
end

local function names_in(directory)
  local names = {}
  for _, entry in ipairs(assert(fs.list(directory))) do names[#names + 1] = entry.name end
  return table.concat(names, " ")
end

local function new_image()
  local state = new_state()
  return state, store.add(world, state, disk(), { format = "raw", move = true })
end

-- Computes for longer than a task may without letting others run.
local function spend_turn()
  local begun_ms = world.clock.monotonic_ms()
  repeat until world.clock.monotonic_ms() - begun_ms > 20
end

-- Runs it, and ends it once it has said that it is at work for the third time.
local function cut(run)
  local said, begun, problem = 0, task.event(), nil
  task.scope(function(scope)
    local work = scope:spawn("work", function()
      local _, why = pcall(run, function()
        said = said + 1
        if said == 3 then begun:fire() end
        spend_turn()
      end)
      problem = why
      error(why, 0)
    end)
    begun:wait()
    work:cancel()
  end)
  equal(problem.code, "ECANCELED")
  ok(said <= 4, said .. " slices before it heard")
end

test("an export copies in slices, tells how far it is, and lets others run", function()
  local state, image = new_image()
  local directory, told, turns = tmpdir(), {}, 0
  task.race {
    function()
      image_export.run(world, state, image, directory .. "/x.raw", { on_progress = function(at)
        told[#told + 1] = at
        spend_turn()
      end })
    end,
    function()
      while true do
        turns = turns + 1
        task.yield()
      end
    end,
  }
  ok(turns >= 7, turns .. " turns")
  equal({ told[1].phase, told[1].done_bytes, told[1].total_bytes, told[#told].done_bytes },
    { "copying", 4 << 20, #TEXT, #TEXT })
  equal({ files.read(directory .. "/x.raw") == TEXT, fs.stat(directory .. "/x.raw").mode, names_in(directory) },
    { true, tonumber("644", 8), "x.raw" })
end)

test("an export that is interrupted ends then, and nothing is left of it", function()
  local state, image = new_image()
  local directory = tmpdir()
  cut(function(on_progress) image_export.run(world, state, image, directory .. "/x.raw", { on_progress = on_progress }) end)
  equal(names_in(directory), "")
end)

test("what appears under the name while an export copies is not written over, unless that is asked for", function()
  local state, image = new_image()
  local directory = tmpdir()
  local file = directory .. "/x.raw"
  local function precious() files.write(file, "precious") end
  local problem = failure(image_export.run, world, state, image, file, { on_progress = precious })
  ok(err.is(problem, "EEXIST"), tostring(problem))
  equal({ files.read(file), names_in(directory) }, { "precious", "x.raw" })
  image_export.run(world, state, image, file, { on_progress = precious, force = true })
  equal({ files.read(file) == TEXT, names_in(directory) }, { true, "x.raw" })
end)

test("what an export that was killed has left beside the file goes with the next one", function()
  local state, image = new_image()
  local directory = tmpdir()
  files.write(directory .. "/.holos-0123456789abcdef.part", "x")
  equal(run_tool({ "touch", "-d", "61 minutes ago", directory .. "/.holos-0123456789abcdef.part" }).status, 0)
  image_export.run(world, state, image, directory .. "/x.raw", {})
  equal(names_in(directory), "x.raw")
end)

test("an import tells how far its copy is; one that is interrupted ends then, and nothing is left of it", function()
  local state, file, phases = new_state(), disk(), {}
  cut(function(on_progress) store.add(world, state, file, { format = "raw", on_progress = on_progress }) end)
  equal({ names_in(state:images() .. "/incoming"), #store.list(world, state) }, { "", 0 })
  local image = store.add(world, state, file, { format = "raw", on_progress = function(done_bytes, size_bytes, phase)
    phases[phase] = { done_bytes, size_bytes }
  end })
  equal(phases, { copying = { #TEXT, #TEXT }, checking = { #TEXT, #TEXT } })
  equal({ files.read(image.path) == TEXT, fs.stat(image.path).mode }, { true, tonumber("400", 8) })
end)
