--- The layers of the tree: who may require whom, and who may touch the world. Reads the sources.

local source = require "tests.support.source"

local LUA = source.list("lua", "%.lua$")

-- directory of lua/ -> what its files may require, by directory. A directory that is not here may require nothing.
local MAY_REQUIRE = {
  core = "core",
  compose = "core compose dockerfile image",
  plan = "core plan compose",
  dockerfile = "core dockerfile",
  systemd = "core systemd",
  image = "core image",
  script = "core script",
  run = "core plan image dockerfile run",
  use = "core compose plan dockerfile systemd image script run use",
  supervise = "core plan script run supervise",
  command = "core compose plan dockerfile systemd image script use supervise command",
  main = "core command run script",
}

local PURE = { core = true, compose = true, plan = true, dockerfile = true, systemd = true }

local function directory_of(path)
  return path:match("^lua/([%w_]+)")
end

local function none(findings)
  ok(#findings == 0, "\n" .. table.concat(findings, "\n"))
end

local function each_line(file, look, findings)
  local line = 0
  for content in (file.text .. "\n"):gmatch("(.-)\n") do
    line = line + 1
    local problem = look((content:gsub("%-%-.*$", "")), content)
    if problem then findings[#findings + 1] = ("%s:%d: %s"):format(file.path, line, problem) end
  end
end

test("modules require only the layers below them", function()
  local findings = {}
  for _, file in ipairs(LUA) do
    local here = directory_of(file.path)
    local allowed = {}
    for name in (MAY_REQUIRE[here] or ""):gmatch("%w+") do allowed[name] = true end
    for _, needed in ipairs(source.requires(file.text)) do
      local layer = needed.name:match("^holos%.([%w_]+)")
      if layer and not allowed[layer] then
        findings[#findings + 1] = ("%s:%d: %s may not require %s"):format(file.path, needed.line, here, needed.name)
      end
    end
  end
  none(findings)
end)

test("only run/world.lua requires the primitives, and only main requires run/world.lua", function()
  local findings = {}
  for _, file in ipairs(LUA) do
    for _, needed in ipairs(source.requires(file.text)) do
      if needed.name:find("^sys%.") and file.path ~= "lua/run/world.lua"
        or needed.name == "holos.run.world" and file.path ~= "lua/main.lua" then
        findings[#findings + 1] = ("%s:%d: requires %s"):format(file.path, needed.line, needed.name)
      end
    end
  end
  none(findings)
  ok(source.file("lua/run/world.lua").text:find('require("sys." .. ', 1, true))
  ok(source.lines(source.file("lua/run/world.lua").text) <= 80, "run/world.lua has more than 80 lines")
end)

test("modules are named literally where they are required, but for the world, commands, overrides and lazy", function()
  local DYNAMIC = { ["lua/run/world.lua"] = true, ["lua/command/list.lua"] = true, ["lua/core/override.lua"] = true,
    ["lua/core/lazy.lua"] = true }
  local findings = {}
  for _, file in ipairs(LUA) do
    if not DYNAMIC[file.path] then
      each_line(file, function(code)
        local argument = code:match("%f[%w_]require%f[^%w_]%s*%(?%s*([^%s])")
          or code:match("= lazy%f[^%w_]%s*%(?%s*([^%s])")
        return argument and argument ~= '"' and "requires a computed name"
      end, findings)
    end
  end
  none(findings)
end)

test("pure directories do not touch files, the environment or the clock", function()
  local findings = {}
  for _, file in ipairs(LUA) do
    if PURE[directory_of(file.path)] then
      for word, line, at in source.words(file.text) do
        local is_global = not file.text:sub(at - 1, at - 1):find("[.:]")
        local is_library = (word == "io" or word == "os") and file.text:find("^%w+[.:]", at)
        if is_global and (is_library or word == "print") then
          findings[#findings + 1] = ("%s:%d: uses %s"):format(file.path, line, word)
        end
      end
    end
  end
  none(findings)
end)

test("nothing runs shell strings, and only script/ turns text into code", function()
  local findings = {}
  for _, file in ipairs(LUA) do
    each_line(file, function(code)
      for _, name in ipairs { "os%.execute", "io%.popen", "io%.open", "os%.exit", "dofile", "loadfile" } do
        if code:find("%f[%w_]" .. name .. "%f[^%w_]") then return "uses " .. name:gsub("%%", "") end
      end
      local loads = code:find("%f[%w_.]load%s*%(") and not code:find("function [%w.:]*load%s*%(")
      return loads and directory_of(file.path) ~= "script" and "loads code"
    end, findings)
  end
  none(findings)
end)

test("every Lua file says in its first lines what it is, and whether it is pure", function()
  local findings = {}
  for _, file in ipairs(LUA) do
    local header = file.text:match("^%-%-%-" .. ("[^\n]*\n?"):rep(8))
    if not header then findings[#findings + 1] = file.path .. ": has no header"
    elseif directory_of(file.path) ~= "command" and not header:find("Pure") and not header:find("Effects")
      and not file.path:find("^lua/compose/schema/") then
      findings[#findings + 1] = file.path .. ": its header says neither Pure nor Effects"
    end
  end
  none(findings)
end)

-- -- C ---------------------------------------------------------------------------------------------------------------

local function c_files()
  local list = source.list("modules", "%.[ch]$")
  list[#list + 1] = source.file "holos.c"
  return list
end

test("C knows bytes, processes and sockets, not what they are for", function()
  local findings = {}
  for _, file in ipairs(c_files()) do
    local line = 0
    for content in (file.text:lower() .. "\n"):gmatch("(.-)\n") do
      line = line + 1
      for _, word in ipairs { "services?", "compose", "replicas?", "depends_on", "cloud" } do
        local found = content:match("%f[%w_]" .. word .. "%f[^%w_]")
        if found then findings[#findings + 1] = ("%s:%d: %s"):format(file.path, line, found) end
      end
    end
  end
  none(findings)
end)

test("nothing sleeps", function()
  local findings = {}
  for _, file in ipairs(c_files()) do
    each_line({ path = file.path, text = source.c_code(file.text) }, function(code)
      return code:match("%f[%w_]u?sleep%s*%(") or code:match("nanosleep%s*%(")
    end, findings)
  end
  for _, file in ipairs(LUA) do
    for word, line in source.words(file.text) do
      if word:find("^sleep") then findings[#findings + 1] = ("%s:%d: %s"):format(file.path, line, word) end
    end
  end
  none(findings)
end)

test("mechanism files of C are free of Lua", function()
  local findings = {}
  for _, file in ipairs(c_files()) do
    local is_part = file.path:find("^modules/%w+_%w+%.c$")
    if is_part and (file.text:find("lua_State") or file.text:find("#include \"lua")) then
      findings[#findings + 1] = file.path .. ": a mechanism file knows Lua"
    end
  end
  none(findings)
end)
