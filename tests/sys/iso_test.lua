-- The ISO writer: a seed as guests' kernels see it, names at the limits, what is refused.

local iso = require "sys.iso"
local files = require "tests.support.files"
local tool = require "tests.support.tool"
local trees = require "tests.support.iso_trees"

local function write(path, list, more)
  local request = { volume = "cidata", files = list, sync = false }
  for key, value in pairs(more or {}) do request[key] = value end
  return iso.write(path, request)
end

local function need(program)
  if not tool.find(program) then skip(program .. " is not installed") end
end

local function modes_below(directory)
  return run_tool({ "find", directory, "-mindepth", "1", "-printf", "%m %P\\n" }).stdout
end

local SEED = {
  { name = "meta-data", data = "instance-id: i-1\n" }, { name = "user-data", data = "#cloud-config\n{}\n" },
  { name = "network-config", data = "" }, { name = "holos/boot.sh", data = "#!/bin/sh\n", mode = 493 },
}

test("a seed has the names that every kind of reader expects", function()
  need "isoinfo"
  local image = tmpdir() .. "/seed.iso"
  equal(write(image, SEED), #files.read(image))
  equal(trees.isoinfo_paths(image, "-R"), { "holos", "holos/boot.sh", "meta-data", "network-config", "user-data" })
  equal(trees.isoinfo_paths(image, "-J"),
    { "holos", "holos/boot.sh;1", "meta-data;1", "network-config;1", "user-data;1" })
  equal(trees.isoinfo_paths(image), { "HOLOS", "HOLOS/BOOT.SH;1", "META_DAT.;1", "NETWORK_.;1", "USER_DAT.;1" })
end)

test("a seed is small, private, labelled in lower case, and dated as asked", function()
  need "isoinfo"
  local directory = tmpdir()
  local image = directory .. "/seed.iso"
  local size = write(image, SEED, { time = 1700000000 })
  ok(size <= 64 * 1024, "size " .. size)
  equal(modes_below(directory), "600 seed.iso\n")
  local facts = run_tool({ "isoinfo", "-d", "-i", image }).stdout
  ok(facts:find("Volume id: cidata\n", 1, true), facts)
  ok(facts:find("Joliet with UCS level 3 found", 1, true), facts)
  ok(facts:find("Rock Ridge signatures version 1 found", 1, true), facts)
  ok(facts:find("Volume size is: " .. size // 2048, 1, true), facts)
  local listing = run_tool({ "isoinfo", "-R", "-l", "-i", image }).stdout
  ok(listing:find("%-rwxr%-xr%-x   1    0    0 .-Nov 14 2023.-boot.sh"), listing)
end)

test("blkid and file recognise the label", function()
  need "blkid"
  local image = tmpdir() .. "/seed.iso"
  for _, volume in ipairs { "cidata", "CIDATA", "config-2", "a label of more than 16 bytes" } do
    write(image, SEED, { volume = volume })
    equal(run_tool({ "blkid", "-p", "-o", "value", "-s", "LABEL", image }).stdout, volume .. "\n")
  end
  need "file"
  equal(run_tool({ "file", "-b", image }).stdout, "ISO 9660 CD-ROM filesystem data 'a label of more than 16 bytes'\n")
end)

test("the bytes depend on nothing but names, contents, label and time", function()
  local directory = tmpdir()
  local one, two, other = directory .. "/one.iso", directory .. "/two.iso", directory .. "/other.iso"
  local backwards = {}
  for _, file in ipairs(SEED) do table.insert(backwards, 1, file) end
  write(one, SEED, { time = 86400 })
  write(two, backwards, { time = 86400 })
  write(other, SEED, { time = 86401 })
  ok(files.read(one) == files.read(two))
  ok(files.read(one) ~= files.read(other))
end)

test("names at their limits survive", function()
  need "xorriso"
  local directory = tmpdir()
  local list = { { name = "1/2/3/4/5/6/7/8", data = "eight levels" } }
  for length = 60, 253 do
    list[#list + 1] = { name = "n/" .. ("x"):rep(length - 3) .. ".gz", data = tostring(length) }
  end
  list[#list + 1] = { name = ("é"):rep(126), data = "two bytes each" }
  ok(write(directory .. "/a.iso", list))
  equal(trees.extract(directory .. "/a.iso", directory .. "/out", "any"), trees.expected(list))
end)

test("a thousand names that mangle to one are all there", function()
  need "xorriso"
  local directory = tmpdir()
  local list = {}
  for number = 1, 1200 do
    list[number] = { name = ("same-beginning-%s%d.conf"):format(("-"):rep(60), number), data = tostring(number) }
  end
  ok(write(directory .. "/a.iso", list))
  for _, view in ipairs { "any", "norock", "level1" } do
    equal(trees.contents(trees.extract(directory .. "/a.iso", directory .. "/" .. view, view)),
      trees.contents(trees.expected(list)))
  end
end)

test("many directories make path tables of several sectors", function()
  need "xorriso"
  local directory = tmpdir()
  local list = {}
  for number = 1, 600 do list[number] = { name = ("d%d/e/f%d"):format(number, number), data = tostring(number) } end
  ok(write(directory .. "/a.iso", list))
  equal(trees.extract(directory .. "/a.iso", directory .. "/out", "any"), trees.expected(list))
end)

local REFUSED_NAMES = {
  { "", "EINVAL", "file 1 is empty" }, { "/etc", "EINVAL", "empty component" }, { "a/", "EINVAL", "empty component" },
  { "a//b", "EINVAL", "empty component" }, { "../x", "EINVAL", ". or .." }, { "a/./b", "EINVAL", ". or .." },
  { "1/2/3/4/5/6/7/8/9", "EINVAL", "more than 8 components" }, { ("x"):rep(254), "EINVAL", "more than 253 bytes" },
  { "a\0b", "EINVAL", "control character" }, { "a\nb", "EINVAL", "control character" },
  { "a\27[2J", "EINVAL", "control character" }, { "\u{9b}2J", "EINVAL", "control character" },
  { "\xff", "EINVAL", "not UTF-8" }, { "\xc0\xaf", "EINVAL", "not UTF-8" }, { "\xed\xa0\x80", "EINVAL", "not UTF-8" },
  { "\xe6\x97", "EINVAL", "not UTF-8" }, { "\xf4\x90\x80\x80", "EINVAL", "not UTF-8" },
}

test("names that an image cannot hold are refused in words, and nothing is created", function()
  local directory = tmpdir()
  for _, case in ipairs(REFUSED_NAMES) do
    local size, message, code = write(directory .. "/a.iso", { { name = case[1], data = "" } })
    equal(size, nil)
    equal(code, case[2])
    ok(message:find(case[3], 1, true), message)
  end
  equal(modes_below(directory), "")
end)

test("two files of one name are refused, as is a file that is also a directory", function()
  local path = tmpdir() .. "/a.iso"
  local function refusal(...)
    local list = {}
    for _, name in ipairs { ... } do list[#list + 1] = { name = name, data = "" } end
    local _, message, code = write(path, list)
    return { message, code }
  end
  equal(refusal("a/b", "c", "a/b"), { "two files want the name a/b", "EEXIST" })
  equal(refusal("a/b/c", "a.x", "a"), { "two files want the name a", "EEXIST" })
end)

test("too many files or directories are refused", function()
  local path, list = tmpdir() .. "/a.iso", {}
  for number = 1, 20000 do list[number] = { name = ("d%d/f"):format(number), data = "" } end
  equal(select(3, write(path, list)), "E2BIG")
  for number = 1, 32769 do list[number] = { name = ("f%d"):format(number), data = "" } end
  equal(select(3, write(path, list)), "E2BIG")
end)

test("labels and dates that no image can have are refused", function()
  local path = tmpdir() .. "/a.iso"
  for _, volume in ipairs { "", ("x"):rep(33), "é", "a\tb" } do
    equal(select(3, write(path, SEED, { volume = volume })), "EINVAL")
  end
  raises("bad field 'time'", write, path, SEED, { time = -1 })
  raises("bad field 'time'", write, path, SEED, { time = 5869584000 })
  ok(write(path, SEED, { time = 5869583999 }))
end)

test("only regular files are copied, and a fifo does not block", function()
  local directory = tmpdir()
  run_tool { "mkfifo", directory .. "/fifo" }
  local function code_for(source)
    return select(3, write(directory .. "/a.iso", { { name = "x", path = source } }))
  end
  equal(code_for(directory .. "/fifo"), "EINVAL")
  equal(code_for(directory), "EINVAL")
  equal(code_for("/dev/zero"), "EINVAL")
  equal(code_for(directory .. "/missing"), "ENOENT")
end)

test("a file of 4 GiB is refused by its name", function()
  local directory = tmpdir()
  run_tool { "truncate", "-s", "4294967296", directory .. "/huge" }
  local _, message, code = write(directory .. "/a.iso", { { name = "data/huge", path = directory .. "/huge" } })
  equal(code, "EFBIG")
  equal(message, "data/huge: 4294967296 bytes are more than the 4 GiB a file in an ISO image can have")
end)

test("a failed write keeps the older image and leaves nothing else", function()
  local directory = tmpdir()
  write(directory .. "/a.iso", SEED)
  local before = files.read(directory .. "/a.iso")
  -- /proc files say they are empty and then are not.
  local _, message, code = write(directory .. "/a.iso", { { name = "x", path = "/proc/self/status" } })
  equal({ message, code }, { "/proc/self/status: changed its size while it was read", "ESTALE" })
  ok(files.read(directory .. "/a.iso") == before)
  equal(modes_below(directory), "600 a.iso\n")
  equal(select(3, write(directory .. "/missing/a.iso", SEED)), "ENOENT")
  equal(select(3, write(directory .. "/", SEED)), "EISDIR")
  equal(select(3, write(directory, SEED)), "EISDIR")
end)

test("wrong arguments raise and name the field", function()
  local path = tmpdir() .. "/a.iso"
  raises("unknown option 'label'", write, path, {}, { label = "x" })
  raises("unknown option 'text'", write, path, { { name = "x", text = "" } })
  raises("either data or path", write, path, { { name = "x" } })
  raises("either data or path", write, path, { { name = "x", data = "", path = "/x" } })
  raises("bad field 'mode'", write, path, { { name = "x", data = "", mode = 512 } })
  raises("bad field 'name'", write, path, { { data = "" } })
  raises("contains a NUL byte", write, path, { { name = "x", path = "a\0b" } })
  raises("bad field 'files[1]'", write, path, { "x" })
end)
