--- What validate says of a project: every effect on a host that exists in words only.

local capacity = require "holos.plan.capacity"
local compose = require "tests.support.compose"
local effects = require "holos.plan.effects"
local files = require "tests.support.files"
local hash = require "sys.hash"
local instance = require "holos.plan.instance"
local made = require "tests.support.project"
local network = require "holos.plan.network"
local summary = require "holos.plan.summary"
local tables = require "holos.core.table"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local TEXT = files.read(files.directory .. "/golden/validate/rich.yaml")
local DIRECTORY = "/state/instances/shop"

-- `missing` paths are not there.
local function exists(path) return not path:find("missing", 1, true) end

local function facts_of(project, changes)
  local images = {}
  for _, service in pairs(project.services) do
    images[service.image.path] = { size_bytes = 1 << 30 }
  end
  local leases = network.leases(project, instance.list(project, made.record()), made.record(), made.facts())
  return tables.merge({ reads = { { path = compose.DIRECTORY .. "/holos.yaml", why = "compose file" } }, images = images,
    scripts = { compose.DIRECTORY .. "/holos.lua" }, leases = leases, record = made.record(), volumes = {}, uid = 1000,
    sha256 = hash.sha256, exists = exists, directory = DIRECTORY }, changes or {})
end

local function result_of(changes, host)
  local project = compose.load(TEXT, { environment = { HOME = "/home/anna", PIN = "1" } })
  local facts = facts_of(project, changes)
  local wanted = capacity.of(project, instance.list(project, facts.record), effects.new_disks(project, facts), tables.merge({
    running = {}, memory = { available_bytes = 32 << 30, total_bytes = 64 << 30 }, free_bytes = 1 << 40, directory = "/state",
    cpu_count = 8 }, host or {}))
  return { project = project.name, directory = project.directory, services = summary.services(project),
    effects = effects.of(project, facts), capacity = wanted }
end

local function text_of(result) return table.concat(summary.lines(result), "\n") .. "\n" end

test("a project that nothing was made of yet", function() golden("validate/rich.txt", text_of(result_of())) end)

test("root's rights, a host that has too little, disks that are there", function()
  local known = { ["hidden-0"] = { spec = { service = "hidden", index = 0 }, disk_made = true } }
  golden("validate/small.txt", text_of(result_of({ uid = 0, volumes = { old = { size_bytes = 1 } },
    record = { instances = known } }, { running = { ["hidden-0"] = true }, free_bytes = 1 << 30, cpu_count = 2,
    memory = { available_bytes = 1 << 30, total_bytes = 2 << 30, group = "/sys/fs/cgroup/box" } })))
end)

-- Everything of the file that names something of the host.
test("no path, port or secret of the file is left out", function()
  local seen = {}
  for _, effect in ipairs(result_of().effects) do seen[effect.verb .. " " .. effect.what] = effect end
  local here = compose.DIRECTORY .. "/"
  for _, path in ipairs { "holos.yaml", "app.raw", "tiny.qcow2", "vmlinuz.bin", "initrd.img", "tools.iso", "nginx.conf",
    "key.pem" } do
    ok(seen["reads " .. here .. path], path)
  end
  for _, what in ipairs { "reads $PIN", "shares " .. here .. "www", "shares " .. here .. "missing-yet",
    "makes " .. here .. "missing-yet", "keeps " .. DIRECTORY, "creates root disk, 20 GiB",
    "creates root disk, 5 GiB", "creates volume data, 5 GiB", "creates volume at /srv/scratch, 10 GiB",
    "listens 127.0.0.1:8086/tcp", "listens 127.0.0.1:any/tcp", "listens 0.0.0.0:8000-8010/udp", "lets in 10.0.2.2",
    "passes -no-hpet", "opens all paths", "runs QEMU", "runs virtiofsd", "runs holos supervise shop",
    "opens /opt/rom", "ignores " .. here .. "holos.lua" } do
    ok(seen[what], what)
  end
  equal(seen["makes " .. here .. "www"], nil)
  equal(seen["runs QEMU as root"], nil)
  equal(seen["lets in 10.0.2.2"].users, { "app", "careful" })
  equal(#seen["creates root disk, 20 GiB"].users, 8)
end)
