--- Which accelerator and CPU model a VM gets. Pure.
local M = {}

--- auto is KVM only where it is usable; no permission on /dev/kvm is an error with its fix, anything else means TCG.
---@param wanted "auto"|"kvm"|"tcg"
---@param kvm {usable: boolean, reason: string?, code: string?}
---@return "kvm"|"tcg"|nil accel
---@return string? text  a warning with "tcg", the error (then `hint`) with nil
---@return string? hint
function M.resolve(wanted, kvm)
  if wanted == "tcg" then return "tcg" end
  if kvm.usable then return "kvm" end
  if kvm.code == "EACCES" or kvm.code == "EPERM" then
    return nil, "/dev/kvm: permission denied; VMs would run 10-30 times slower without it",
      "sudo usermod -aG kvm $USER, then log in again; or write vm.accel: tcg to go without"
  end
  if wanted == "kvm" then
    return nil, ("vm.accel is kvm, but KVM cannot be used: %s"):format(kvm.reason),
      "write vm.accel: auto to fall back to emulation (TCG)"
  end
  return "tcg", ("KVM cannot be used (%s): VMs are emulated (TCG), 10-30 times slower"):format(kvm.reason)
end

--- host needs KVM; TCG's counterpart is max.
---@return string cpu_model
---@return string? warning
function M.cpu_model(wanted, accel)
  if accel == "kvm" then return wanted or "host" end
  if wanted == "host" then return "max", "vm.cpu_model: host needs KVM; max is used" end
  return wanted or "max"
end

return M
