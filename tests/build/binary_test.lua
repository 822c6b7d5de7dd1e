--- What kind of file the build gives, as readelf and the aarch64 emulator see it.

local BUILD_TIMEOUT_MS = 40 * 60 * 1000
local MOST_BYTES = 4 << 20

local function shell(command, timeout_ms)
  local result = run_tool({ "sh", "-c", command }, { timeout_ms = timeout_ms })
  equal(result.status, 0, command .. "\n" .. result.stderr)
  return result.stdout
end

local function is_hardened(path)
  local headers, dynamic = shell("readelf -hlW " .. path), shell("readelf -dW " .. path)
  ok(headers:find("Type:%s+DYN"), "position independent")
  ok(not headers:find("INTERP", 1, true), "asks for no loader")
  ok(headers:find("GNU_RELRO", 1, true), "relocations are read-only afterwards")
  ok(headers:find("GNU_STACK%s+%S+%s+%S+%s+%S+%s+%S+%s+%S+%s+RW "), "the stack is not executable")
  ok(not headers:find("RWE", 1, true), "nothing is writable and executable")
  ok(dynamic:find("BIND_NOW", 1, true) and not dynamic:find("TEXTREL", 1, true), dynamic)
  ok(not dynamic:find("NEEDED", 1, true), "needs no shared library")
end

test("x86_64: static, position independent, hardened, stripped, small", function()
  is_hardened("holos")
  ok(not shell("readelf -SW holos"):find(".symtab", 1, true), "stripped")
  ok(tonumber(shell("stat -c %s holos")) < MOST_BYTES, "under 4 MiB")
end)

test("no path of the building machine is in it", function()
  local here = shell("pwd"):match("[^\n]+")
  equal(run_tool({ "grep", "-c", "-F", here, "holos" }).stdout, "0\n")
end)

test("aarch64: the same, and it runs", function()
  local emulator = run_tool({ "sh", "-c", "command -v qemu-aarch64-static aarch64-linux-gnu-gcc" })
  if emulator.status ~= 0 then skip("no aarch64 compiler or emulator here") end
  local places = {}
  for _, name in ipairs { "VENDOR", "HOLOS_SOURCES", "HOLOS_CACHE_DIR", "HOME" } do
    if os.getenv(name) then places[#places + 1] = ("%s='%s'"):format(name, os.getenv(name)) end
  end
  shell(("env %s make ARCH=aarch64"):format(table.concat(places, " ")),
    BUILD_TIMEOUT_MS)
  is_hardened("build/aarch64/holos")
  ok(shell("qemu-aarch64-static build/aarch64/holos version"):find("aarch64", 1, true), "names its architecture")
end, { timeout_ms = BUILD_TIMEOUT_MS })
