--- Which changes rebuild what.

local function make(arguments)
  local vendor = "VENDOR=" .. (os.getenv("VENDOR") or "build/vendor")
  local result = run_tool { "sh", "-c", ("make %s %s"):format(vendor, arguments) }
  equal(result.status, 0, result.stderr)
  return result.stdout
end

test("nothing is done twice", function()
  make("")
  equal(make(""), "make: Nothing to be done for 'all'.\n")
end)

test("after one Lua file only the scripts and the link are done again", function()
  local plan = make("-n V=1 -W lua/main.lua")
  ok(plan:find("vendor/embed.lua", 1, true) and plan:find("static-pie", 1, true), plan)
  ok(not plan:find("-c modules/", 1, true), plan)
end)

test("after a header everything that includes it is compiled again, and nothing of the libraries", function()
  local plan = make("-n V=1 -W modules/embedded.h")
  ok(plan:find("-c holos.c", 1, true) and plan:find("-c modules/embedded.c", 1, true), plan)
  ok(not plan:find("-c modules/fd.c", 1, true) and not plan:find("build.mk", 1, true), plan)
end)
