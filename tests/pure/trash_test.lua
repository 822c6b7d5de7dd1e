--- run/trash beside a file system that fails: what cannot be read now is not taken for empty.
local trash = require "holos.run.trash"

--- A world in which the directories that `fails` is true of cannot be read, all others are not there.
local function world_with(fails)
  local removed = {}
  local fs = { remove_tree = function(path) removed[#removed + 1] = path return true end }
  function fs.list(path)
    if fails(path) then return nil, path .. ": Too many open files", "EMFILE" end
    return nil, path .. ": No such file or directory", "ENOENT"
  end
  return { fs = fs }, removed
end

test("a batch of the trash whose disks cannot be listed is not removed; one that holds none is", function()
  for _, part in ipairs { "/instances$", "/volumes$" } do
    local world, removed = world_with(function(path) return path:find(part) end)
    local problem = raises("Too many open files", trash.close_batch, world, "/t/b")
    equal({ problem.code, removed }, { "EMFILE", {} })
  end
  local world, removed = world_with(function() return false end)
  trash.close_batch(world, "/t/b")
  equal(removed, { "/t/b" })
end)

test("a trash that cannot be listed is not an empty one", function()
  local state = { trash = function(_, project) return project and "/t/" .. project or "/t" end }
  equal(raises("Too many open files", trash.list, (world_with(function() return true end)), state).code, "EMFILE")
  equal(trash.list((world_with(function() return false end)), state), {})
end)
