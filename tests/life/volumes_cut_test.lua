-- Copies of volumes that are cut off: nothing that was there is touched, nothing half stays under a name, no QEMU goes on.
local files = require "tests.support.files"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local proc = require "sys.proc"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local YAML = [[
name: shop
services: {db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"]}}
volumes: {data: {size: 64M}}
]]

-- A volume with something in it, and ./out.qcow2, a good file.
local function stack_of()
  local stack = stack_.new { yaml = YAML }
  assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  stack:expect { "up", "--no-start" }
  equal(run_tool({ "qemu-io", "-c", "write -P 5 0 32M", stack.state .. "/volumes/shop/data.qcow2" }).status, 0)
  files.write(stack.directory .. "/out.qcow2", "a good file")
  return stack
end

local function entries(directory, pattern)
  local names = {}
  for _, entry in ipairs(fs.list(directory)) do
    if entry.name:find(pattern) then names[#names + 1] = entry.name end
  end
  return names
end

local EXPORT = { "volumes", "export", "data", "out.qcow2", "--force", "--limit-rate", "1M" }
local CLONE = { "volumes", "clone", "data", "data-2", "--limit-rate", "1M" }

-- A command that copies, and the QEMU that does it, once that is at work.
local function started(stack, words)
  local child = stack:spawn(words)
  local qemu
  stack:eventually("QEMU copies", function()
    local pid = (files.read(("/proc/%d/task/%d/children"):format(child.pid, child.pid)) or ""):match("%d+")
    local process = pid and (files.read("/proc/" .. pid .. "/comm") or ""):find("^qemu") and proc.identity(tonumber(pid) // 1)
    qemu = process and proc.open(tonumber(pid) // 1, process.start_time)
    return qemu ~= nil and #entries(stack.directory, "%.part$") + #entries(stack.state .. "/volumes/shop", "%.tmp$") > 0
  end)
  return child, qemu
end

local function ended(child)
  return task.within(30000, io_wait.await, child, "try_wait")
end

local function is_as_before(stack)
  equal(files.read(stack.directory .. "/out.qcow2"), "a good file")
  equal(entries(stack.state .. "/volumes/shop", "^[^.]"), { "data.qcow2" })
  local data = run_tool { "qemu-io", "-c", "read -P 5 0 32M", stack.state .. "/volumes/shop/data.qcow2" }
  ok(data.status == 0 and not data.stdout:find("verification failed", 1, true), data.stdout)
end

for name, words in pairs { export = EXPORT, clone = CLONE } do
  test(name .. " and Ctrl-C: it ends at once, with its QEMU and its file", function()
    local stack <close> = stack_of()
    local child <close>, qemu = started(stack, words)
    local _qemu <close> = qemu
    local process <close> = proc.open(child.pid, child.start_time)
    process:signal("INT")
    equal(ended(child), { exit = 130 })
    task.within(20000, task.wait, { process = qemu })
    equal(entries(stack.directory, "%.part$"), {})
    equal(entries(stack.state .. "/volumes/shop", "%.tmp$"), {})
    is_as_before(stack)
    equal(stack:expect({ "volumes", "ls", "-q" }).stdout, "data\n")
  end)

  test(name .. " is killed: its QEMU ends with it, and the next one does it all", function()
    local stack <close> = stack_of()
    local child <close>, qemu = started(stack, words)
    local _qemu <close> = qemu
    child:kill()
    ended(child)
    task.within(20000, task.wait, { process = qemu })
    is_as_before(stack)
    equal(stack:expect({ "volumes", "ls", "-q" }).stdout, "data\n")
    stack:expect { table.unpack(words, 1, #words - 2) }
    local copy = name == "export" and stack.directory .. "/out.qcow2" or stack.state .. "/volumes/shop/data-2.qcow2"
    equal(run_tool({ "qemu-img", "compare", "-q", copy, stack.state .. "/volumes/shop/data.qcow2" }).status, 0)
  end)
end

-- QEMU alone uses the first two calls while a raw disk is written; the last error is in the words of our C library.
for fault, wanted in pairs { ["pwrite64,pwritev:error=ENOSPC"] = "No space left on device", ["pwrite64,pwritev:error=EIO:when=3"] =
  "Input/output error", ["fsync:error=EIO"] = "I[nput]*/[oO][utput]* error" } do
  test("an export to a disk that fails (" .. fault .. "): that is said, and the good file stays", function()
    if not tool.find "strace" then skip "strace is not installed" end
    local stack <close> = stack_of()
    local result = tool.run({ "strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=" .. fault,
      require("sys.host").executable(), "volumes", "export", "data", "out.qcow2", "--force", "--disk-format", "raw" },
      { directory = stack.directory, env = stack:environment(), timeout_ms = 60000 })
    equal(result.status, 1)
    ok(result.stderr:find(wanted), result.stderr)
    equal(entries(stack.directory, "%.part$"), {})
    is_as_before(stack)
  end)
end
