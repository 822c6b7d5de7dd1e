-- The image store: what goes in, what a name means, what is never removed, and what a killed command leaves.

local files = require "tests.support.files"
local fs = require "sys.fs"
local hash = require "sys.hash"
local intake = require "holos.run.images.intake"
local json = require "sys.json"
local layers = require "holos.run.images.layers"
local lock = require "holos.run.lock"
local qcow2 = require "sys.qcow2"
local state_ = require "holos.run.state"
local removal = require "holos.run.images.removal"
local store = require "holos.run.images.store"
local task = require "holos.core.task"
local use = require "holos.use.images"

local host = require "sys.host"
local DEBIAN = { kind = "name", name = "debian", tag = "12" }

-- A world with an environment of its own.
local function world_with(environment)
  return { fs = fs, hash = hash, json = json, qcow2 = qcow2, lock = require "sys.lock", proc = require "sys.proc",
    clock = require "sys.clock", host = setmetatable({ env = function(name) return (environment or {})[name] end },
      { __index = host }) }
end

local function new_store(environment)
  local world = world_with(environment)
  return world, state_.locate(world, { state_dir = tmpdir() })
end

local function image_file(size_bytes, name)
  local file = tmpdir() .. "/" .. (name or "image.qcow2")
  assert(qcow2.create(file, { size_bytes = size_bytes or 1 << 20 }))
  return file
end

local function digest_of(file) return "sha256:" .. hash.sha256(assert(files.read(file))) end

local function names_below(directory)
  local names = {}
  for _, file in ipairs(files.below(directory, ".")) do names[#names + 1] = file:sub(#directory + 2) end
  table.sort(names)
  return names
end

test("an image is kept under its digest, read-only, with what is known of it", function()
  local world, state = new_store()
  local file = image_file(3 << 20)
  local image = store.add(world, state, file, { source = { file = file, kind = "import" }, digest = digest_of(file) })
  local hex = digest_of(file):sub(8)
  equal(image.path, ("%s/images/sha256/%s.qcow2"):format(state.root, hex))
  equal({ image.digest, image.format, image.virtual_bytes, image.size_bytes, image.is_own, #image.tags, image.source.kind },
    { digest_of(file), "qcow2", 3 << 20, fs.stat(file).size_bytes, true, 0, "import" })
  equal(fs.stat(image.path).mode, tonumber("400", 8))
  equal(fs.stat(state:images()).mode, tonumber("700", 8))
  equal(names_below(state:images() .. "/incoming"), {})
  equal(files.read(image.path), files.read(file))
end)

test("a tag is a pointer: it moves, and what it pointed at stays", function()
  local world, state = new_store()
  local first, second = store.add(world, state, image_file(1 << 20), {}), store.add(world, state, image_file(2 << 20), {})
  equal(store.find(world, state, DEBIAN), nil)
  store.tag(world, state, "debian", "12", first.digest, { user = "debian", os = "systemd" }, { url = "https://example.org/a" })
  local found = store.find(world, state, DEBIAN)
  equal({ found.digest, found.facts.user, found.source.url, found.tags[1] }, { first.digest, "debian", "https://example.org/a",
    "debian:12" })
  equal(store.find(world, state, { kind = "digest", digest = first.digest }).facts.user, "debian")
  store.tag(world, state, "debian", "12", second.digest)
  equal(store.find(world, state, DEBIAN).digest, second.digest)
  ok(fs.stat(first.path), "the first one is still there")
  equal(store.find(world, state, { kind = "digest", digest = first.digest }).path, first.path)
  local images, problems = store.list(world, state)
  equal({ #images, images[1].tags[1], #images[2].tags, #problems }, { 2, "debian:12", 0, 0 })
end)

test("names that would leave the store are none", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), {})
  for _, name in ipairs { { "..", "x" }, { "a/b", "x" }, { "a", "../x" }, { "", "x" }, { "a", "" }, { "A", "x" }, { ".a", "x" },
    { "a", ".x" }, { ("a"):rep(129), "x" }, { "a", "x\n" } } do
    equal(failure(store.tag, world, state, name[1], name[2], image.digest).code, "EINVAL")
    equal(store.find(world, state, { kind = "name", name = name[1], tag = name[2] }), nil)
  end
  equal(failure(store.tag, world, state, "a", "b", "sha256:" .. ("0"):rep(64)).code, "ENOIMAGE")
end)

test("an image that was pulled by its URL is found by it, with and without its digest", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), {})
  local reference = { kind = "url", url = "https://example.org/disk.qcow2" }
  store.tag(world, state, "@url", hash.sha256(reference.url), image.digest)
  equal(store.find(world, state, reference).digest, image.digest)
  equal(#store.list(world, state)[1].tags, 0)
  reference.url = "https://example.org/other.qcow2"
  equal(store.find(world, state, reference), nil)
  reference.digest = image.digest
  equal(store.find(world, state, reference).digest, image.digest)
  reference.digest = "sha512:" .. ("0"):rep(128)
  equal(store.find(world, state, reference), nil)
  store.tag(world, state, "debian", "12", image.digest, {}, { sha512 = ("1"):rep(128) })
  equal(store.find(world, state, { kind = "name", name = "debian", tag = "12", digest = reference.digest }), nil)
  reference = { kind = "name", name = "debian", tag = "12", digest = "sha512:" .. ("1"):rep(128) }
  equal(store.find(world, state, reference).digest, image.digest)
end)

test("a file that is not what was expected, or cannot be a base, leaves the store as it was", function()
  local world, state = new_store()
  local evil, packed = tmpdir() .. "/evil.qcow2", tmpdir() .. "/disk.qcow2.gz"
  assert(qcow2.create(evil, { size_bytes = 1 << 20, backing = "/etc/shadow", backing_format = "raw" }))
  files.write(packed, "\31\139\8\0" .. ("x"):rep(1000))
  intake.prepare(world, state)
  equal(failure(store.add, world, state, image_file(), { digest = "sha256:" .. ("0"):rep(64) }).code, "EDIGEST")
  local refused = failure(store.add, world, state, evil, {})
  equal(refused.code, "EIMAGE")
  ok(refused.message:find("/etc/shadow", 1, true), refused.message)
  refused = failure(store.add, world, state, packed, {})
  ok(refused.message:find("is packed with gzip", 1, true), refused.message)
  ok(refused.hint:find("gunzip -k '" .. packed .. "'", 1, true), refused.hint)
  for _, name in ipairs { tmpdir(), "/dev/zero", "/nowhere/x.qcow2" } do
    refused = failure(store.add, world, state, name, {})
    ok(refused.exit == 1 and refused.message:find(name, 1, true), refused.message)
  end
  equal(names_below(state:images()), {})
end)

test("raw is never guessed: an .img without a qcow2 magic has to be called raw", function()
  local world, state = new_store()
  local file = tmpdir() .. "/disk.img"
  files.write(file, ("\0"):rep(4096))
  local refused = failure(store.add, world, state, file, {})
  ok(refused.message:find("if it is a raw disk", 1, true), refused.message)
  local image = store.add(world, state, file, { format = "raw" })
  equal({ image.format, image.virtual_bytes, image.path:match("%.%w+$") }, { "raw", 4096, ".raw" })
end)

test("one content is there in one format only", function()
  local world, state = new_store()
  local file = image_file()
  local image = store.add(world, state, file, {})
  local refused = failure(store.add, world, state, file, { format = "raw" })
  equal({ refused.code, refused.exit }, { "EEXIST", 3 })
  equal(store.find(world, state, { kind = "digest", digest = image.digest }).format, "qcow2")
end)

test("a file that may be moved is renamed; one that others name too is copied", function()
  local world, state = new_store()
  intake.prepare(world, state)
  local file = state.root .. "/part"
  assert(qcow2.create(file, { size_bytes = 5 << 20 }))
  local inode = fs.stat(file).inode
  local image = store.add(world, state, file, { move = true, format = "qcow2" })
  equal(fs.stat(image.path).inode, inode)
  equal((fs.lstat(file)), nil)
  assert(qcow2.create(file, { size_bytes = 6 << 20 }))
  assert(fs.link(file, state.root .. "/other-name"))
  image = store.add(world, state, file, { move = true, format = "qcow2" })
  ok(fs.stat(image.path).inode ~= fs.stat(state.root .. "/other-name").inode, "whoever has the other name could change it")
  equal((fs.lstat(file)), nil)
end)

test("the same image again changes nothing; a damaged one is mended by it", function()
  local world, state = new_store()
  local file = image_file()
  local image = store.add(world, state, file, {})
  local inode, text = fs.stat(image.path).inode, files.read(file)
  equal(store.add(world, state, file, {}).digest, image.digest)
  equal(fs.stat(image.path).inode, inode)
  assert(fs.chmod(image.path, tonumber("600", 8)))
  for _, broken in ipairs { text:sub(1, -2), text:sub(1, 4000) .. "!" .. text:sub(4002), "" } do
    assert(fs.write_atomic(image.path, broken))
    equal(store.add(world, state, file, {}).digest, image.digest)
    equal(files.read(image.path), text)
    equal(fs.stat(image.path).mode, tonumber("400", 8))
  end
end)

test("an image that is cut off is not there, and is told of", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), {})
  store.tag(world, state, "debian", "12", image.digest)
  assert(fs.chmod(image.path, tonumber("600", 8)))
  assert(fs.truncate(image.path, 70000))
  equal(store.find(world, state, DEBIAN), nil)
  local images, problems = store.list(world, state)
  equal({ #images, #problems }, { 0, 1 })
  ok(problems[1]:find("not as long as it was", 1, true), problems[1])
  removal.image(world, state, image.digest)
  equal(names_below(state:images()), {})
end)

test("an image whose own words are damaged is one all the same, and the same file again mends them", function()
  local world, state = new_store()
  local file = image_file()
  local image = store.add(world, state, file, {})
  store.tag(world, state, "debian", "12", image.digest)
  local meta = image.path:gsub("qcow2$", "json")
  assert(fs.write_atomic(meta, '{"digest": 7'))
  equal(store.find(world, state, DEBIAN).digest, image.digest)
  local images, problems = store.list(world, state)
  equal({ #images, #problems }, { 1, 1 })
  ok(problems[1]:find(meta, 1, true), problems[1])
  store.add(world, state, file, {})
  equal({ #select(2, store.list(world, state)), json.decode(files.read(meta), {}).size_bytes }, { 0, fs.stat(file).size_bytes })
end)

-- -- layers -----------------------------------------------------------------------------------------------------------

-- A store that another one sees as a layer.
local function layered(size_bytes)
  local world, below = new_store()
  local image = store.add(world, below, image_file(size_bytes), {})
  store.tag(world, below, "debian", "12", image.digest, { user = "layer" })
  local above, state = new_store { HOLOS_IMAGES = below:images() }
  return above, state, image, below
end

test("a layer is read, first for contents, and never written", function()
  local world, state, image, below = layered()
  local before = names_below(below:images())
  local found = store.find(world, state, DEBIAN)
  equal({ found.path, found.is_own, found.layer, found.facts.user }, { image.path, false, below:images(), "layer" })
  local again = store.add(world, state, image.path, {})
  equal(again.path, image.path)
  equal(names_below(state:images() .. "/sha256"), {})
  store.tag(world, state, "mine", "latest", image.digest)
  equal(store.find(world, state, { kind = "name", name = "mine" }).path, image.path)
  local refused = failure(removal.image, world, state, image.digest)
  equal({ refused.code, refused.exit }, { "EROFS", 3 })
  equal(failure(removal.tag, world, state, "debian", "12").code, "EROFS")
  removal.tag(world, state, "mine", "latest")
  equal(names_below(below:images()), before)
end)

test("our own store is ours, also where HOLOS_IMAGES names it by another path", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), {})
  assert(fs.symlink(state:images(), state.root .. "/other"))
  for _, name in ipairs { state:images(), state:images() .. "/", state.root .. "/other" } do
    local again = world_with { HOLOS_IMAGES = name }
    ok(store.of_digest(again, state, image.digest).is_own, name)
  end
end)

test("a layer that is named twice is one, whatever its paths", function()
  local world, state = new_store()
  local _, below = new_store()
  assert(fs.symlink(below.root, state.root .. "/link"))
  world.host = world_with({ HOLOS_IMAGES = below.root .. ":" .. state.root .. "/link" }).host
  equal(#layers.all(world, state), 2)
end)

test("a tag of our own comes before one of a layer, and one whose image is gone does not count", function()
  local world, state, below_image = layered()
  local image = store.add(world, state, image_file(9 << 20), {})
  store.tag(world, state, "debian", "12", image.digest, { user = "own" })
  equal(store.find(world, state, DEBIAN).facts.user, "own")
  equal(store.list(world, state)[1].tags, { "debian:12" })
  assert(fs.remove(image.path))
  equal(store.find(world, state, DEBIAN).digest, below_image.digest)
  local _, problems = store.list(world, state)
  ok(problems[1]:find("is gone", 1, true), problems[1])
end)

test("nothing is hashed while the store's lock is held", function()
  local world, state = new_store()
  local file, hashed = image_file(), 0
  local image = store.add(world, state, file, {})
  assert(fs.remove(state:images() .. "/checked/" .. image.digest:sub(8) .. ".json"))
  world.hash = setmetatable({ new = function(name)
    local free <close> = lock.try(world, state:images_lock())
    ok(free, "others have to wait")
    hashed = hashed + 1
    return hash.new(name)
  end }, { __index = hash })
  store.add(world, state, file, {})
  equal(hashed, 2)
  equal(files.below(state:images() .. "/checked", "%.json$"), { state:images() .. "/checked/" .. image.digest:sub(8) .. ".json" })
end)

test("damaged words of one image spoil no other", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), {})
  store.tag(world, state, "good", "1", image.digest)
  for name, text in pairs { torn = '{"digest": "sha', wrong = '{"digest": "md5:1"}', list = "[]", empty = "" } do
    files.write(("%s/tags/%s/1.json"):format(state:images(), name), text)
    local found, problem = store.find(world, state, { kind = "name", name = name, tag = "1" })
    equal(found, nil)
    ok(problem:find("1.json is damaged", 1, true), problem)
  end
  local images, problems = store.list(world, state)
  equal({ #images, images[1].tags, #problems }, { 1, { "good:1" }, 4 })
  store.tag(world, state, "torn", "1", image.digest)
  equal({ store.find(world, state, { kind = "name", name = "torn", tag = "1" }).digest, #select(2, store.list(world, state)) },
    { image.digest, 3 })
end)

test("an image with two names is known as the one says that was asked for, and as no other one does", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), { facts = { user = "own" } })
  store.tag(world, state, "a", "1", image.digest, { user = "a" })
  store.tag(world, state, "b", "1", image.digest, { user = "b" })
  local function user(reference) return store.find(world, state, reference).facts.user end
  for _, name in ipairs { "a", "b" } do
    equal(user { kind = "name", name = name, tag = "1", digest = image.digest }, name)
    equal(user { kind = "name", name = name, tag = "1" }, name)
  end
  equal(user { kind = "name", name = "c", tag = "1", digest = image.digest }, "own")
  equal(user { kind = "digest", digest = image.digest }, "own")
  local other = store.add(world, state, image_file(2 << 20), {})
  store.tag(world, state, "a", "1", other.digest, { user = "moved" })
  equal(user { kind = "name", name = "a", tag = "1", digest = image.digest }, "own")
end)

-- -- users ------------------------------------------------------------------------------------------------------------

test("an image stays while a record, a disk, or the trash names it", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), {})
  local function refused(what)
    local problem = failure(removal.image, world, state, image.digest)
    equal({ problem.code, problem.exit }, { "EINUSE", 3 })
    ok(problem.message:find(what, 1, true), problem.message)
    ok(fs.stat(image.path))
  end
  local disk = state:instance("lab", "db-0") .. "/root.qcow2"
  assert(fs.mkdir_all(state:instance("lab", "db-0")))
  assert(qcow2.create(disk, { size_bytes = 1 << 20, backing = image.path, backing_format = "qcow2" }))
  refused "lab/db-0"
  local batch = state:trash("lab") .. "/20261121T010203.456Z"
  assert(fs.mkdir_all(batch .. "/instances"))
  assert(fs.rename(state:instance("lab", "db-0"), batch .. "/instances/db-0"))
  refused "lab/db-0 in the trash (20261121T010203.456Z)"
  assert(fs.remove_tree(batch .. "/instances/db-0"))
  files.write(batch .. "/record.json", ('{"half": "%s'):format(image.digest))
  refused "lab in the trash"
  assert(fs.remove_tree(batch))
  files.write(state:record("other"), ('{"schema": {"major": 9}, "x": "%s"}'):format(image.digest))
  refused "other"
  assert(fs.remove(state:record("other")))
  removal.image(world, state, image.digest)
  equal({ fs.lstat(image.path) == nil, #store.list(world, state) }, { true, 0 })
end)

test("where a record cannot be read nothing is removed", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), {})
  assert(fs.mkdir_all(state:record("lab"))) -- a directory: EISDIR
  failure(removal.image, world, state, image.digest)
  ok(fs.stat(image.path))
end)

test("who removes waits for who writes a record, and sees what that one came to use", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), {})
  local held, waits, problem = store.lock(world, state), task.event(), nil
  task.scope(function(scope)
    scope:spawn("remove", function()
      problem = failure(removal.image, world, state, image.digest, { on_wait = function() waits:fire() end })
    end)
    waits:wait()
    files.write(state:record("lab"), ('{"x": "%s"}'):format(image.digest))
    held:release()
  end)
  equal({ problem.code, fs.stat(image.path) ~= nil }, { "EINUSE", true })
end)

test("up holds the store while it writes a record that names images, and sees what was removed before", function()
  local world, state = new_store()
  local image = store.add(world, state, image_file(), {})
  local context = { world = world, state = state, options = {} }
  local function hold(digest, is_new)
    local intent = { spec = { image = { digest = digest, name = "debian:12" } } }
    return use.hold(context, { ["web-0"] = intent }, function() return is_new end)
  end
  local function is_free()
    local taken <close> = lock.try(world, state:images_lock())
    return taken ~= nil
  end
  local held = hold(image.digest, true)
  equal(is_free(), false)
  held:release()
  equal(use.hold(context, { ["web-0"] = { spec = { image = { path = "/a" } } } }, function() return true end), nil)
  removal.image(world, state, image.digest)
  local problem = failure(hold, image.digest, true)
  equal({ problem.code, is_free() }, { "ENOIMAGE", true })
  ok(problem.message:find("was removed by another command", 1, true), problem.message)
  hold(image.digest, false):release() -- a disk that is there is no reason: its machine tells when it starts
end)

-- -- many at once -----------------------------------------------------------------------------------------------------

test("many that add one image make one", function()
  local world, state = new_store()
  local file = image_file()
  local images = task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, 8, function() return store.add(world, state, file, {}) end)
  for _, image in ipairs(images) do equal(image.digest, digest_of(file)) end
  equal(#files.below(state:images() .. "/sha256", "%.qcow2$"), 1)
  equal(names_below(state:images() .. "/incoming"), {})
end)

test("copies that killed commands have left go when they are old", function()
  local world, state = new_store()
  intake.prepare(world, state)
  local incoming = state:images() .. "/incoming/"
  for _, name in ipairs { "0123456789abcdef", ".0123456789abcdef.tmp", "young" } do files.write(incoming .. name, "x") end
  for _, name in ipairs { "0123456789abcdef", ".0123456789abcdef.tmp" } do
    equal(run_tool({ "touch", "-d", "61 minutes ago", incoming .. name }).status, 0)
  end
  store.add(world, state, image_file(), {})
  equal(names_below(state:images() .. "/incoming"), { "young" })
end)

test("a file on the same device that cannot be renamed into the store is copied, and can be written to when that fails", function()
  local world, state = new_store()
  local file = image_file()
  local digest = digest_of(file)
  local is_full = true
  world.fs = setmetatable({
    rename = function(from, to, options)
      if from == file then return nil, "EXDEV", "EXDEV" end
      return fs.rename(from, to, options)
    end,
    copy_part = function(...)
      if is_full then return nil, "ENOSPC", "ENOSPC" end
      return fs.copy_part(...)
    end,
  }, { __index = fs })
  failure(store.add, world, state, file, { move = true })
  equal({ fs.stat(file).mode, #store.list(world, state) }, { tonumber("600", 8), 0 })
  equal(names_below(state:images() .. "/incoming"), {})
  is_full = false
  local image = store.add(world, state, file, { move = true })
  equal({ digest_of(image.path), fs.stat(image.path).mode, fs.lstat(file) == nil }, { digest, tonumber("400", 8), true })
  equal(names_below(state:images() .. "/incoming"), {})
end)
