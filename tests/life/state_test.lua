-- holos state check: what is damaged, missing, left over or open to others is said with its cure, and nothing is changed.
-- holos state backup: what is not a disk, in a copy that can be put back.
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local stack_ = require "tests.support.stack"
local tool = require "tests.support.tool"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 2s, secrets: [token]}
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, ports: ["0:80"]}
volumes: {data: {size: 64M}}
secrets: {token: {file: ./token}}
]]

local function started()
  local stack = stack_.on_fake(YAML)
  files.write(stack.directory .. "/token", "geheim")
  stack:expect { "up" }
  return stack
end

-- Every file of a state directory with its text; what supervisors write meanwhile is left out.
local function picture(directory)
  local all = {}
  for _, file in ipairs(files.below(directory, "")) do
    local name = file:sub(#directory + 2)
    if not name:find("^supervisors/") and not name:find("^events/") and not name:find("^instances/.*%.log$") then
      all[name] = files.read(file)
    end
  end
  return all
end

--- What check says, which must name `where` and `cure`.
local function require_found(stack, where, what, cure)
  local checked = stack:expect({ "state", "check", "pair" }, 1)
  for _, wanted in ipairs { where, what, cure } do
    ok(checked.stdout:find(wanted, 1, true), wanted .. "\n" .. checked.stdout .. checked.stderr)
  end
end

test("all is well after up, stop, start and down; what runs meanwhile is not touched", function()
  local stack <close> = started()
  for _, words in ipairs { { "stop" }, { "start" }, { "up" } } do
    stack:expect(words)
    local checked = stack:expect { "state", "check" }
    ok(checked.stderr:find("1 projects, 2 instances, 1 volumes: all is well", 1, true), checked.stdout .. checked.stderr)
  end
  equal(stack:expect({ "state", "check", "--format", "json" }).stdout, "")
  stack:expect { "down" }
  stack:expect { "state", "check" }
  local unknown = stack:expect({ "state", "check", "pari" }, 1)
  ok(unknown.stderr:find('did you mean "pair"?', 1, true), unknown.stderr)
end)

test("projects side by side have the same subnet, and nothing is wrong with that", function()
  local stack <close> = started()
  stack:expect { "-p", "twin", "up", "--no-start" }
  local checked = stack:expect { "state", "check" }
  ok(checked.stderr:find("2 projects, 4 instances, 2 volumes: all is well", 1, true), checked.stdout .. checked.stderr)
end)

-- what is done to the state directory; what is to be said
local WRONG = {
  { "a damaged record", function(state) files.write(state .. "/projects/pair.json", "{") end, "projects/pair.json",
    "the record is damaged", "put a copy back" },
  { "a lost record", function(state) assert(fs.remove(state .. "/projects/pair.json")) end, "instances/pair/db-0",
    "no record leads to the disk in it", "put the record back" },
  { "a lost disk", function(state) assert(fs.remove(state .. "/instances/pair/web-0/root.qcow2")) end, "web-0/root.qcow2",
    "the root disk of web-0 is gone", "--recreate=web-0" },
  { "a disk that is none", function(state) files.write(state .. "/instances/pair/web-0/root.qcow2", "x") end,
    "web-0/root.qcow2", "no disk that can be used", "put a copy of it back" },
  { "a lost base", function(_, stack) assert(fs.remove(stack.directory .. "/image.qcow2")) end, "db-0/root.qcow2",
    "the image that it rests on is gone", "put that image back" },
  { "a lost volume", function(state) assert(fs.remove(state .. "/volumes/pair/data.qcow2")) end, "volumes/pair/data.qcow2",
    "the volume data is gone", "holos trash ls pair" },
  { "a stray volume", function(state)
    assert(fs.copy(state .. "/volumes/pair/data.qcow2", state .. "/volumes/pair/other.qcow2", { mode = 384 }))
  end, "volumes/pair/other.qcow2", "no record knows this volume", "move it away" },
  { "a damaged runtime", function(state) files.write(state .. "/instances/pair/db-0/runtime.json", "{}") end,
    "db-0/runtime.json", "whether db-0 runs cannot be told", "look for its QEMU" },
  { "a lost private key", function(state) assert(fs.remove(state .. "/ssh/pair/id_ecdsa")) end, "ssh/pair/id_ecdsa",
    "the private key is gone", "put it back from a copy" },
  { "a key that others can read", function(state) assert(fs.chmod(state .. "/ssh/pair/id_ecdsa", 420)) end,
    "ssh/pair/id_ecdsa", "others can read or change it (mode 644)", "chmod 600 " },
  { "a directory that others can write to", function(state) assert(fs.chmod(state .. "/volumes/pair", 511)) end,
    "volumes/pair", "others can change it (mode 777)", "chmod 755 " },
  { "a lost secret", function(state)
    for _, file in ipairs(files.below(state .. "/projects/pair/secrets", "/[0-9a-f]+$")) do assert(fs.remove(file)) end
  end, "projects/pair/secrets", "the copy of secret token is gone", "holos up" },
  { "a removal that was cut off", function(state)
    files.edit_json(state .. "/projects/pair.json", function(record) record.instances["web-0"].desired = "removed" end)
  end, "instances/pair/web-0", "was about to be removed", "holos down -p pair" },
  { "a write that was cut off", function(state)
    files.write(state .. "/projects/.0123456789abcdef.tmp", "{")
    equal(tool.run({ "touch", "-d", "2001-01-01", state .. "/projects/.0123456789abcdef.tmp" }).status, 0)
  end, ".0123456789abcdef.tmp", "left over", "removes it" },
}

test("each thing that is wrong is told with its place and its cure, and nothing is changed", function()
  local stack <close> = started()
  stack:expect { "stop" }
  local kept, image = stack.directory .. "/kept", stack.directory .. "/image.qcow2"
  for _, path in ipairs { stack.state, image } do
    equal(tool.run({ "cp", "-a", path, kept .. path:match("/[^/]+$"):gsub("/", "-") }).status, 0)
  end
  for _, case in ipairs(WRONG) do
    case[2](stack.state, stack)
    local before = picture(stack.state)
    require_found(stack, case[3], case[4], case[5])
    equal(picture(stack.state), before, case[1])
    equal(tool.run({ "rm", "-rf", stack.state }).status, 0)
    equal(tool.run({ "cp", "-a", kept .. "-state", stack.state }).status, 0)
    equal(tool.run({ "cp", "-a", kept .. "-image.qcow2", image }).status, 0)
  end
  stack:expect { "state", "check" }
end)

test("what two projects have leased is told", function()
  local stack <close> = started()
  local pair = stack.state .. "/projects/pair.json"
  files.edit_json(pair, function(record)
    record.name = "twin"
    for _, entry in pairs(record.instances) do entry.spec.project, entry.disk_made, entry.spec.secrets = "twin", nil, nil end
    record.volumes = {}
    assert(fs.write_atomic(stack.state .. "/projects/twin.json", json.encode(record, {}), { mode = 384 }))
    record.name = "pair"
    for _, entry in pairs(record.instances) do entry.spec.project = "pair" end
  end)
  local checked = stack:expect({ "state", "check" }, 1)
  for _, wanted in ipairs { "multicast group 239.", "leased by pair and twin", "leased by pair/web-0 and twin/web-0" } do
    ok(checked.stdout:find(wanted, 1, true), checked.stdout)
  end
  assert(fs.remove(stack.state .. "/projects/twin.json"))
end)

test("a backup holds records, keys and secrets for nobody else, no disks; put back, it serves", function()
  local stack <close> = started()
  local copy = stack.directory .. "/copy"
  stack:expect { "state", "backup", copy }
  local names = {}
  for _, file in ipairs(files.below(copy, "")) do
    names[file:sub(#copy + 2)] = true
    equal(fs.stat(file).mode & 511, 384, file)
    ok(not file:find("qcow2", 1, true), file)
  end
  equal(fs.stat(copy).mode & 511, 448)
  ok(names["projects/pair.json"] and names["ssh/pair/id_ecdsa"] and names["ssh/pair/host-db-0"])
  local again = stack:expect({ "state", "backup", copy }, 1)
  ok(again.stderr:find("exists; nothing was written", 1, true), again.stderr)
  stack:expect({ "state", "backup" }, 64)

  stack:expect { "stop" }
  for _, lost in ipairs { "/projects", "/ssh" } do equal(tool.run({ "rm", "-rf", stack.state .. lost }).status, 0) end
  equal(tool.run({ "cp", "-a", copy .. "/.", stack.state }).status, 0)
  stack:expect { "state", "check" }
  stack:expect { "start" }
  equal(#stack:pids(), 2)
end)

test("a backup that ends in .tar is an archive that tar reads, for nobody else", function()
  local stack <close> = started()
  local archive, copy = stack.directory .. "/copy.tar", stack.directory .. "/copy"
  stack:expect { "state", "backup", archive }
  equal(fs.stat(archive).mode & 511, 384)
  stack:expect({ "state", "backup", archive }, 1)
  stack:expect { "state", "backup", copy }
  assert(fs.mkdir_all(stack.directory .. "/unpacked", 448))
  local unpacked = tool.run({ "tar", "-xpf", archive, "-C", stack.directory .. "/unpacked" })
  equal({ unpacked.status, unpacked.stderr }, { 0, "" })
  equal(picture(stack.directory .. "/unpacked"), picture(copy))
  for _, file in ipairs(files.below(stack.directory .. "/unpacked", "")) do equal(fs.stat(file).mode & 511, 384, file) end
end)

test("a backup waits for nobody whom it need not wait for, and takes no lock that is held", function()
  local stack <close> = started()
  local lock = require "sys.lock"
  local held <close> = assert(lock.open(stack.state .. "/locks/pair.lock"))
  ok(held:try_take())
  stack:expect { "state", "check" }
  stack:expect({ "state", "backup", "--no-wait", stack.directory .. "/copy" }, 5)
  equal(fs.stat(stack.directory .. "/copy"), nil)
end)
