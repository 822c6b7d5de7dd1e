-- The checks across services: each has a file that is another without it, and each can be overridden by its name.

local compose = require "tests.support.compose"
local files = require "tests.support.files"
local override = require "holos.core.override"
local rules = require "holos.compose.rules"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

-- What a file comes to: what is wrong with it, or what is warned of.
local function outcome(text)
  local wrong = compose.complaints(text)
  return wrong ~= "" and wrong or table.concat(compose.load(text).warnings, "\n")
end

-- Of which nobody is refused.
local WARNED = "services: {a: {image: ./a.qcow2, working_dir: /srv}}"

local function samples()
  local list = { { text = WARNED, outcome = outcome(WARNED) } }
  for _, directory in ipairs { "wrong", "right" } do
    for _, path in ipairs(files.below(files.directory .. "/golden/" .. directory, "%.yaml$")) do
      local text = files.read(path)
      list[#list + 1] = { text = text, outcome = outcome(text) }
    end
  end
  return list
end

-- Whether some file says something else while a check does nothing.
local function matters(list, module, name)
  local original = module[name]
  module[name] = function() end
  local changed = false
  for _, sample in ipairs(list) do
    changed = changed or outcome(sample.text) ~= sample.outcome
  end
  module[name] = original
  return changed
end

test("every check changes what is said of some file", function()
  local list = samples()
  for _, check in ipairs(rules.list()) do ok(matters(list, check[2], check[3]), check[1]) end
end)

local SHARED = [[
services:
  a: {image: ./a.qcow2, volumes: ["v:/v"]}
  b: {image: ./a.qcow2, volumes: ["v:/v"]}
volumes: {v: }
]]

test("scripts override a check by its name, and add some of their own", function()
  ok(compose.complaints(SHARED):find("mounted by 2 instances", 1, true))
  local undo = override.install("holos.compose.rules.storage", "check_writers", function() end)
  equal(compose.complaints(SHARED), "")
  undo()
  local own = { check = function(project, report)
    for _, name in ipairs(project.order) do report({ "services", name, "image" }, "is not ours") end
  end }
  undo = override.install("holos.compose.rules", "list", function(base)
    local list = base()
    list[#list + 1] = { "images of ours", own, "check" }
    return list
  end)
  equal(compose.complaints "services: {a: {image: ./a.qcow2}}",
    "holos.yaml:1:16: services.a.image: is not ours\n1 error; nothing was changed.\n")
  undo()
end)

test("names of checks are told apart, and each is a function of its module", function()
  local seen = {}
  for _, check in ipairs(rules.list()) do
    ok(not seen[check[1]] and type(check[2][check[3]]) == "function", check[1])
    seen[check[1]] = true
  end
  ok(#rules.list() >= 30)
end)
