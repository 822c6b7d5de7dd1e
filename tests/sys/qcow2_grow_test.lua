-- Growing disks of all shapes, judged by qemu-img and qemu-io; and every state that a crash while growing can leave.

local qcow2 = require "sys.qcow2"
local host = require "sys.host"
local disks = require "tests.support.disk_images"
local files = require "tests.support.files"
local tool = require "tests.support.tool"

local CASES = disks.is_full and 120 or 12
local CRASH_CASES = disks.is_full and 6 or 2

local function any(list) return list[math.random(#list)] end

-- An image by qemu-img with a pattern at both ends, and how its disk is described.
local function make_image(file, cluster_bytes)
  local size = math.random(4, 2048) * 512
  local options = ("cluster_size=%d,compat=%s,lazy_refcounts=%s"):format(cluster_bytes, "1.1", any { "on", "off" })
  if cluster_bytes >= 16384 and math.random(3) == 1 then options = options .. ",extended_l2=on" end
  if math.random(3) == 1 then options = options .. ",preallocation=metadata" end
  disks.img("create", "-q", "-f", "qcow2", "-o", options, file, tostring(size))
  disks.io(file, "qcow2", ("write -P 21 %d 512"):format(size - 512), "write -P 20 0 512")
  return size
end

local function judge(file, first_size, size)
  disks.check(file)
  equal(disks.facts(file)["virtual-size"], size)
  disks.io(file, "qcow2", "read -P 20 0 512", ("read -P 21 %d 512"):format(first_size - 512),
    ("read -P 0 %d 512"):format(size - 512))
end

local function run_case(number)
  disks.need_tools()
  math.randomseed(disks.seed + number)
  local file = tmpdir() .. "/a"
  local cluster_bytes = 1 << math.random(9, 21)
  local first_size = make_image(file, cluster_bytes)
  local size = first_size
  -- An L1 cluster covers this much; several times of it make the table move.
  local l1_reach = cluster_bytes // 8 * (cluster_bytes // 16) * cluster_bytes
  for _ = 1, 3 do
    local wanted = size + math.random(math.min(l1_reach, 64 * size))
    ok(qcow2.grow(file, wanted))
    size = (wanted + 511) // 512 * 512
    judge(file, first_size, size)
  end
  disks.io(file, "qcow2", ("write -P 9 %d 512"):format(size - 512), ("read -P 9 %d 512"):format(size - 512))
  disks.check(file)
end

for number = 1, CASES do
  test(("random growth %d of seed %d"):format(number, disks.seed), function() run_case(number) end)
end

-- -- crashes ----------------------------------------------------------------------------------------------------------

local GROW_SCRIPT = [[
local file, size = ...
assert(require("sys.qcow2").grow(file, math.tointeger(tonumber(size))))
return 0
]]

local function unescape(text)
  return (text:gsub("\\x(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- A write as strace shows it: glibc and musl use different calls for pwrite.
local function parse_write(line)
  local bytes, at = line:match('pwrite64%(%d+, "(.-)", %d+, (%d+)%)')
  if not bytes then bytes, at = line:match('pwritev2%(%d+, %[{iov_base="(.-)", iov_len=%d+}%], 1, (%d+)') end
  return bytes and { write = unescape(bytes), at = tonumber(at) }
end

-- What growing did to the file, from strace: { { write = bytes, at = }, { length = }, { sync = true }, … }
local function trace(directory, file, size)
  files.write(directory .. "/grow.lua", GROW_SCRIPT)
  local log = directory .. "/strace.log"
  -- A sanitized holos cannot look for leaks while it is traced.
  local result = run_tool({ "strace", "-f", "-xx", "-s", "1000000", "-e", "trace=pwrite64,pwritev2,ftruncate,fdatasync",
    "-o", log, host.executable(), "lua", directory .. "/grow.lua", file, tostring(size) },
    { env = { "ASAN_OPTIONS=detect_leaks=0" } })
  equal(result.status, 0, result.stderr)
  local calls = {}
  for line in files.read(log):gmatch("[^\n]+") do
    local length = line:match("ftruncate%(%d+, (%d+)%)")
    if line:find("= %d+$") then
      calls[#calls + 1] = parse_write(line) or (length and { length = tonumber(length) })
        or (line:find("fdatasync(", 1, true) and { sync = true }) or nil
    end
  end
  return calls
end

local function apply(image, call)
  if call.sync then return image end
  local length = call.length or call.at + #call.write
  if #image < length then image = image .. ("\0"):rep(length - #image) end
  if call.length then return image:sub(1, call.length) end
  return image:sub(1, call.at) .. call.write .. image:sub(call.at + #call.write + 1)
end

-- All images that a power cut can leave: everything flushed before, and of the calls since then any beginning, any one
-- alone, or all but one, as the kernel writes back in any order. Calls visit(image).
local function each_crash(image, calls, visit)
  local pending = {}
  local function some(is_written)
    local state = image
    for index, call in ipairs(pending) do
      if is_written(index) then state = apply(state, call) end
    end
    visit(state)
    return state
  end
  for _, call in ipairs(calls) do
    if call.sync then
      for chosen = 1, #pending do
        some(function(index) return index < chosen end)
        some(function(index) return index == chosen end)
        some(function(index) return index ~= chosen end)
      end
      image, pending = some(function() return true end), {}
    else
      pending[#pending + 1] = call
    end
  end
end

local function run_crash_case(number)
  disks.need_tools()
  if not tool.find "strace" then skip "strace is not installed" end
  math.randomseed(disks.seed + number)
  local directory = tmpdir()
  local file, crashed = directory .. "/a", directory .. "/crashed"
  -- Clusters of 512 bytes: some MiB more move the L1 table and need new refcount blocks.
  local first_size = make_image(file, 512)
  disks.io(file, "qcow2", ("write -P 20 0 %d"):format(first_size - 512))
  local before = files.read(file)
  local calls = trace(directory, file, first_size + (math.random(4, 1500) << 20))
  local seen, states = {}, 0
  each_crash(before, calls, function(image)
    if seen[image] then return end
    seen[image], states = true, states + 1
    files.write(crashed, image)
    disks.check(crashed, "leaks allowed")
    disks.io(crashed, "qcow2", ("read -P 20 0 %d"):format(first_size - 512))
  end)
  ok(states >= 8, "only " .. states .. " different states were seen")
end

for number = 1, CRASH_CASES do
  test(("a crash while growing loses nothing, %d of seed %d"):format(number, disks.seed), function()
    run_crash_case(number)
  end, { timeout_ms = 300000 })
end
