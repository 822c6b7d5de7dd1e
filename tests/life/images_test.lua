-- Images by their names, on the stand-in for QEMU: what a tag says of guests, what happens when it moves, what stays as long
-- as anything rests on it, and bases that are gone, damaged or hostile.

local crash = require "tests.support.crash"
local disk_images = require "tests.support.disk_images"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local json = require "sys.json"
local lock = require "holos.run.lock"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local table_ = require "holos.core.table"
local tool = require "tests.support.tool"
local typist = require "tests.support.typist"
local world = require "holos.run.world"

local YAML = [[
name: lab
services:
  web: {image: "debian:12", stop_grace_period: 1s, ready: running}
]]

-- A stack whose store holds an image of this size as debian:12.
local function new_stack(yaml, size_bytes)
  local stack = stack_.on_fake(yaml or YAML, nil, { in_memory = true })
  assert(qcow2.create(stack.directory .. "/first.qcow2", { size_bytes = size_bytes or 1 << 20 }))
  assert(qcow2.create(stack.directory .. "/second.qcow2", { size_bytes = 2 << 20 }))
  stack.first = stack:expect({ "images", "import", "first.qcow2", "debian:12" }).stdout:match("%S+")
  return stack
end

local function move_tag(stack)
  return stack:expect({ "images", "import", "second.qcow2", "debian" }).stdout:match("%S+")
end

local function images(stack)
  local list = {}
  for line in stack:expect({ "images", "--format", "json" }).stdout:gmatch("[^\n]+") do list[#list + 1] = json.decode(line, {}) end
  return list
end

local function record(stack) return json.decode(files.read(stack.state .. "/projects/lab.json"), {}) end
local function spec(stack, name) return record(stack).instances[name or "web-0"].spec end
local function disk(stack, name) return ("%s/instances/lab/%s/root.qcow2"):format(stack.state, name or "web-0") end
local function base_of(stack, name) return qcow2.info(disk(stack, name)).backing:match("([^/]+)%.%w+$") end
local function inode(stack, name) return fs.stat(disk(stack, name)).inode end
local function hex(digest) return digest:sub(8) end
local function file_of(stack, digest) return ("%s/images/sha256/%s.qcow2"):format(stack.state, hex(digest)) end

test("a machine starts from an image by name, as what is known of it says", function()
  local stack <close> = new_stack()
  says(stack:expect { "plan" }, "debian:12, 1 vCPU, 512 MiB")
  says(stack:expect { "validate" }, "images/sha256/" .. hex(stack.first), "debian:12, base image of web")
  stack:expect { "up" }
  local made = spec(stack)
  equal({ made.image.name, made.image.digest, made.image.os, made.image.family, made.user },
    { "debian:12", stack.first, "systemd", "debian", "debian" })
  equal(base_of(stack), hex(stack.first))
  equal(stack:ps()["web-0"].image, "debian:12")
  says(stack:expect { "up" }, "is up to date")
  equal(images(stack)[1].users[1].instance, "web-0")
end)

test("what the file says comes before what is known of the image", function()
  local stack <close> = new_stack((YAML:gsub("ready", "image_os: openrc, cloud_init: {user: anna}, vm: {memory: 256M}, ready")))
  stack:expect { "images", "import", "first.qcow2", "debian:12", "--memory", "2G", "--user", "root", "--share-driver", "9p" }
  stack:expect { "up" }
  local made = spec(stack)
  equal({ made.image.os, made.user, made.vm.memory_mib }, { "openrc", "anna", 256 })
end)

test("the least memory, the user, the system and the way of sharing come with the image", function()
  local stack <close> = new_stack "name: lab\nservices:\n  web: {image: mine, volumes: [\".:/srv:ro\"], ready: running}\n"
  stack:expect { "images", "import", "first.qcow2", "mine", "--memory", "1G", "--user", "toor", "--os", "openrc",
    "--share-driver", "9p", "--family", "alpine" }
  says(stack:expect { "plan" }, "mine:latest, 1 vCPU, 1 GiB")
  stack:expect { "up", "--no-start" }
  local made = spec(stack)
  equal({ made.image.os, made.user, made.vm.memory_mib, made.mounts[1].driver, made.image.family },
    { "openrc", "toor", 1024, "9p", "alpine" })
end)

test("an image that is not here: said by every plan, refused before anything is made", function()
  local stack <close> = stack_.on_fake((YAML:gsub("12", "13")), nil, { in_memory = true })
  says(stack:expect { "plan" }, "debian:13", "is to be fetched from cloud.debian.org first", "holos.yaml:3")
  says(stack:expect { "up", "--dry-run" }, "is to be fetched")
  says(stack:expect { "validate" }, "fetches", "from cloud.debian.org")
  says(stack:expect({ "args", "web" }, 2), "debian:13 is not in the image store")
  equal(fs.lstat(stack.state .. "/projects/lab.json"), nil)
  stack:write((YAML:gsub("debian:12", "debain")))
  says(stack:expect({ "plan" }, 2), "holos.yaml:3", 'no image is called "debain"', 'did you mean "debian"?')
  stack:write((YAML:gsub("debian:12", "sha256:" .. ("0"):rep(64))))
  says(stack:expect({ "plan" }, 2), "sha256:000000000000 is not in the image store")
end)

test("a disk smaller than its image is refused, whatever the image is called", function()
  local stack <close> = new_stack(YAML:gsub("ready", "vm: {disk_size: 64M}, ready"), 1 << 30)
  says(stack:expect({ "up" }, 2), "is smaller than the image, whose disk has 1 GiB")
end)

-- -- tags that move ---------------------------------------------------------------------------------------------------

test("A4: a tag that moved is asked about, and the machine keeps its base until somebody decides", function()
  local stack <close> = new_stack((YAML:gsub("ready", "replicas: 1, ready")))
  stack:expect { "up" }
  local before, pid = inode(stack), stack:ps()["web-0"].pid
  local second = move_tag(stack)
  ok(fs.stat(file_of(stack, stack.first)), "what it is made from is there")
  local change = ("image debian:12 (%s) → debian:12 (%s)"):format(stack.first:sub(1, 19), second:sub(1, 19))
  says(stack:expect({ "up", "-y" }, 3), change, "--recreate=web", "--keep=web", "new disks from debian:12")
  equal({ inode(stack), base_of(stack), stack:ps()["web-0"].pid }, { before, hex(stack.first), pid })
  says(stack:expect { "up", "--keep" }, "kept as it is")
  says(stack:expect { "up", "-y" }, "up to date")
  equal({ inode(stack), spec(stack).image.digest }, { before, stack.first })
  stack:expect { "restart" }
  equal(inode(stack), before)
  stack:expect { "scale", "web=2" }
  equal({ base_of(stack), base_of(stack, "web-1") }, { hex(stack.first), hex(second) })
  stack:expect { "up", "--recreate", "--scale", "web=2" }
  equal({ base_of(stack), base_of(stack, "web-1") }, { hex(second), hex(second) })
end)

test("the same image under another name is no change", function()
  local stack <close> = new_stack()
  stack:expect { "up" }
  stack:write((YAML:gsub('"debian:12"', "debian")))
  says(stack:expect { "up" }, "up to date")
  stack:expect { "images", "import", "first.qcow2", "copy:7" }
  stack:write((YAML:gsub("debian:12", "copy:7")))
  says(stack:expect { "up" }, "up to date")
  stack:write((YAML:gsub("debian:12", stack.first)))
  says(stack:expect { "up" }, "up to date")
end)

-- -- what stays -------------------------------------------------------------------------------------------------------

test("an image stays as long as a machine or the trash rests on it", function()
  local stack <close> = new_stack()
  stack:expect { "up" }
  says(stack:expect({ "rmi", "debian" }, 3), "debian:12 is in use: lab/web-0", "nothing was removed")
  move_tag(stack)
  says(stack:expect({ "rmi", stack.first }, 3), "is in use: lab/web-0")
  says(stack:expect { "prune", "--all", "--yes" }, "nothing to remove")
  stack:expect { "down" }
  says(stack:expect({ "rmi", stack.first }, 3), "lab/web-0 in the trash")
  stack:expect { "trash", "restore", "lab" }
  stack:expect { "start", "-p", "lab" }
  equal(base_of(stack), hex(stack.first))
  stack:expect { "down", "-p", "lab" }
  stack:expect { "trash", "empty", "--yes" }
  stack:expect { "rmi", stack.first:sub(8, 19) }
  equal(fs.lstat(file_of(stack, stack.first)), nil)
  equal(#images(stack), 1)
  stack:expect { "rmi", "debian" }
  equal(files.below(stack.state .. "/images", "."), {})
end)

test("rmi takes a name away as long as there is another, all of its words or none", function()
  local stack <close> = new_stack()
  stack:expect { "images", "import", "first.qcow2", "mine" }
  says(stack:expect({ "rmi", "mine", "nothing:here" }, 1), "nothing:here is not in the image store")
  equal(images(stack)[1].tags, { "debian:12", "mine:latest" })
  local said = stack:expect({ "rmi", "mine" }).stderr
  ok(said:find("^removed mine:latest; sha256:%x+ stays as debian:12\n$"), said)
  equal(images(stack)[1].tags, { "debian:12" })
  stack:expect { "images", "import", "first.qcow2", "mine" }
  stack:expect { "rmi", "mine", "debian", "mine:latest" }
  equal(images(stack), {})
end)

test("rmi removes nothing when any of its words has to stay", function()
  local stack <close> = new_stack()
  stack:expect { "images", "import", "second.qcow2", "mine" }
  stack:expect { "up" }
  says(stack:expect({ "rmi", "mine", "debian" }, 3), "debian:12 is in use: lab/web-0", "nothing was removed")
  equal(#images(stack), 2)
end)

test("up that waits for the image store says so, and hears --no-wait", function()
  local stack <close> = new_stack()
  local held = lock.take(world, stack.state .. "/locks/+images.lock", { owner_text = "somebody" })
  says(stack:expect({ "up", "--no-wait" }, 5), "the image store is locked by somebody")
  says(stack:expect({ "up", "--lock-timeout", "1s" }, 5), "waiting for the image store (held by somebody")
  held:release()
end)

test("a tag that is damaged counts as not here, and keeps nobody from ending what runs", function()
  local stack <close> = new_stack()
  local tag = stack.state .. "/images/tags/debian/12.json"
  stack:expect { "up" }
  files.write(tag, "{")
  says(stack:expect { "plan" }, "12.json is damaged", "debian:12", "is to be fetched")
  says(stack:expect { "validate" }, "12.json is damaged")
  ok(stack:ps()["web-0"].pid, "ps tells of it")
  stack:expect { "restart" }
  stack:expect { "down" }
  says(stack:expect { "rmi", "debian" }, "debian:12 (its words were damaged)")
  equal({ fs.lstat(tag), #images(stack) }, { nil, 1 })
  files.write(tag, "{")
  stack:expect { "images", "import", "first.qcow2", "debian:12" }
  equal(images(stack)[1].tags, { "debian:12" })
end)

test("a tag whose image is gone goes, with rmi and with prune", function()
  local stack <close> = new_stack()
  assert(fs.remove(file_of(stack, stack.first)))
  says(stack:expect({ "prune" }, 3), "debian:12  its image is gone", "this removes 0 images and 1 other files")
  stack:expect { "prune", "--yes" }
  equal(files.below(stack.state .. "/images/tags", "."), {})
  stack:expect { "images", "import", "first.qcow2", "debian:12" }
  assert(fs.remove(file_of(stack, stack.first)))
  says(stack:expect { "rmi", "debian" }, "debian:12 (its image is gone)")
  stack:expect { "images", "import", "first.qcow2", "debian:12" }
  files.write(file_of(stack, stack.first), "cut")
  says(stack:expect { "rmi", "debian" }, "which was cut off")
  equal(files.below(stack.state .. "/images", "%.qcow2$"), {})
end)

test("prune asks at a terminal, and removes nothing without a yes", function()
  local stack <close> = new_stack()
  local file = file_of(stack, stack.first)
  assert(fs.remove(file))
  local function answered(...)
    return typist.run({ "prune" }, { "[y]es, or [N]o?", ... }, { directory = stack.directory, env = stack:environment() })
  end
  for _, key in ipairs { "\\n", "n\\n", "\\x04" } do
    local shown = answered(key)
    ok(shown:find("nothing was removed", 1, true) and shown:find("status 0", 1, true), shown)
  end
  says(stack:expect({ "prune" }, 3), "this removes 0 images and 1 other files", "holos prune --yes")
  local shown = answered("y\\n")
  ok(shown:find("freed", 1, true) and shown:find("status 0", 1, true), shown)
  says(stack:expect { "prune" }, "nothing to remove")
end)

test("prune takes only what can be fetched again and nobody uses", function()
  local stack <close> = new_stack()
  local function pulled(name)
    files.edit_json(("%s/images/tags/%s.json"):format(stack.state, name), function(tag)
      tag.source = { url = "https://example.org/x.qcow2" }
    end)
  end
  local second = stack:expect({ "images", "import", "second.qcow2", "other" }).stdout:match("%S+")
  says(stack:expect { "prune", "--all", "--yes" }, "kept debian:12: it was imported", "nothing to remove")
  pulled "debian/12"
  pulled "other/latest"
  stack:expect { "up" }
  says(stack:expect { "prune" }, "kept other:latest: it has a name", "kept debian:12: used by lab/web-0")
  says(stack:expect({ "prune", "--all" }, 3), "this removes 1 images", "holos prune --yes --all")
  says(stack:expect { "prune", "--all", "--dry-run" }, "other:latest")
  equal(#images(stack), 2)
  stack:expect { "prune", "--all", "--yes" }
  equal({ #images(stack), fs.lstat(file_of(stack, second)) == nil }, { 1, true })
end)

-- -- bases that are not what they were --------------------------------------------------------------------------------

test("a base that is gone, cut off or changed: no start, and the disk is untouched; put back from anywhere it starts", function()
  local stack <close> = new_stack()
  stack:expect { "up" }
  stack:expect { "stop" }
  local base, before = file_of(stack, stack.first), files.read(disk(stack))
  local good = files.read(base)
  local function refused(...)
    local result = stack:expect({ "start" }, 1)
    says(result, "web-0", stack.first, ...)
    equal(files.read(disk(stack)), before)
    equal(#stack:pids(), 0)
  end
  assert(fs.rename(base, base .. ".away"))
  refused("is gone", "debian:12")
  assert(fs.write_atomic(base, good:sub(1, 70000) .. "!" .. good:sub(70002)))
  refused("is wanted", "sha256:")
  assert(fs.write_atomic(base, good:sub(1, -2)))
  refused "is wanted"
  says(stack:expect({ "verify" }, 1), "not as long as it was")
  stack:expect { "images", "import", "first.qcow2", "debian:12" }
  stack:expect { "start" }
  stack:expect { "stop" }
  assert(fs.remove(base))
  assert(fs.write_atomic(base, good)) -- as from a backup: another file, the same contents
  stack:expect { "start" }
  equal(files.read(disk(stack)), before)
end)

test("B30: verify finds a bit that flipped and takes nothing away, and the same image again mends it", function()
  local stack <close> = new_stack()
  local base = file_of(stack, stack.first)
  local stat, good = fs.stat(base), files.read(base)
  says(stack:expect { "verify" }, "ok  " .. stack.first)
  local flipped = good:sub(1, 70000) .. string.char(good:byte(70001) ~ 1) .. good:sub(70002)
  equal(run_tool({ "sh", "-c", "chmod u+w \"$1\" && cat > \"$1\" && touch -d @\"$2\" \"$1\"", "sh", base,
    ("%d.%09d"):format(stat.mtime_ns // 1000000000, stat.mtime_ns % 1000000000) }, { stdin = flipped }).status, 0)
  equal({ fs.stat(base).mtime_ns, fs.stat(base).inode }, { stat.mtime_ns, stat.inode })
  says(stack:expect({ "verify", "debian" }, 1), "DAMAGED  " .. stack.first, "is damaged: it has sha256:")
  ok(fs.stat(base) and #images(stack) == 1, "it is still there: machines may rest on it")
  says(stack:expect { "images" }, "debian:12", base .. " is damaged (holos verify)")
  says(stack:expect({ "images", "export", "debian", "out.qcow2" }, 1), base .. " is damaged: it has sha256:", "nothing was written")
  equal(fs.lstat(stack.directory .. "/out.qcow2"), nil)
  local evil = stack:expect({ "images", "import", "holos.yaml", "debian" }, 1) -- what comes instead is no image
  ok(fs.stat(base) and evil.stderr:find("holos.yaml", 1, true), evil.stderr)
  stack:expect { "images", "import", "first.qcow2" }
  says(stack:expect { "verify" }, "ok  ")
  equal({ files.read(base), stack:expect({ "images" }).stderr }, { good, "" })
  stack:expect { "images", "export", "debian", "out.qcow2" }
  equal(files.read(stack.directory .. "/out.qcow2"), good)
end)

test("B13: what is called .img is read as what it is, and as raw only when somebody says so", function()
  local stack <close> = new_stack()
  assert(fs.copy(stack.directory .. "/first.qcow2", stack.directory .. "/disk.img"))
  files.write(stack.directory .. "/raw.img", ("\0"):rep(1 << 20))
  for _, case in ipairs { { "disk.img", "qcow2" }, { "raw.img", "raw" } } do
    local file, format = case[1], case[2]
    local said = format == "raw" and { "--image-format", "raw" } or {}
    stack:expect { "images", "import", file, "x:" .. format, table.unpack(said) }
    stack:write((YAML:gsub("debian:12", "x:" .. format)))
    stack:expect { "up", "--no-start", "--recreate" }
    equal({ spec(stack).image.format, qcow2.info(disk(stack)).backing_format }, { format, format })
  end
  says(stack:expect({ "images", "import", "raw.img", "x:guessed" }, 1), "say --image-format raw or name it .raw")
  stack:write((YAML:gsub('"debian:12"', "./raw.img")))
  says(stack:expect({ "up" }, 2), "if it is a raw disk, say image_format: raw")
end)

test("an image is exported as it is, or in the format that is asked for or named", function()
  disk_images.need_tools()
  if not tool.find "qemu-system-x86_64" then skip "no qemu-system-x86_64 here" end
  local stack <close> = new_stack()
  disk_images.io(stack.directory .. "/second.qcow2", "qcow2", "write -P 7 64k 128k")
  move_tag(stack)
  local at, base = stack.directory .. "/", images(stack)[1].path
  stack.qemu = nil -- the stand-in copies nothing
  stack:expect { "images", "export", "debian", "same.qcow2" }
  equal(files.read(at .. "same.qcow2"), files.read(base))
  stack:expect { "images", "export", "debian:12", "disk.raw" }
  equal({ fs.stat(at .. "disk.raw").size_bytes, fs.stat(at .. "disk.raw").mode }, { 2 << 20, tonumber("644", 8) })
  disk_images.img("compare", "-f", "raw", "-F", "qcow2", at .. "disk.raw", base)
  says(stack:expect({ "images", "export", "debian", "disk.raw" }, 3), "is there; it is not overwritten")
  stack:expect { "images", "export", "debian", "disk.raw", "--force", "--image-format", "qcow2" }
  equal(files.read(at .. "disk.raw"), files.read(base))
  says(stack:expect({ "images", "export", "debian", "-" }, 64), "an image cannot go to standard output")
  says(stack:expect({ "images", "export", "debian", "state/x.qcow2" }, 64), "is in the state directory")
  says(stack:expect({ "images", "export", "debian", "nowhere/x.qcow2" }, 1), "/nowhere is no directory")
end)

test("what is wrong with the store is told by state check", function()
  local stack <close> = new_stack()
  says(stack:expect { "state", "check" }, "all is well")
  assert(fs.chmod(file_of(stack, stack.first), tonumber("644", 8)))
  says(stack:expect({ "state", "check" }, 1), "it can be written to (mode 644)", "chmod 400")
  assert(fs.remove(file_of(stack, stack.first)))
  says(stack:expect({ "state", "check" }, 1), "debian:12: its image " .. stack.first .. " is gone")
end)

-- Files that take what they show from elsewhere, or are made to mislead.
local EVIL = {
  backing = disk_images.forge { backing = "/etc/shadow" },
  backing_raw = disk_images.forge { backing = "/etc/shadow", extensions = disk_images.extension(0xe2792aca, "raw") },
  backing_json = disk_images.forge { backing = 'json:{"driver":"file","filename":"/etc/shadow"}' },
  backing_protocol = disk_images.forge { backing = "nbd:unix:/tmp/x" },
  data_file = disk_images.forge { incompatible = 4, extensions = disk_images.extension(0x44415441, "/etc/shadow") },
  data_file_unnamed = disk_images.forge { incompatible = 4 },
  encrypted = disk_images.forge { encryption = 1 }, luks = disk_images.forge { encryption = 2 },
  unknown_feature = disk_images.forge { incompatible = 1 << 20 }, corrupt = disk_images.forge { incompatible = 2 },
  huge = disk_images.forge { size = 1 << 62 }, negative = disk_images.forge { size = -1 }, empty = disk_images.forge { size = 0 },
  no_clusters = disk_images.forge { cluster_bits = 0 }, large_clusters = disk_images.forge { cluster_bits = 63 },
  header_beyond = disk_images.forge { header_length = 1 << 30 }, version = disk_images.forge { version = 99 },
  tables_at_header = disk_images.forge { l1_offset = 0 }, tables_beyond = disk_images.forge { l1_offset = 1 << 50 },
  refcounts_at_tables = disk_images.forge { refcount_offset = 3 * 65536 }, cut = disk_images.forge({}):sub(1, 60),
  snapshots_beyond = disk_images.forge { snapshots = 60000, snapshots_offset = 1 << 40 },
}

local LEAST_EVIL = 12

-- Whether a command started QEMU: for a machine, or to ask it what it can do.
local function starts_qemu(stack, word, status)
  local log = stack.directory .. "/calls"
  local result = crash.strace(stack, { word }, { "-f", "-o", log, "-e", "trace=execve,execveat" })
  equal(result.status, status, result.stderr)
  return files.read(log):find("qemu-system", 1, true) ~= nil, result
end

test("hostile images never reach QEMU and never the store", function()
  local stack <close> = new_stack(YAML)
  ok(starts_qemu(stack, "plan", 0), "it would not be noticed") -- which asks it once
  local count = 0
  for name, bytes in table_.sorted_pairs(EVIL) do
    files.write(stack.directory .. "/evil.qcow2", bytes)
    local imported = stack:run { "images", "import", "evil.qcow2", "debian:12" }
    equal(imported.status, 1, name .. imported.stdout)
    stack:write((YAML:gsub("debian:12", "./evil.qcow2")))
    count = count + 1
    if count <= (crash.IS_FULL and math.huge or LEAST_EVIL) then
      local started, result = starts_qemu(stack, "up", 2)
      equal(started, false, name)
      says(result, "evil.qcow2", "nothing was changed")
    end
  end
  ok(count >= LEAST_EVIL)
  equal(images(stack)[1].digest, stack.first)
end)

-- -- no network, layers, many at once ---------------------------------------------------------------------------------

test("an image that is here needs no network at all", function()
  local stack <close> = new_stack()
  local argv = { "unshare", host.uid() == 0 and "--net" or "--map-root-user", "--net", "--" }
  if tool.run({ table.unpack(argv), "true" }).status ~= 0 then skip "unshare --net is not allowed here" end
  local words = { table.unpack(argv) }
  table.move({ "sh", "-c", "ip link set lo up 2>/dev/null; exec \"$@\"", "sh", host.executable(), "up" }, 1, 6, #words + 1, words)
  local result = tool.run(words, { directory = stack.directory, env = stack:environment() })
  equal(result.status, 0, result.stderr)
  equal(base_of(stack), hex(stack.first))
end)

test("a read-only layer serves its images, and machines start from it where it lies by then", function()
  local below <close> = new_stack()
  local stack <close> = stack_.on_fake(YAML, nil, { in_memory = true })
  stack.env = { "HOLOS_IMAGES=" .. below.state .. "/images" }
  stack:expect { "up" }
  equal(base_of(stack), hex(below.first))
  equal(fs.lstat(stack.state .. "/images/sha256"), nil)
  equal(images(stack)[1].users[1].instance, "web-0")
  says(stack:expect({ "rmi", "debian" }, 3), "in a read-only layer")
  stack:expect { "stop" }
  assert(fs.rename(below.state .. "/images", below.state .. "/moved"))
  stack.env = {}
  says(stack:expect({ "start", "-p", "lab" }, 1), "is gone", below.first)
  stack.env = { "HOLOS_IMAGES=/nowhere:" .. below.state .. "/moved" }
  stack:expect { "start", "-p", "lab" }
  says(stack:expect { "up" }, "up to date")
end)

test("a layer that cannot be listed is told of by whoever looks at images", function()
  local stack <close> = new_stack()
  local nowhere = "HOLOS_IMAGES: " .. stack.directory .. "/nowhere: No such file or directory"
  stack.env = { "HOLOS_IMAGES=" .. stack.directory .. "/nowhere:" .. stack.directory }
  says(stack:expect { "images" }, "debian:12", nowhere)
  says(stack:expect({ "state", "check" }, 1), nowhere)
  says(stack:run { "doctor" }, "! images", nowhere)
  stack:expect { "up" }
  stack.env = { "HOLOS_IMAGES=" .. stack.directory }
  says(stack:expect { "state", "check" }, "all is well")
  says(stack:run { "doctor" }, "images    HOLOS_IMAGES: 1 more to read from")
  stack.env = {}
  local found = stack:run { "doctor" }
  ok(not found.stdout:find("HOLOS_IMAGES", 1, true), found.stdout)
end)

test("imports of one image at once make one", function()
  local stack <close> = new_stack()
  local children = {}
  for i = 1, 4 do children[i] = stack:spawn { "images", "import", "second.qcow2", "many:" .. i } end
  for _, child in ipairs(children) do
    equal(io_wait.await(child, "try_wait"), { exit = 0 })
    child:close()
  end
  local list = images(stack)
  equal({ #list, list[2].tags }, { 2, { "many:1", "many:2", "many:3", "many:4" } })
  equal(files.below(stack.state .. "/images/incoming", "."), {})
end)
