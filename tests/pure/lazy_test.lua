--- core.lazy: modules that are loaded when they are needed.

local lazy = require "holos.core.lazy"

local NAME = "holos.core.units"

local function without(name, body)
  local saved <close> = setmetatable({ module = package.loaded[name] }, { __close = function(kept)
    package.loaded[name] = kept.module
  end })
  package.loaded[name] = nil
  body()
end

test("a lazy module is loaded by its first use", function()
  without(NAME, function()
    local units = lazy(NAME)
    equal(package.loaded[NAME], nil)
    equal(units.parse_bytes("1k"), 1024)
    ok(package.loaded[NAME])
  end)
end)

test("what is changed in the module is seen through it, before and after its first use", function()
  without(NAME, function()
    local units, real = lazy(NAME), require(NAME)
    real.parse_bytes = function() return "other" end
    equal(units.parse_bytes("1k"), "other")
    real.parse_bytes = function() return "yet another" end
    equal(units.parse_bytes("1k"), "yet another")
  end)
end)

test("what is changed through it is changed in the module", function()
  without(NAME, function()
    local units = lazy(NAME)
    units.parse_bytes = function() return "other" end
    equal({ require(NAME).parse_bytes("1k"), units.parse_bytes("1k") }, { "other", "other" })
  end)
end)

test("a module that is not there is named", function()
  local fine, problem = pcall(function() return lazy("holos.core.nothing").at_all end)
  ok(not fine and problem:find("holos.core.nothing", 1, true), problem)
end)
