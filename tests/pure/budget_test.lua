--- Sizes: a reader should hold any function and any file in the head. Reads the sources.

local source = require "tests.support.source"

local LUA = source.list("lua", "%.lua$")
local C = source.list("modules", "%.c$")
C[#C + 1] = source.file "holos.c"

local function none(findings)
  ok(#findings == 0, "\n" .. table.concat(findings, "\n"))
end

local function is_data(path)
  return path:find("^lua/compose/schema/") ~= nil
end

-- Findings for functions above `most`, and the sorted lengths of all.
local function measure(list, functions_of, most)
  local findings, lengths = {}, {}
  for _, file in ipairs(list) do
    for _, item in ipairs(functions_of(file.text)) do
      lengths[#lengths + 1] = item.lines
      if item.lines > most and not is_data(file.path) then
        findings[#findings + 1] = ("%s:%d: a function of %d lines"):format(file.path, item.line, item.lines)
      end
    end
  end
  table.sort(lengths)
  return findings, lengths
end

local function percentile(sorted, share)
  return sorted[math.max(1, math.ceil(#sorted * share))]
end

local function check_lengths(list, functions_of, limits)
  local findings, lengths = measure(list, functions_of, limits.most)
  none(findings)
  ok(#lengths > 0, "no function found: the scanner is broken")
  local median, ninth = percentile(lengths, 0.5), percentile(lengths, 0.9)
  ok(median <= limits.median, ("the median function has %d lines, wanted %d"):format(median, limits.median))
  ok(ninth <= limits.ninth, ("nine of ten functions have up to %d lines, wanted %d"):format(ninth, limits.ninth))
end

local function check_files(list, most)
  local findings = {}
  for _, file in ipairs(list) do
    local lines = source.lines(file.text)
    if lines > most and not is_data(file.path) then
      findings[#findings + 1] = ("%s: %d lines, at most %d"):format(file.path, lines, most)
    end
  end
  none(findings)
end

test("the scanners count as a person does", function()
  local one = "local function a()\n  if x then\n    y = 'end' -- end\n  end\nend\n"
  equal(source.lua_functions(one), { { line = 1, lines = 5 } })
  local two = "f(function() repeat until g(function()\nend) end)"
  equal(source.lua_functions(two), { { line = 1, lines = 2 }, { line = 1, lines = 2 } })
  equal(source.c_functions("int f(void)\n{\n    if (x) {\n    }\n}\n"), { { line = 2, lines = 4 } })
end)

test("Lua functions have at most 60 lines", function()
  check_lengths(LUA, source.lua_functions, { most = 60, median = 8, ninth = 30 })
end)

test("C functions have at most 80 lines", function()
  check_lengths(C, source.c_functions, { most = 80, median = 15, ninth = 40 })
end)

test("Lua files have at most 300 lines, C files 400, holos.c 200, the Makefile 110", function()
  check_files(LUA, 300)
  check_files(C, 400)
  check_files({ source.file "holos.c" }, 200)
  check_files({ source.file "Makefile" }, 110)
end)

-- -- modules ----------------------------------------------------------------------------------------------------------

local function exports_of(text)
  local names, count = {}, 0
  for name in text:gmatch("\n[ ]*function M%.([%w_]+)") do names[name] = true end
  for name in text:gmatch("\nM%.([%w_]+)[^=\n]*= ") do names[name] = true end
  for _ in pairs(names) do count = count + 1 end
  return count
end

-- `lazy` is another way to write require.
local function count_requires(text)
  local count = 0
  for _, needed in ipairs(source.requires(text)) do
    if needed.name ~= "holos.core.lazy" then count = count + 1 end
  end
  return count
end

local MOST_EXPORTS, MOST_REQUIRES = 15, 10
-- Each section of QEMU's argv and each combinator is an export; use cases, the pipeline of compose files and the
-- list of its checks are where everything comes together.
local ALLOWED = {
  exports = { ["lua/core/schema.lua"] = 19 },
  requires = { use = 16, run = 11, ["lua/compose.lua"] = 17, ["lua/compose/rules.lua"] = 12 },
}

test("a module exports at most 15 things and requires at most 10 others", function()
  local findings = {}
  for _, file in ipairs(LUA) do
    local exports, requires = exports_of(file.text), count_requires(file.text)
    local most = ALLOWED.requires[file.path] or ALLOWED.requires[file.path:match("^lua/(%w+)/")] or MOST_REQUIRES
    if exports > (ALLOWED.exports[file.path] or MOST_EXPORTS) then
      findings[#findings + 1] = ("%s: %d exports"):format(file.path, exports)
    end
    if requires > most then findings[#findings + 1] = ("%s: %d requires"):format(file.path, requires) end
  end
  none(findings)
end)

test("exported functions are called through their modules, so that an override is seen", function()
  local findings = {}
  for _, file in ipairs(LUA) do
    local required = {}
    for name, word in file.text:gmatch("\nlocal ([%w_]+) = (%l+)[ (]*[\"'][%w_.]+[\"']") do
      required[name] = word == "require" or word == "lazy"
    end
    if file.text:find("require%s*%b()%s*%.") or file.text:find("require%s*[\"'][%w_.]+[\"']%s*%.") then
      findings[#findings + 1] = file.path .. ": keeps a function of a module that it requires"
    end
    for names, module, field in file.text:gmatch("\nlocal ([%w_, ]+) = ([%w_]+)%.([%w_]+)\n") do
      if required[module] and not field:find("^[%u_%d]+$") then
        findings[#findings + 1] = ("%s: local %s = %s.%s"):format(file.path, names, module, field)
      end
    end
  end
  none(findings)
end)
