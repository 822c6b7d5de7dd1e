--- MAC addresses, UUIDs and serials: hashed from names, so that they never change. Pure; `sha256` comes as an argument.
local M = {}

--- Serials of virtio-blk devices hold 20 bytes (virtio 1.1, 5.2.6.4: VIRTIO_BLK_ID_BYTES).
local SERIAL_BYTES = 20

--- The seed's format: 52:54 is QEMU's locally administered prefix, the third byte tells the NIC, the rest is hashed.
---@param sha256 fun(text: string): string  hex digest
---@param project string
---@param instance string  "web-0"
---@param nic integer      0 for the user-mode NIC, 1..n for networks
---@return string mac      "52:54:01:ab:cd:ef"
function M.mac(sha256, project, instance, nic)
  local digest = sha256(("mac/%s/%s/%d"):format(project, instance, nic))
  return ("52:54:%02x:%s:%s:%s"):format(nic == 0 and 1 or 16 + nic, digest:sub(1, 2), digest:sub(3, 4), digest:sub(5, 6))
end

--- The MAC of the card in a network that has a name of its own; the third byte is that of no numbered card.
---@param network string  the network's key
function M.network_mac(sha256, project, instance, network)
  local digest = sha256(("mac/%s/%s/network/%s"):format(project, instance, network))
  return ("52:54:20:%s:%s:%s"):format(digest:sub(1, 2), digest:sub(3, 4), digest:sub(5, 6))
end

--- A version 8 UUID (RFC 9562: custom contents), so that nobody takes it for a random or a time-based one.
function M.uuid(sha256, project, instance)
  local hex = sha256(("uuid/%s/%s"):format(project, instance))
  return ("%s-%s-8%s-a%s-%s"):format(hex:sub(1, 8), hex:sub(9, 12), hex:sub(13, 15), hex:sub(16, 18), hex:sub(19, 30))
end

--- "vol-<name>", as the seed has it, where it fits; a hash where it does not.
function M.volume_serial(sha256, name)
  local serial = "vol-" .. name
  if #serial <= SERIAL_BYTES then return serial end
  return "vol-" .. sha256("volume/" .. name):sub(1, SERIAL_BYTES - 4)
end

--- Where most guests have a volume's disk; those without udev find it by its serial number in /sys/block.
function M.volume_path(serial) return "/dev/disk/by-id/virtio-" .. serial end

return M
