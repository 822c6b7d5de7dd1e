--- How a QEMU process is confined: uid, groups, Landlock paths, environment. Effects: reads /etc and /dev.
local path = require "holos.core.path"

local M = {}

--- What QEMU 7.2 needs under Landlock, found by taking paths away until it failed: libraries, firmware, the resolver's
--- configuration, randomness. Its own prefix and the shares are added; everything else comes by descriptor.
local EXECUTE_PATHS = { "/usr/lib", "/usr/lib64", "/lib", "/lib64" }
local READ_PATHS = { "/etc/ld.so.cache", "/usr/share", "/dev/urandom" }
local WRITE_PATHS = { "/dev/null" }
local MAX_BYTES = 1 << 20

--- The entry of `user` in /etc/passwd, nil without one. Only local files: a static binary has no name service.
---@return {uid: integer, gid: integer}?
function M.account(world, user)
  for line in (world.fs.read("/etc/passwd", { max_bytes = MAX_BYTES }) or ""):gmatch("[^\n]+") do
    local name, uid, gid = line:match("^([^:]*):[^:]*:(%d+):(%d+):")
    if name == user then return { uid = math.tointeger(tonumber(uid)), gid = math.tointeger(tonumber(gid)) } end
  end
end

--- Who QEMU runs as: ourselves, unless root runs holos; then the user `holos`, else the project's own derived uid.
---@param here holos.Confinement
---@return {uid: integer?, gid: integer?, groups: integer[]?}
function M.identity(world, here, spec, leased_uid)
  if world.host.uid() ~= 0 or spec.vm.run_as_root then return {} end
  local account = here.account or { uid = leased_uid, gid = leased_uid }
  local kvm = spec.vm.accel == "kvm" and world.fs.stat("/dev/kvm")
  return { uid = account.uid, gid = account.gid, groups = kvm and kvm.gid ~= 0 and { kvm.gid } or {} }
end

local function rule(rules, world, file, access)
  if world.fs.stat(file) then rules[#rules + 1] = { path = file, access = access } end
end

--- The part of the tree that a program belongs to: /opt/q for /opt/q/bin/qemu; the program alone for /usr/bin/qemu.
function M.prefix(program)
  local prefix = path.parent(path.parent(program))
  return (prefix == "/usr" or prefix == "/") and program or prefix
end

--- What libslirp reads for DNS. Network managers replace the file by rename, so its directory is named, unless it is
--- /etc.
function M.resolver(world)
  local file = world.fs.realpath("/etc/resolv.conf") or "/etc/resolv.conf"
  local directory = path.parent(file)
  return directory == "/etc" and file or directory
end

--- What this host and program decide for every VM; looked at once for all that a command launches.
---@class holos.Confinement  {account: {uid, gid}?, rules: {path, access}[]}
---@return holos.Confinement
function M.look(world, program)
  local rules = {}
  for _, file in ipairs(EXECUTE_PATHS) do rule(rules, world, file, "execute") end
  for _, file in ipairs(READ_PATHS) do rule(rules, world, file, "read") end
  for _, file in ipairs(WRITE_PATHS) do rule(rules, world, file, "write") end
  rule(rules, world, M.prefix(world.fs.realpath(program) or program), "execute")
  rule(rules, world, M.resolver(world), "read")
  return { account = M.account(world, "holos"), rules = rules }
end

--- Landlock rules for QEMU; nil when the user's own arguments may name paths that nobody listed.
---@param here holos.Confinement
---@param extra {path: string, access: string}[]  shares
function M.landlock(world, here, spec, extra)
  if #spec.vm.extra_args > 0 and #spec.vm.allow_paths == 0 then return nil end
  local rules = table.move(here.rules, 1, #here.rules, 1, {})
  if spec.vm.accel == "kvm" then rule(rules, world, "/dev/kvm", "write") end
  for _, file in ipairs(spec.vm.allow_paths) do rule(rules, world, file, "write") end
  for _, entry in ipairs(extra) do rule(rules, world, entry.path, entry.access) end
  return rules
end

--- A small, clean environment: nothing of ours is passed on (C25).
function M.environment(directory)
  return { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" .. directory, "TMPDIR=" .. directory, "LANG=C.UTF-8" }
end

return M
