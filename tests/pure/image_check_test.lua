local check = require "holos.image.check"

-- What sys.qcow2.info tells of an image that stands alone.
local function facts(changes)
  local info = {
    version = 3, virtual_bytes = 1 << 30, cluster_bytes = 65536, refcount_bits = 16, snapshots = 0,
    compression = "zlib",
    dirty = false, corrupt = false, data_file = false, extended_l2 = false, encrypted = false, unknown_incompatible = 0,
  }
  for key, value in pairs(changes or {}) do info[key] = value end
  return info
end

test("an image that stands alone is a base", function()
  equal(check.base(facts(), "/i/a.qcow2", "qcow2"), nil)
  equal(check.base(facts(), "/i/a.img", nil), nil)
  equal(check.base(facts { dirty = true, snapshots = 2, extended_l2 = true, compression = "zstd" }, "/i/a.qcow2"), nil)
end)

local REFUSED = {
  { { backing = "/etc/shadow" }, "has the backing file /etc/shadow" },
  { { backing = "json:{\"driver\":\"file\"}" }, "has the backing file json:" },
  { { backing = "x", backing_format = "raw" }, "has the backing file x," },
  { { data_file = true, data_file_name = "/etc/shadow" }, "keeps its data in another file (/etc/shadow)" },
  { { data_file = true }, "keeps its data in another file (not named)" },
  { { data_file_name = "x" }, "keeps its data in another file (x)" },
  { { encrypted = true, encryption = "luks" }, "is encrypted (luks)" },
  { { unknown_incompatible = 0x8020 }, "has features that are not known here (incompatible bits 0x8020)" },
  { { unknown_incompatible = 1 << 63 }, "incompatible bits 0x8000000000000000)" },
  { { corrupt = true }, "is marked corrupt" },
  { { virtual_bytes = 0 }, "its virtual size is 0" },
  { { virtual_bytes = (1 << 51) + 512 }, "more than 2 PiB" },
}

test("images that take their contents from elsewhere, or cannot be judged, are refused", function()
  for _, case in ipairs(REFUSED) do
    local complaint = check.base(facts(case[1]), "/i/a.qcow2", "qcow2")
    ok(complaint and complaint:find(case[2], 1, true), complaint)
    ok(check.base(facts(case[1]), "/i/a.img"), "also without an explicit format")
  end
end)

test("all faults are told, each with the path, and none of them can write to the terminal", function()
  local complaint = check.base(facts { backing = "a\27[2Jb", corrupt = true }, "/i/a.qcow2", "qcow2")
  local lines = {}
  for line in complaint:gmatch("[^\n]+") do lines[#lines + 1] = line end
  equal(#lines, 2)
  ok(lines[1]:find("/i/a.qcow2: has the backing file a\\x1b[2Jb,", 1, true), lines[1])
  ok(lines[2]:find("/i/a.qcow2: is marked corrupt", 1, true), lines[2])
end)

test("a raw disk needs its name or a word", function()
  equal(check.base(nil, "/i/disk.raw", nil, "ENOTQCOW2"), nil)
  equal(check.base(nil, "/i/disk.img", "raw", "ENOTQCOW2"), nil)
  equal(check.base(nil, "/i/disk.img", nil, "ENOTQCOW2"),
    "/i/disk.img: is not a qcow2 image; if it is a raw disk, say image_format: raw or name it .raw")
  equal(check.base(nil, "/i/disk.qcow2", nil, "ENOTQCOW2"),
    "/i/disk.qcow2: is not a qcow2 image; if it is a raw disk, say image_format: raw")
  equal(check.base(nil, "/i/disk.raw", "qcow2", "ENOTQCOW2"),
    "/i/disk.raw: is not a qcow2 image; if it is a raw disk, say image_format: raw")
end)

test("raw is never guessed from what is in a file", function()
  equal(check.format("/i/a.img", nil, nil), "qcow2")
  equal(check.format("/i/a.img", nil, "EINVAL"), "qcow2")
  equal(check.format("/i/a.img", nil, "ENOTQCOW2"), nil)
  equal(check.format("/i/a.RAW", nil, nil), "raw")
  equal(check.format("/i/a.raw", "qcow2", nil), "qcow2")
end)

test("a raw disk that begins like qcow2 is used, and that is said", function()
  for _, code in ipairs { false, "EINVAL" } do
    equal(check.base(nil, "/i/a.raw", nil, code or nil, "damaged"), nil)
    equal(check.warning("/i/a.raw", nil, code or nil),
      "/i/a.raw: used as a raw disk, though it begins like a qcow2 image")
  end
  equal(check.warning("/i/a.raw", nil, "ENOTQCOW2"), nil)
  equal(check.warning("/i/a.qcow2", nil, nil), nil)
end)

test("what the parser refused is passed on as it is", function()
  equal(check.base(nil, "/i/a.qcow2", "qcow2", "EINVAL", "/i/a.qcow2: cluster_bits 63 is not in 9..21"),
    "/i/a.qcow2: cluster_bits 63 is not in 9..21")
  equal(check.base(nil, "/i/a.img", nil, "EACCES", "Permission denied"), "/i/a.img: Permission denied")
end)
