local compose = require "tests.support.compose"
local files = require "tests.support.files"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

-- Each is tests/golden/wrong/NAME.yaml; its whole output is NAME.txt beside it.
local NAMES = {}
for _, path in ipairs(files.below(files.directory .. "/golden/wrong", "%.yaml$")) do
  NAMES[#NAMES + 1] = path:match("([^/]+)%.yaml$")
end

for _, name in ipairs(NAMES) do
  test("wrong file: " .. name, function()
    local path = "wrong/" .. name
    local text = ok(files.read(files.directory .. "/golden/" .. path .. ".yaml"))
    local complaints = compose.complaints(text)
    ok(complaints ~= "", "nothing was wrong")
    golden(path .. ".txt", complaints)
  end)
end

-- Each is a directory in tests/golden/wrong_files; its holos.yaml is loaded with the holos.override.yaml beside it.
local SEVERAL = "broken extends include kinds override"

local function texts_of(name)
  local directory, texts = files.directory .. "/golden/wrong_files/" .. name .. "/", {}
  for _, path in ipairs(files.below(directory, "%.yaml$")) do
    texts[path:sub(#directory + 1):gsub("^/", "")] = files.read(path)
  end
  return texts, { names = texts["holos.override.yaml"] and { "holos.yaml", "holos.override.yaml" } }
end

for name in SEVERAL:gmatch("%S+") do
  test("wrong files: " .. name, function()
    golden("wrong_files/" .. name .. ".txt", compose.complaints_of_files(texts_of(name)))
  end)
end

test("every finding in several files names file, line and column", function()
  for name in SEVERAL:gmatch("%S+") do
    for line in compose.complaints_of_files(texts_of(name)):gmatch("[^\n]+") do
      local indented_or_count = line:find("^  ") or line:find("^%d+ errors?; nothing was changed%.$")
      ok(indented_or_count or line:find("^[%w/.]+%.yaml:%d+:%d+: "), line)
    end
  end
end)

test("every finding names file, line and column", function()
  for _, name in ipairs(NAMES) do
    local text = files.read(files.directory .. "/golden/wrong/" .. name .. ".yaml")
    for line in compose.complaints(text):gmatch("[^\n]+") do
      local indented_or_count = line:find("^  ") or line:find("^%d+ errors?; nothing was changed%.$")
      ok(indented_or_count or line:find("^holos%.yaml:%d+:%d+: "), line)
    end
  end
end)
