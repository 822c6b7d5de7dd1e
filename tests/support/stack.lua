--- A project in a directory of its own with a state directory of its own, driven through the real command line.

local err = require "holos.core.err"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local qcow2 = require "sys.qcow2"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local M = {}

local Stack = {}
Stack.__index = Stack

local HOLOS = require("sys.host").executable()
local DOWN_TIMEOUT_MS = 120000

local made = {}

--- The VMs of all stacks that were made, as {["pid in directory"] = true}.
function M.running()
  local found = {}
  for stack in pairs(made) do
    local pids = stack:pids()
    if #pids == 0 then made[stack] = nil end
    for _, pid in ipairs(pids) do found[("%d in %s"):format(pid, stack.directory)] = true end
  end
  return found
end

--- A stack from compose text; it is taken down (or killed) when its scope is left.
---@param options {yaml: string, qemu: string?, image: string?, env: string[]?, in_memory: boolean?}
---        `IMAGE` in the text becomes the image's path
function M.new(options)
  local directory = options.in_memory and files.tmpdir_in_memory() or tmpdir()
  local stack = setmetatable({ directory = directory, state = directory .. "/state", env = options.env or {} }, Stack)
  stack.qemu, stack.image = options.qemu, options.image
  stack:write(options.yaml)
  made[stack] = true
  return stack
end

--- A stack whose VMs are the stand-in for QEMU; ./image.qcow2 is there.
---@param settings string[]?  of the stand-in
---@param options table?       as of `new`
function M.on_fake(yaml, settings, options)
  local stack = M.new { yaml = yaml, in_memory = options and options.in_memory }
  stack.qemu = fake_qemu.install(settings)
  assert(qcow2.create(stack.directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  return stack
end

--- Rewrites holos.yaml.
function Stack:write(yaml)
  files.write(self.directory .. "/holos.yaml", (yaml:gsub("IMAGE", self.image or "image.qcow2")))
end

function Stack:environment()
  local list = { "HOLOS_STATE_DIR=" .. self.state, "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") }
  if list[2] == "HOLOS_LUA_PATH=" or table.concat(self.env, "\n"):find("HOLOS_LUA_PATH=", 1, true) then list[2] = nil end
  if self.qemu then list[#list + 1] = "HOLOS_QEMU_SYSTEM=" .. self.qemu end
  for _, setting in ipairs(self.env) do list[#list + 1] = setting end
  return list
end

--- Runs holos in the stack's directory.
---@return {status: integer?, signal: string?, stdout: string, stderr: string}
function Stack:run(words, options)
  options = options or {}
  return tool.run({ HOLOS, table.unpack(words) }, { directory = self.directory, env = self:environment(),
    stdin = options.stdin, timeout_ms = options.timeout_ms or 300000 })
end

--- Starts holos in the stack's directory and does not wait for it; nothing of its output is kept.
---@param streams table?  descriptors: stdout, stderr
---@return table child  of sys.launch, to be closed
function Stack:spawn(words, streams)
  local env = self:environment()
  env[#env + 1] = "PATH=/usr/bin:/bin"
  local child = assert(require("sys.launch").prepare { program = HOLOS, argv = words, env = env, directory = self.directory,
    stdout = streams and streams.stdout, stderr = streams and streams.stderr, session = true })
  assert(child:go())
  return child
end

--- As run; the test fails when the status is not `wanted` (0 unless given).
function Stack:expect(words, wanted, options)
  local result = self:run(words, options)
  if result.status ~= (wanted or 0) then
    error(("holos %s: status %s, wanted %d\n%s%s"):format(table.concat(words, " "), result.status or result.signal,
      wanted or 0, result.stdout, result.stderr), 2)
  end
  return result
end

--- What a guest's command wrote to stderr: without our own line, which comes first when a busy guest is slow to answer.
function M.stderr_of(result)
  return (result.stderr:gsub("^waiting for [^\n]*\n", ""))
end

--- The rows of `ps` by instance.
function Stack:ps()
  local rows, json = {}, require "sys.json"
  for line in self:expect({ "ps", "--format", "json" }).stdout:gmatch("[^\n]+") do
    local row = assert(json.decode(line, {}))
    rows[row.name] = row
  end
  return rows
end

--- The pids that the state directory names as alive: QEMU and shares.
function Stack:pids()
  local pids, fs, json, proc = {}, require "sys.fs", require "sys.json", require "sys.proc"
  for _, project in ipairs(fs.list(self.state .. "/instances") or {}) do
    for _, instance in ipairs(fs.list(("%s/instances/%s"):format(self.state, project.name)) or {}) do
      local file = ("%s/instances/%s/%s/runtime.json"):format(self.state, project.name, instance.name)
      local text = fs.read(file, { max_bytes = 32 << 20 })
      local runtime = text and json.decode(text, {}) or {}
      if runtime.boot_id ~= proc.boot_id() then runtime = {} end
      for _, item in ipairs { runtime, table.unpack(runtime.shares or {}) } do
        local process = item.pid and proc.open(item.pid, item.start_time)
        if process then
          pids[#pids + 1] = item.pid
          process:close()
        end
      end
    end
  end
  return pids
end

--- The pids of supervisors that hold the lock of a project.
function Stack:supervisors()
  local pids, fs, lock = {}, require "sys.fs", require "sys.lock"
  for _, entry in ipairs(fs.list(self.state .. "/locks") or {}) do
    if entry.name:find("%.supervisor$") then
      local held <close> = assert(lock.open(self.state .. "/locks/" .. entry.name))
      if not held:try_take() then pids[#pids + 1] = math.tointeger(tonumber(held:read_owner():match("pid (%d+)"))) end
    end
  end
  return pids
end

--- Waits until `done()` is true, looking often; fails when it takes too long.
function Stack.eventually(_, what, done, timeout_ms)
  local ok_, problem = pcall(task.within, timeout_ms or 20000, function()
    while not done() do task.wait { at_ms = task.now_ms() + 20 } end
  end)
  if ok_ then return end
  if not err.is(problem, "ETIMEDOUT") then error(problem, 0) end
  error(("%s: %s"):format(what, tostring(problem)), 2)
end

-- Nothing is to run any more, so every supervisor ends by itself.
local function await_supervisors(stack)
  local ended = pcall(stack.eventually, stack, "supervisors end", function() return #stack:supervisors() == 0 end)
  if ended then return end
  local left = stack:supervisors()
  for _, pid in ipairs(left) do
    local process <close> = require("sys.proc").open(pid, require("sys.proc").identity(pid).start_time)
    if process then process:signal("KILL") task.wait { process = process } end
  end
  error(("%d supervisors did not end by themselves"):format(#left), 0)
end

--- Takes everything down; what does not go is killed, so that no test leaves a process.
function Stack:close()
  if #self:pids() == 0 and #self:supervisors() == 0 then return end
  task.shield(DOWN_TIMEOUT_MS, function()
    pcall(self.run, self, { "down", "--purge", "--volumes", "--timeout", "2s" })
    local proc = require "sys.proc"
    for _, pid in ipairs(self:pids()) do
      local identity = proc.identity(pid)
      local process = identity and proc.open(pid, identity.start_time)
      if process then
        process:signal("KILL")
        task.wait { process = process }
        process:close()
      end
    end
    await_supervisors(self)
  end)
end
Stack.__close = Stack.close

-- Where tests/vm/image keeps images when a person calls it: tools that tests run have no home directory.
local function image_cache()
  local cache = files.environment("XDG_CACHE_HOME") or files.environment("HOME") .. "/.cache"
  return files.environment("HOLOS_TEST_CACHE") or cache .. "/holos/test-images"
end

--- The path of a test image, built when it is not cached; skips with the reason where it cannot be built.
function M.image(kind)
  local result = tool.run({ files.directory .. "/vm/image", kind }, { timeout_ms = 1800000,
    env = { "HOLOS_TEST_CACHE=" .. image_cache() } })
  if result.status ~= 0 then skip(("the %s image cannot be built here: %s"):format(kind, result.stderr:match("[^\n]*\n?$"))) end
  return (result.stdout:match("([^\n]+)%s*$"))
end

return M
