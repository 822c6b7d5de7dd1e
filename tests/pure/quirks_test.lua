local quirks = require "holos.plan.quirks"

local FLAGS = "fpu sse4_2 avx avx2 bmi1 bmi2 f16c fma abm movbe"

local function service(more)
  return { name = "web", mounts = more.mounts or {}, image = { shown = "rocky:10", quirks = more.quirks } }
end

test("the flags of a processor as Linux tells them", function()
  local text = "processor\t: 0\nvendor_id\t: X\nflags\t\t: fpu avx\nbugs\t\t: y\n\nprocessor\t: 1\nflags\t\t: other\n"
  equal(quirks.flags(text), { fpu = true, avx = true })
  equal(quirks.flags "processor : 0\nFeatures : fp asimd\n", nil)
  equal(quirks.flags "", nil)
end)

test("an image for newer processors is warned of where the guest has an older one", function()
  local flags = quirks.flags("flags : " .. FLAGS)
  local wanting = service { quirks = { needs_x86_64_v3 = true } }
  equal(quirks.warnings(wanting, "kvm", flags), {})
  for _, missing in ipairs { "avx2", "movbe" } do
    local less = quirks.flags("flags : " .. FLAGS:gsub(" " .. missing .. "%f[ \0]", ""))
    equal(quirks.warnings(wanting, "kvm", less), { "web: rocky:10 is made for processors of x86-64-v3, and this one lacks "
      .. missing .. ": its kernel may not start" })
    equal(quirks.warnings(wanting, "tcg", less), {}, "an emulated one has all of them")
    equal(quirks.warnings(service { quirks = {} }, "kvm", less), {})
  end
  equal(quirks.warnings(wanting, "kvm", nil), {}, "another architecture")
  equal(quirks.wants_flags { services = { a = service {}, b = wanting } }, true)
  equal(quirks.wants_flags { services = { a = service {} } }, false)
end)

test("directories shared with a kernel that mounts none", function()
  local bind, volume = { kind = "bind" }, { kind = "volume" }
  local odd = { no_shares = true }
  equal(#quirks.warnings(service { quirks = odd, mounts = { volume, bind } }, "tcg"), 1)
  equal(#quirks.warnings(service { quirks = odd, mounts = { volume } }, "tcg"), 0)
  equal(#quirks.warnings(service { quirks = {}, mounts = { bind } }, "tcg"), 0)
end)
