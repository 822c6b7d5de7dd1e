--- driver_opts of volumes, as Docker's local driver takes them: type, o and device of mount(8). What of that is a
--- directory of the host or a disk has a meaning for VMs. Pure.
local M = {}

local FILE_SYSTEMS = { ext4 = true, xfs = true }
local OF_NETWORKS = { nfs = true, nfs4 = true, cifs = true, smb3 = true }

local function has_option(options, wanted)
  for option in (options.o or ""):gmatch("[^,%s]+") do
    if option == wanted then return true end
  end
  return false
end

local function refuse_type(kind)
  if OF_NETWORKS[kind] then
    return nil, ('type "%s" is a file system of the network, not a disk'):format(kind),
      "mount it in the guest: cloud_init: {mounts: [[...]]}, or mount it on the host and share the directory"
  elseif kind == "tmpfs" then
    return nil, 'type "tmpfs" is memory, and no volume', "write the mount as {type: tmpfs, target: PATH}"
  end
  return nil, ('type "%s" is none of none, bind, ext4, xfs'):format(kind)
end

local function unknown_in(options)
  for key in pairs(options) do
    if key ~= "type" and key ~= "o" and key ~= "device" then return key end
  end
end

--- What options come to: a directory that is shared, or a disk with its file system; neither for none.
---@param options table<string, string>
---@return {share: string?, is_read_only: boolean?, device: string?, fs: string?}? meaning
---@return string? message
---@return string? hint
function M.read(options)
  local unknown, kind, device = unknown_in(options), options.type or "none", options.device
  if unknown then return nil, ('unknown option "%s"; there are type, o and device'):format(unknown) end
  if not next(options) then return {} end
  local is_bind = kind == "bind" or kind == "none" and has_option(options, "bind")
  if not is_bind and not FILE_SYSTEMS[kind] and kind ~= "none" then return refuse_type(kind) end
  if not device then return nil, '"device" is missing: the path of a directory or of a disk' end
  if device:sub(1, 1) ~= "/" or device:find("%c") then return nil, ('the device "%s" is not an absolute path'):format(device) end
  if is_bind then return { share = device, is_read_only = has_option(options, "ro") } end
  if kind == "none" then
    return nil, 'type "none" without "o: bind" says neither directory nor disk', "write o: bind for a directory, type: ext4 or "
      .. "xfs for a disk"
  end
  return { device = device, fs = kind }
end

return M
