-- holos where there is nothing but holos and QEMU, on a read-only file system, as root and as an ordinary user.
local bare_tree = require "tests.support.bare_tree"
local fake_qemu = require "tests.support.fake_qemu"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"

local YAML = [[
name: bare
services:
  vm: {image: ./image.qcow2, image_os: plain, replicas: 2, volumes: ["data:/data:ro"], ports: ["0:80"], stop_grace_period: 2s}
volumes: {data: {size: 64M}}
]]

local function tree_with_stand_in()
  local tree = bare_tree.new { yaml = YAML }
  tree:add_program(fake_qemu.install {}, bare_tree.QEMU)
  assert(qcow2.create(tree.directory .. "/image.qcow2", { size_bytes = 1 << 20, mode = tonumber("644", 8) }))
  return tree
end

-- Runs holos with a clock that stands at a time of its own: `holos lua /clock.lua MS WORDS…`.
local CLOCK = [[
local clock, at_ms = require "sys.clock", math.tointeger(tonumber((...)))
clock.utc_ms = function() return at_ms end
return require "holos.main" { [0] = "holos", select(2, ...) }
]]

for _, who in ipairs { "root", "user" } do
  test("a read-only tree with nothing else in it is enough, as " .. who, function()
    local tree <close> = tree_with_stand_in()
    local up = tree:run(who, { { "up" }, { "ps", "--format", "json" } })
    equal(up.status, 0, up.stderr)
    equal(select(2, up.stdout:gsub('"status":%s*"provisioned"', "")), 2, up.stdout)
    equal(#tree:qemus(), 2)
    local rest = tree:run(who, { { "doctor" }, { "stop" }, { "start" }, { "logs" }, { "down" },
      { "trash", "restore", "bare" }, { "start" }, { "down", "--purge", "-v" } })
    equal(rest.status, 0, rest.stderr)
    equal(#tree:qemus(), 0)
    equal(fs.list(tree.state .. "/instances"), {})
  end)
end

test("a clock that stands at 1970, jumps and goes back loses nothing", function()
  local tree <close> = tree_with_stand_in()
  tree:write("/clock.lua", CLOCK)
  local function at(time_ms, ...) return { "lua", "/clock.lua", time_ms, ... } end
  local later = tostring(require("sys.clock").utc_ms() + 24 * 60 * 60 * 1000)
  local result = tree:run("user", { at("0", "up"), at(later, "ps"), at(later, "down"), at("0", "up"), at("0", "down"),
    at(later, "up"), at("1000", "down"), at(later, "trash", "ls") })
  equal(result.status, 0, result.stderr)
  equal(select(2, result.stdout:gsub("\nbare ", "")), 3, result.stdout) -- batches in the trash
  equal(#tree:qemus(), 0)
end)

--- `up` in a tree ends with `status`, says `words`, and starts nothing.
local function refused(tree, status, words, options, ...)
  local result = tree:run("user", { { "up", ... } }, options)
  equal({ result.status, result.stderr:find(words, 1, true) and words or result.stderr }, { status, words })
  equal(#tree:qemus(), 0)
end

test("a KVM that is there and not permitted is an error with its cure; vm.accel: tcg goes without", function()
  local tree <close> = tree_with_stand_in()
  tree:write("/dev/kvm", "")
  assert(fs.chmod(tree.directory .. "/dev/kvm", 0))
  tree:write("/cpuinfo", "processor\t: 0\nflags\t\t: fpu vmx svm\n")
  local options = { cpuinfo = tree.directory .. "/cpuinfo" }
  refused(tree, 1, "/dev/kvm: permission denied", options)
  refused(tree, 1, "usermod -aG kvm", options)
  equal(fs.list(tree.state .. "/instances/bare"), {})
  tree:write("/holos.yaml", (YAML:gsub("image_os: plain", "image_os: plain, vm: {accel: tcg}")))
  equal(tree:run("user", { { "up" }, { "down" } }, options).status, 0)
end)

test("a state directory that is read-only, or cannot be made", function()
  local tree <close> = tree_with_stand_in()
  refused(tree, 1, "Read-only file system", {}, "--state-dir", "/new")
  refused(tree, 1, "state directory: /holos.yaml", {}, "--state-dir", "/holos.yaml/state")
  assert(fs.chmod(tree.state, 320)) -- 0500
  refused(tree, 1, "Permission denied")
end)
