--- A tree that holds holos, QEMU, what QEMU loads, and nothing else: no shell, no /tmp, no /etc, no /sys, no home. It is
--- mounted read-only but for the state directory, in mount namespaces of its own, and holos runs in it by chroot.
local fs = require "sys.fs"
local host = require "sys.host"
local proc = require "sys.proc"
local task = require "holos.core.task"
local text = require "holos.core.text"
local tool = require "tests.support.tool"

local M = {}
M.__index = M

M.QEMU = "/usr/bin/qemu-system-x86_64" -- where a tree has it
local RUNNABLE = tonumber("755", 8)
local STATE = "/var/lib/holos" -- the default for root
local FIRMWARE = { "bios-256k.bin", "kvmvapic.bin" }
local FIRMWARE_PLACES = { "/usr/share/qemu", "/usr/share/seabios", "/usr/share/qemu-kvm" }
-- Accelerators may be modules beside the libraries.
local MODULES = { "/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib64/qemu-kvm", "/usr/lib64/qemu", "/usr/lib/qemu" }
local NO_MOUNTS = 99 -- exit status of the script below

local MOUNT_AND_RUN = [[
tree=$1 state=$2
shift 2
put() { mount "$@" || exit 99; }
put --bind "$tree" "$tree"
for device in null urandom; do put --bind "/dev/$device" "$tree/dev/$device"; done
put --bind "$state" "$tree/var/lib/holos"
put --rbind /proc "$tree/proc"
[ -z "$HOLOS_TEST_CPUINFO" ] || put --bind "$HOLOS_TEST_CPUINFO" "$tree/proc/cpuinfo"
put -o remount,bind,ro "$tree"
exec "$@"
]]

local function copy(from, to)
  assert(fs.mkdir_all(to:match("^(.*)/"), RUNNABLE))
  assert(fs.copy(assert(fs.realpath(from)), to, { mode = RUNNABLE }))
end

--- Copies a program or module and the libraries that it is linked with.
function M:add_program(from, to)
  copy(from, self.directory .. to)
  for library in tool.run({ "ldd", from }).stdout:gmatch("%s(/%S+) %(0x") do
    if not fs.stat(self.directory .. library) then copy(library, self.directory .. library) end
  end
end

function M:write(name, contents)
  assert(fs.mkdir_all(self.directory .. name:match("^(.*)/"), RUNNABLE))
  assert(fs.write_atomic(self.directory .. name, contents, { mode = tonumber("644", 8) }))
end

--- Adds the distribution's QEMU: the program, the module of its emulator, firmware.
function M:add_real_qemu(program)
  self:add_program(program, M.QEMU)
  for _, directory in ipairs(MODULES) do
    local module = directory .. "/accel-tcg-x86_64.so"
    if fs.stat(module) then self:add_program(module, module) end
  end
  for _, name in ipairs(FIRMWARE) do
    for _, directory in ipairs(FIRMWARE_PLACES) do
      if fs.stat(directory .. "/" .. name) then copy(directory .. "/" .. name, self.directory .. "/usr/share/qemu/" .. name) end
    end
  end
end

--- Words that run a program in new namespaces, where `who` may mount; and words that run one inside the tree.
local function ways_in(directory, who)
  if who == "root" then
    return { "unshare", "--mount", "--" }, { "chroot", directory }
  end
  return { "unshare", "--user", "--map-root-user", "--mount", "--" },
    { "unshare", "--user", "--map-user=1000", "--map-group=1000", "--root=" .. directory, "--" }
end

local function script_of(commands, enter, who)
  local lines = { "set -e" }
  local environment = who == "root" and {} or { "HOLOS_STATE_DIR=" .. STATE }
  for _, words in ipairs(commands) do
    local line = { "env", "-i" }
    for _, list in ipairs { environment, enter, { "/holos" }, words } do
      for _, word in ipairs(list) do line[#line + 1] = word end
    end
    line[2 + #environment + 1] = assert(tool.find(enter[1])) -- `env -i` leaves no PATH to search
    for i, word in ipairs(line) do line[i] = text.shell_quote(word) end
    lines[#lines + 1] = table.concat(line, " ")
  end
  return table.concat(lines, "\n")
end

--- Runs holos commands one after the other until one fails. Skips where the namespaces cannot be made.
---@param who "root"|"user"  as which user holos finds itself; "root" only when the tests run as root
---@param commands string[][]  words of each command
---@param options {trace: string?, cpuinfo: string?, timeout_ms: integer?}?  trace: file for the names of all programs that
---  are started; cpuinfo: file that the tree has as /proc/cpuinfo
---@return table result  as run_tool gives it, for all commands together
function M:run(who, commands, options)
  options = options or {}
  if who == "root" and host.uid() ~= 0 then skip("only root becomes root in a tree") end
  local unshare, enter = ways_in(self.directory, who)
  local argv = unshare
  local function add(...) for _, word in ipairs { ... } do argv[#argv + 1] = word end end
  add("sh", "-c", MOUNT_AND_RUN, "sh", self.directory, self.state)
  if options.trace then add("strace", "-f", "--seccomp-bpf", "-e", "trace=execve,execveat", "-o", options.trace) end
  add("sh", "-c", script_of(commands, enter, who))
  local result = tool.run(argv, { timeout_ms = options.timeout_ms or 60000,
    env = { "HOLOS_TEST_CPUINFO=" .. (options.cpuinfo or "") } })
  local problem = result.stderr:match("unshare: [^\n]*") or (result.status == NO_MOUNTS and result.stderr)
  if problem then skip("a tree cannot be mounted here: " .. problem:gsub("\n", " ")) end
  return result
end

--- The pids of the tree's live QEMUs, whether anybody recorded them or not. By inode: another mount namespace's paths say
--- nothing here.
function M:qemus()
  local program, pids = assert(fs.stat(self.directory .. M.QEMU)), {}
  for _, entry in ipairs(fs.list("/proc")) do
    local pid = math.tointeger(tonumber(entry.name))
    local stat = pid and fs.stat("/proc/" .. pid .. "/exe")
    if stat and stat.inode == program.inode and stat.device == program.device and proc.identity(pid) then
      pids[#pids + 1] = pid
    end
  end
  return pids
end

--- Kills what a failed test left running.
function M:__close()
  task.shield(10000, function()
    for _, pid in ipairs(self:qemus()) do
      local identity = proc.identity(pid)
      local process <close> = identity and proc.open(pid, identity.start_time)
      if process then
        process:signal("KILL")
        task.wait { process = process }
      end
    end
  end)
end

--- A new tree. `self.state` is the directory that it sees as its state directory.
---@param options {yaml: string}
function M.new(options)
  local base = tmpdir()
  local tree = setmetatable({ directory = base .. "/tree", state = base .. "/state" }, M)
  for _, directory in ipairs { base, tree.directory, tree.directory .. "/proc", tree.directory .. STATE } do
    assert(fs.mkdir_all(directory, RUNNABLE))
    assert(fs.chmod(directory, RUNNABLE))
  end
  assert(fs.mkdir_all(tree.state, tonumber("700", 8)))
  tree:write("/dev/null", "")
  tree:write("/dev/urandom", "")
  tree:add_program(host.executable(), "/holos")
  tree:write("/holos.yaml", options.yaml)
  return tree
end

return M
