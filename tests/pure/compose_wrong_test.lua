local compose = require "tests.support.compose"
local files = require "tests.support.files"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

-- Each is tests/golden/wrong/NAME.yaml; its whole output is NAME.txt beside it.
local NAMES = [[ bomb clashes cloud_init colon_in_text dependencies docker_compose duplicate_keys durations empty
  flow_not_closed healthchecks host_paths host_ports images indentation keys_that_are_not_text machines merges names
  no_service no_services numbers plain_guest ports second_document self_alias self_dependency tab tags top_level_list
  types unclosed_quote unknown_keys variables volumes writers ]]

for name in NAMES:gmatch("%S+") do
  test("wrong file: " .. name, function()
    local path = "wrong/" .. name
    local text = ok(files.read(files.directory .. "/golden/" .. path .. ".yaml"))
    local complaints = compose.complaints(text)
    ok(complaints ~= "", "nothing was wrong")
    golden(path .. ".txt", complaints)
  end)
end

test("every finding names file, line and column", function()
  for name in NAMES:gmatch("%S+") do
    local text = files.read(files.directory .. "/golden/wrong/" .. name .. ".yaml")
    for line in compose.complaints(text):gmatch("[^\n]+") do
      local indented_or_count = line:find("^    ") or line:find("^%d+ errors?; nothing was changed%.$")
      ok(indented_or_count or line:find("^holos%.yaml:%d+:%d+: "), line)
    end
  end
end)
