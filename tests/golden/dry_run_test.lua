--- A whole dry run: the same bytes every time, and every exported function in it can be overridden.

local override = require "holos.core.override"
local record_schema = require "holos.plan.record_schema"
local tables = require "holos.core.table"

if not package.preload["sys.yaml"] then skip("a stock Lua has no YAML parser") end
local world = { yaml = require "sys.yaml", hash = require "sys.hash" }
local dry_run = require "tests.support.dry_run"

local function file_of(made, name)
  for _, file in ipairs(made.files) do
    if file.name == name then return file.data end
  end
end

test("the plan, the command lines and what cloud-init gets", function()
  local result = dry_run.run(world)
  golden("dry_run/plan.txt", result.plan)
  for _, name in ipairs { "db-0", "web-0" } do
    golden(("dry_run/%s.argv"):format(name), (result.machines[name].argv:gsub(" %-", " \\\n  -")) .. "\n")
  end
  golden("dry_run/db-0.network-config", file_of(result.machines["db-0"], "network-config"))
  golden("dry_run/db-0.meta-data", file_of(result.machines["db-0"], "meta-data"))
end)

test("what is planned may be launched", function()
  for _, spec in ipairs(dry_run.run(world).specs) do
    equal({ spec.name, record_schema.complaint(record_schema.launchable, tables.copy(spec)) }, { spec.name })
  end
end)

test("two dry runs give the same bytes", function()
  equal(dry_run.run(world), dry_run.run(world))
end)

-- The functions that were called while `fn` ran, by a hook and not by what we replaced.
local function called_functions(fn)
  local called = {}
  debug.sethook(function() called[debug.getinfo(2, "f").func] = true end, "c")
  fn()
  debug.sethook()
  return called
end

-- All exported functions of the application: {module name, name, function}.
local function exports()
  local list = {}
  for module_name, module in tables.sorted_pairs(package.loaded) do
    if module_name:find("^holos%.") and type(module) == "table" and module ~= override then
      for name, value in tables.sorted_pairs(module) do
        if type(value) == "function" then list[#list + 1] = { module = module_name, name = name, fn = value } end
      end
    end
  end
  return list
end

local function install_all(list, seen)
  local undo = {}
  for _, export in ipairs(list) do
    local full = export.module .. "." .. export.name
    undo[#undo + 1] = override.install(export.module, export.name, function(base, ...)
      seen[full] = true
      return base(...)
    end)
  end
  return function()
    for i = #undo, 1, -1 do undo[i]() end
  end
end

test("an override of any exported function that a dry run uses is seen, and changes nothing else", function()
  local plain = dry_run.run(world)
  local called = called_functions(function() dry_run.run(world) end)
  local list, seen = exports(), {}
  local undo = install_all(list, seen)
  local fine, overridden = pcall(dry_run.run, world)
  undo()
  ok(fine, overridden)
  equal(overridden, plain)
  local missed, checked = {}, 0
  for _, export in ipairs(list) do
    local full = export.module .. "." .. export.name
    if called[export.fn] then
      checked = checked + 1
      if not seen[full] then missed[#missed + 1] = full end
    end
  end
  ok(#missed == 0, "called, but not through their modules:\n" .. table.concat(missed, "\n"))
  ok(checked > 100, ("only %d exports were used: is this still the whole pipeline?"):format(checked))
end)

test("an override changes the argv of QEMU in four lines", function()
  local undo = override.install("holos.plan.qemu", "sections", function(base, spec)
    local sections = base(spec)
    if spec.service == "db" then table.insert(sections, function(b) b:add("-mem-prealloc") end) end
    return sections
  end)
  local machines = dry_run.run(world).machines
  undo()
  ok(machines["db-0"].argv:find("-mem-prealloc", 1, true))
  ok(not machines["web-0"].argv:find("-mem-prealloc", 1, true))
end)
