--- What is known to be odd about images and shows in some machines only: said before anything is made. Pure.
local machine = require "holos.plan.machine"

local M = {}

-- x86-64 psABI, "Micro-Architecture Levels", v3, as /proc/cpuinfo calls them; lzcnt is abm there.
local V3 <const> = { "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe" }

--- Whether the flags of this host's processor have to be looked at for a project.
function M.wants_flags(project)
  for _, service in pairs(project.services) do
    if machine.has_quirk(service, "needs_x86_64_v3") then return true end
  end
  return false
end

--- The flags of the first processor in /proc/cpuinfo.
---@return table<string, boolean>?  nil where none are told, as on other architectures
function M.flags(cpuinfo)
  local line = ("\n" .. cpuinfo):match("\nflags%s*:([^\n]*)")
  if not line then return nil end
  local flags = {}
  for flag in line:gmatch("%S+") do flags[flag] = true end
  return flags
end

local function lacking(flags)
  local names = {}
  for _, flag in ipairs(V3) do
    if not flags[flag] then names[#names + 1] = flag end
  end
  return names
end

local function shares_something(service)
  for _, mount in ipairs(service.mounts) do
    if mount.kind == "bind" then return true end
  end
  return false
end

--- What is to be said of a service. An emulated processor has all that QEMU knows.
---@param accel "kvm"|"tcg"|false
---@param flags table<string, boolean>?  of the host's processor
---@return string[]
function M.warnings(service, accel, flags)
  local list, image = {}, service.image or {}
  local shown = image.shown or image.name
  if machine.has_quirk(service, "no_shares") and shares_something(service) then
    list[1] = ("%s: the kernel of %s is said to mount no directories of the host"):format(service.name, shown)
  end
  local missing = accel == "kvm" and flags and machine.has_quirk(service, "needs_x86_64_v3") and lacking(flags) or {}
  if #missing > 0 then
    list[#list + 1] = ("%s: %s is made for processors of x86-64-v3, and this one lacks %s: its kernel may not start"):format(
      service.name, shown, table.concat(missing, " "))
  end
  return list
end

return M
