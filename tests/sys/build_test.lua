--- What the binary says it is made of, against vendor/pins; which licences may be linked.

local build = require "sys.build"
local files = require "tests.support.files"

-- Permissive licences that ask for nothing but their text, which `holos licenses` prints.
local ALLOWED = { ["MIT"] = true, ["Apache-2.0"] = true, ["curl"] = true, ["BSD-3-Clause"] = true }

local function read_pins()
  local by_name, name = {}, nil
  for line in io.lines("vendor/pins") do
    local key, value = line:match("^(%l[%l%d]*):%s*(.*)$")
    if key == "name" then
      name = value
      by_name[name] = {}
    end
    if key then by_name[name][key] = value end
  end
  return by_name
end

test("every linked library is the pinned version", function()
  local pins = read_pins()
  for _, library in ipairs(build.libraries) do
    local wanted = pins[library.name].version
    ok(library.version:find(wanted, 1, true), ("%s is %s, pinned is %s"):format(library.name, library.version, wanted))
  end
  equal(#build.libraries, 6)
end)

test("curl speaks TLS through the pinned Mbed TLS", function()
  for _, library in ipairs(build.libraries) do
    if library.name == "curl" then
      ok(library.version:find("mbedTLS/" .. read_pins().mbedtls.version, 1, true), library.version)
    end
  end
end)

test("every licence is on the list of those that may be linked", function()
  for name, pin in pairs(read_pins()) do
    ok(ALLOWED[pin.licence], ("%s has %s"):format(name, tostring(pin.licence)))
  end
end)

test("the licence text of every pinned library is in the binary", function()
  local pins, seen = read_pins(), {}
  for _, entry in ipairs(build.licenses()) do
    seen[entry.name] = true
    ok(#entry.text > 900, entry.name .. " has a text")
    ok(entry.text:find("opyright"), entry.name .. " names its copyright")
    ok(ALLOWED[entry.licence], entry.name .. " " .. entry.licence)
  end
  for name, pin in pairs(pins) do ok(seen[name] or not pin.text, name .. " is missing") end
  ok(seen.holos, "our own licence")
end)

test("the identity of a build is a hash", function()
  ok(build.id:find("^%x+$") and #build.id == 16, build.id)
  ok(build.version:find("^%d+%.%d+%.%d+$"), build.version)
  ok(build.architecture == "x86_64" or build.architecture == "aarch64", build.architecture)
end)

test("the memory of scripts that were loaded is given back, and they can be loaded again", function()
  local function mapped_kib() return tonumber(files.read("/proc/self/status"):match("RssFile:%s*(%d+)")) end
  local before = build.licenses()
  local mapped = mapped_kib()
  build.release_scripts()
  ok(mapped_kib() < mapped, ("%d KiB of files were in memory, now %d"):format(mapped, mapped_kib()))
  equal(build.licenses(), before)
end)
