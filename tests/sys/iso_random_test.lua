-- The ISO writer on random trees, judged by xorriso, isoinfo and blkid: 30 of them, 400 with HOLOS_TESTS=all or
-- HOLOS_TEST_FULL=1. HOLOS_TEST_SEED=n makes others.

local iso = require "sys.iso"
local files = require "tests.support.files"
local tool = require "tests.support.tool"
local trees = require "tests.support.iso_trees"

local SEED = tonumber(files.environment "HOLOS_TEST_SEED" or 20261121)
local IS_FULL = files.environment "HOLOS_TESTS" == "all" or files.environment "HOLOS_TEST_FULL" == "1"
local CASES = IS_FULL and 400 or 30
local MOST_FILES = 40

local function sorted_names(entries)
  local names = {}
  for name in pairs(entries) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Case, forbidden characters and length aside, Joliet shows the names as they are.
local function is_plain_joliet(path, folded)
  for component in path:gmatch("[^/]+") do
    local is_outside = component:find("[*:;?\\\xF0-\xF4]") or component:find("%.$")
    if is_outside or utf8.len(component) > 64 then return false end
  end
  for at in (path .. "/"):gmatch("()/") do
    if folded[path:sub(1, at - 1):lower()] > 1 then return false end
  end
  return true
end

local function judge_joliet(image, directory, expected)
  local found = trees.extract(image, directory, "norock")
  equal(trees.contents(found), trees.contents(expected), "contents by Joliet")
  local folded = {}
  for path in pairs(expected) do folded[path:lower()] = (folded[path:lower()] or 0) + 1 end
  for path, entry in pairs(expected) do
    if is_plain_joliet(path, folded) then equal((found[path] or {}).data, entry.data, "by Joliet: " .. path) end
  end
end

-- ECMA-119 level 1, as xorriso shows it: without the version.
local function judge_level1(image, directory, expected)
  local found = trees.extract(image, directory, "level1")
  equal(trees.contents(found), trees.contents(expected), "contents by level 1")
  for path in pairs(found) do
    for component in path:gmatch("[^/]+") do
      local stem, extension = component:match("^([%w_]+)%.?([%w_]*)$")
      ok(stem and #stem <= 8 and #extension <= 3 and component == component:upper(), "level 1 name " .. path)
    end
  end
end

local function judge(image, directory, expected)
  equal(trees.extract(image, directory .. "/rock", "any"), expected, "by Rock Ridge")
  judge_joliet(image, directory .. "/joliet", expected)
  judge_level1(image, directory .. "/level1", expected)
  equal(trees.isoinfo_paths(image, "-R"), sorted_names(expected), "isoinfo -R")
  equal(#trees.isoinfo_paths(image, "-J"), #sorted_names(expected), "isoinfo -J")
  local label = run_tool { "blkid", "-p", "-o", "value", "-s", "TYPE", "-s", "LABEL", image }
  equal(label.stdout, "cidata\niso9660\n")
end

local function run_case(number)
  local directory = tmpdir()
  math.randomseed(SEED + number)
  local list = trees.random(MOST_FILES, directory .. "/sources")
  local image, again = directory .. "/a.iso", directory .. "/b.iso"
  local function write(path)
    return iso.write(path, { volume = "cidata", time = 1700000000, files = trees.request(list), sync = false })
  end
  local size, problem = write(image)
  ok(size, problem)
  ok(write(again))
  local bytes = files.read(image)
  equal(#bytes, size)
  ok(bytes == files.read(again), "the same request gave other bytes")
  judge(image, directory, trees.expected(list))
end

for _, program in ipairs { "xorriso", "isoinfo", "blkid" } do
  if not tool.find(program) then
    test("random trees", function() skip(program .. " is not installed") end)
    return
  end
end

for number = 1, CASES do
  test(("random tree %d of seed %d"):format(number, SEED), function() run_case(number) end)
end
