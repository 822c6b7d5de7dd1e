--- A second build, from another directory and from the sources on, gives the same bytes.

local BUILD_TIMEOUT_MS = 40 * 60 * 1000

local function environment()
  local settings = {}
  for _, name in ipairs { "HOLOS_SOURCES", "HOLOS_CACHE_DIR", "HOME" } do
    local value = os.getenv(name)
    if value and name == "HOLOS_SOURCES" then value = run_tool({ "realpath", value }).stdout:match("[^\n]+") end
    if value then settings[#settings + 1] = name .. "=" .. value end
  end
  return settings
end

local function shell(command, timeout_ms)
  local result = run_tool({ "sh", "-ec", command }, { timeout_ms = timeout_ms, env = environment() })
  if result.status ~= 0 then error(command .. "\n" .. result.stdout .. result.stderr) end
  return result.stdout
end

test("two directories, one sha256", function()
  local directory = tmpdir() .. "/a directory elsewhere/tree"
  directory = directory:gsub(" ", "-")
  shell(("mkdir -p '%s' && tar -cf - --exclude=./build --exclude=./holos --exclude=./.git . | tar -xf - -C '%s'")
    :format(directory, directory))
  shell(("make -C '%s' -j2 VENDOR=build/other/vendor"):format(directory), BUILD_TIMEOUT_MS)
  local sums = shell(("sha256sum <holos; sha256sum <'%s/holos'"):format(directory))
  local here, there = sums:match("^(%x+)%s+%-\n(%x+)")
  equal(there, here)
end, { timeout_ms = BUILD_TIMEOUT_MS })
