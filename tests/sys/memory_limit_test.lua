--- run/memory: the least of what the host has and what control groups leave; judged by the kernel where it lets us.

local fs = require "sys.fs"
local host = require "sys.host"
local memory = require "holos.run.memory"
local proc = require "sys.proc"

local GIB, MIB = 1 << 30, 1 << 20

--- A host with 8 GiB, of which 6 are available, and these files.
local function world_with(files)
  return { fs = { read = function(path) return files[path] end },
    host = { memory = function() return { total_bytes = 8 * GIB, available_bytes = 6 * GIB } end } }
end

test("memory: without a control group, or without a limit, it is the host's", function()
  local all = { total_bytes = 8 * GIB, available_bytes = 6 * GIB }
  equal(memory.look(world_with {}), all)
  equal(memory.look(world_with { ["/proc/self/cgroup"] = "0::/\n" }), all)
  equal(memory.look(world_with { ["/proc/self/cgroup"] = "0::/a\n", ["/sys/fs/cgroup/a/memory.max"] = "max\n" }), all)
  equal(memory.look(world_with { ["/proc/self/cgroup"] = "4:memory:/a\n0::/\n",
    ["/sys/fs/cgroup/memory/a/memory.limit_in_bytes"] = "9223372036854771712\n" }), all)
end)

test("memory: version 2: the least of all groups above us; what is cached can be had", function()
  local found = memory.look(world_with { ["/proc/self/cgroup"] = "0::/user.slice/a.scope\n",
    ["/sys/fs/cgroup/user.slice/a.scope/memory.max"] = "max\n",
    ["/sys/fs/cgroup/user.slice/memory.max"] = tostring(2 * GIB) .. "\n",
    ["/sys/fs/cgroup/user.slice/memory.current"] = tostring(GIB) .. "\n",
    ["/sys/fs/cgroup/user.slice/memory.stat"] = ("anon 5\ninactive_file %d\nactive_file %d\n"):format(256 * MIB, 256 * MIB) })
  equal(found, { total_bytes = 2 * GIB, available_bytes = 2 * GIB - 512 * MIB, group = "/sys/fs/cgroup/user.slice" })
end)

test("memory: in a container the mount itself is our group", function()
  local found = memory.look(world_with { ["/proc/self/cgroup"] = "9:cpu,cpuacct:/docker/x\n8:memory,other:/docker/x\n",
    ["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = tostring(GIB) .. "\n",
    ["/sys/fs/cgroup/memory/memory.usage_in_bytes"] = tostring(2 * GIB) .. "\n" })
  equal(found, { total_bytes = GIB, available_bytes = 0, group = "/sys/fs/cgroup/memory" })
end)

test("memory: a limit that the kernel enforces is seen by doctor", function()
  local is_second = fs.stat("/sys/fs/cgroup/cgroup.controllers") ~= nil
  local base = is_second and "/sys/fs/cgroup" or "/sys/fs/cgroup/memory"
  local group = ("%s/holos-test-%d"):format(base, proc.self().pid)
  if not fs.mkdir_all(group, 493) then skip "no control group can be made here" end
  local _removed <close> = setmetatable({}, { __close = function() fs.remove(group) end })
  local limit = run_tool { "sh", "-c", 'echo 300M >"$0"', group .. (is_second and "/memory.max" or "/memory.limit_in_bytes") }
  if limit.status ~= 0 then skip("this control group limits no memory: " .. limit.stderr) end
  local result = run_tool { "sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', group, host.executable(), "--state-dir",
    tmpdir(), "doctor" }
  ok(result.stdout:find(("free of 300 MiB (limited by %s)"):format(group), 1, true), result.stdout .. result.stderr)
end)
