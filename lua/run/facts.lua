--- Facts about the host that a plan rests on: images, QEMU, KVM, routes, other projects. Effects: reads; may probe
--- QEMU.
local lazy = require "holos.core.lazy"
local base = require "holos.run.base"
local build = lazy "holos.run.build"
local contents_ = require "holos.run.contents"
local err = require "holos.core.err"
local foreign = lazy "holos.run.foreign"
local machine = require "holos.plan.machine"
local memory = require "holos.run.memory"
local probe = require "holos.run.probe"
local quirks = lazy "holos.plan.quirks"
local record = require "holos.run.record"
local table_ = require "holos.core.table"

local M = {}

--- Pairs of UEFI firmware, where distributions put them: code, template of the variables.
local FIRMWARE = {
  { "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
  { "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd" },
  { "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd" },
  { "/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd" },
  { "/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd" },
}
local VIRTIOFSD = { "/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd", "/usr/bin/virtiofsd" }

--- The firmware pair of this host; HOLOS_OVMF_CODE and HOLOS_OVMF_VARS name another one.
---@return {code: string, vars: string}?
function M.firmware(world)
  local code, vars = world.host.env("HOLOS_OVMF_CODE"), world.host.env("HOLOS_OVMF_VARS")
  if code and vars then return { code = code, vars = vars } end
  for _, pair in ipairs(FIRMWARE) do
    if world.fs.stat(pair[1]) and world.fs.stat(pair[2]) then return { code = pair[1], vars = pair[2] } end
  end
end

function M.virtiofsd(world)
  for _, file in ipairs(VIRTIOFSD) do
    if world.fs.stat(file) then return file end
  end
end

--- What a launch from a record rests on.
function M.of_launch(world)
  return { qemu = { program = err.check("QEMU", probe.find(world)) }, firmware = M.firmware(world),
    virtiofsd = M.virtiofsd(world), memory = memory.look(world) }
end

--- What is known of the other files that machines are made of: kernels, initial RAM disks, firmware, CD-ROMs.
---@return table<string, {type: string, mode: integer}|{error: string}> files  by path
function M.files(world, project)
  local files = {}
  for _, file in ipairs(machine.files(project)) do
    local stat, message = world.fs.stat(file)
    files[file] = stat and { type = stat.type, mode = stat.mode } or { error = message }
  end
  return files
end

local function has_foreign_disks(project)
  for _, volume in pairs(project.volumes or {}) do
    if volume.device or volume.external then return true end
  end
  return false
end

--- What the disks of mounted volumes are, each looked at once.
---@return fun(mount: table): string, string  the same for all its paths; the path
function M.disks(world, state, project)
  local identify = foreign.identifier(world)
  return function(mount)
    local file = foreign.path_of(state, project, mount)
    return identify(file), file
  end
end

--- What a plan can say of a disk that is not the project's own.
function M.glance(world, disk) return foreign.glance(world, disk) end

--- Who of other projects runs with a disk, as a function of what it is.
---@param records table<string, table>  of these
---@param applied_of function  of run/observe
---@return fun(id: string): {name: string, path: string, can_write: boolean}[]
function M.foreign_users(world, state, records, applied_of)
  local users
  return function(id)
    users = users or foreign.users(world, state, records, applied_of)
    return users[id] or {}
  end
end

local CPUINFO_BYTES = 8 << 20 -- of hosts with very many processors

-- The flags of this host's processor, where an image of the project is known to want some.
local function cpu_flags(world, project)
  for _, name in ipairs(project.order) do
    local image = project.services[name].image
    if image and image.quirks and quirks.wants_flags(project) then
      return quirks.flags(world.fs.read("/proc/cpuinfo", { max_bytes = CPUINFO_BYTES }) or "")
    end
  end
end

-- What services are built from, where any is.
local function builds_of(world, project)
  for _, name in ipairs(project.order) do
    if project.services[name].build then return build.of_project(world, project) end
  end
  return nil, {}
end

--- All facts for a project.
---@param lookup (fun(name: string): string?)?  the project's environment, for configs and secrets out of it
---@return table facts
---@return {message: string, hint: string?}[] findings  what makes a launch impossible
---@return table contents  of configs and secrets, as of run/contents; facts have their digests only; and `builds`
function M.gather(world, state, project, lookup)
  local records = record.all(world, state)
  records[project.name] = nil
  local findings, qemu = {}, { machines = {} }
  local program, message = probe.find(world)
  if program then
    qemu = probe.qemu(world, state, program)
  else
    findings[1] = { message = message, hint = "install it: sudo apt install qemu-system-x86 (or your system's package)" }
  end
  local contents, unread = contents_.gather(world, state, project, lookup)
  local disks, missing = {}, {}
  if has_foreign_disks(project) then disks, missing = foreign.of_project(world, state, project, records) end
  local builds, unbuildable = builds_of(world, project)
  table_.extend(table_.extend(table_.extend(findings, unread), missing), unbuildable)
  contents.builds = builds
  return { sha256 = world.hash.sha256, uid = world.host.uid(), records = records, qemu = qemu,
    images = base.of_project(world, project), files = M.files(world, project), disks = disks, digests = contents.digests,
    builds = builds, cpu_flags = cpu_flags(world, project),
    kvm = world.qemu.kvm_status(), routes = world.net.routes() or {}, firmware = M.firmware(world),
    virtiofsd = M.virtiofsd(world), memory = memory.look(world), architecture = world.host.architecture() }, findings, contents
end

return M
