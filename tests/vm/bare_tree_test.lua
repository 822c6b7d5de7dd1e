-- A real guest where there is nothing but holos, QEMU, its libraries and firmware, on a read-only file system; and which
-- programs are started in its whole life.
local bare_tree = require "tests.support.bare_tree"
local fs = require "sys.fs"
local host = require "sys.host"
local stack_ = require "tests.support.stack"
local tool = require "tests.support.tool"

local YAML = [[
name: bare
services:
  vm: {image: ./image.qcow2, image_os: plain, vm: {memory_mb: 256}, volumes: ["data:/data"], stop_grace_period: 20s}
volumes: {data: {size: 64M}}
]]
local TRACE_BYTES = 1 << 20

-- How often each program was started, or tried.
local function starts_in(trace)
  local starts = {}
  for program in assert(fs.read(trace, { max_bytes = TRACE_BYTES })):gmatch('execve%("([^"]*)"') do
    starts[program] = (starts[program] or 0) + 1
  end
  return starts
end

test("up, ps, exec, down of a real guest in a bare read-only tree start QEMU and nothing else", function()
  local qemu = tool.find("qemu-system-x86_64") or skip("no qemu-system-x86_64 here")
  local tree <close> = bare_tree.new { yaml = YAML }
  tree:add_real_qemu(qemu)
  assert(fs.copy(stack_.image("tiny"), tree.directory .. "/image.qcow2", { mode = tonumber("644", 8) }))
  local trace = tree.directory .. "/../trace"
  local who = host.uid() == 0 and "root" or "user"
  local result = tree:run(who, { { "up" }, { "ps" },
    { "exec", "vm", "--", "sh", "-c", "echo $((6 * 7)) > /data/x; cat /data/x; grep -c /data /proc/mounts" }, { "down" } },
    { trace = trace, timeout_ms = 300000 })
  equal(result.status, 0, result.stderr)
  -- On a busy machine a monitor has not always answered when ps has waited long enough, which it says.
  ok(result.stdout:find "provisioned, [^\n]*up %d" and result.stdout:find("\n42\n1\n", 1, true), result.stdout)
  equal(#tree:qemus(), 0)
  -- Once a shell, four times what goes into the tree; QEMU once more to ask what it can do. holos is also its supervisor, of
  -- which ps starts another that ends at once when it comes before the first has its lock.
  local starts = starts_in(trace)
  ok(starts["/holos"] == 5 or starts["/holos"] == 6, starts["/holos"])
  starts["/holos"] = 4
  equal(starts, { [tool.find "sh"] = 1, [tool.find "env"] = 4, [tool.find(who == "root" and "chroot" or "unshare")] = 4,
    ["/holos"] = 4, [bare_tree.QEMU] = 2 })
end, { timeout_ms = 400000 })
