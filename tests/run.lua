--- Runs the tests: ./holos lua tests/run.lua [--filter TEXT] [--suite NAME] [--totals FILE] [FILE…]
--
-- Without files every *_test.lua below tests/pure, golden, sys and life runs; --suite picks such directories.
-- --filter keeps tests whose name or file contains TEXT; --totals writes the closing line to FILE too. UPDATE=1 in the
-- environment rewrites golden files.
-- Pure tests also run under a stock Lua 5.4: lua5.4 tests/run.lua --suite pure

local here = (arg and arg[0] or "tests/run.lua"):match("^(.*)/[^/]*$") or "."
local ROOTS = { tests = here, holos = here .. "/../lua" }

local function load_text(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return assert(load(text, "@" .. path, "t"))
end

-- Finds tests.support.x beside this file, and holos.* in the tree when no holos binary provides it.
local function find_in_tree(name)
  local root, rest = name:match("^(%w+)%.(.+)$")
  if not ROOTS[root] then return nil end
  local base = ROOTS[root] .. "/" .. rest:gsub("%.", "/")
  for _, path in ipairs { base .. ".lua", base .. "/init.lua" } do
    local chunk = load_text(path)
    if chunk then return chunk, path end
  end
  return "\n\tno file '" .. base .. ".lua'"
end
table.insert(package.searchers, find_in_tree)

local harness = require "tests.support.harness"

local function usage(problem)
  io.stderr:write("tests/run.lua: ", problem, "\n")
  return 64
end

local function parse(words)
  local options, at = { suites = {}, files = {}, directory = here }, 1
  while words[at] do
    local word = words[at]
    if word == "--filter" or word == "--suite" or word == "--totals" then
      local value = words[at + 1]
      if not value then return nil, word .. " wants a value" end
      if word == "--suite" then table.insert(options.suites, value) else options[word:sub(3)] = value end
      at = at + 2
    elseif word:sub(1, 1) == "-" then
      return nil, "unknown option " .. word
    else
      table.insert(options.files, word)
      at = at + 1
    end
  end
  return options
end

local options, problem = parse { ... }
local status = options and harness.main(options) or usage(problem)
if os.exit then os.exit(status) end          -- a stock Lua; holos takes the status from here
return status
