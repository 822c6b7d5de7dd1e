--- Files for guests without cloud-init: keys, and the network as lines that a shell can read. Pure.
local M = {}

--- "52:54:01:… dhcp" or "52:54:11:… 10.10.0.2/24", a line for each NIC.
function M.network(spec)
  local lines = {}
  for i, nic in ipairs(spec.nics) do
    lines[i] = nic.mac .. " " .. (nic.address and ("%s/%d"):format(nic.address, nic.prefix) or "dhcp")
  end
  return table.concat(lines, "\n") .. "\n"
end

--- The public keys that may log in: the project's, and those of the file.
---@return string[]
function M.key_list(spec, keys)
  local list = { keys.user_public }
  for _, key in ipairs(spec.cloud_init.ssh_authorized_keys or {}) do list[#list + 1] = key end
  return list
end

---@return {name: string, data: string, mode: integer?}[]
function M.files(spec, keys)
  if spec.image.os ~= "plain" then return {} end
  return {
    { name = "holos/network", data = M.network(spec) },
    { name = "holos/authorized_keys", data = table.concat(M.key_list(spec, keys), "\n") .. "\n" },
    { name = "holos/hostkey", data = keys.host_private },
  }
end

return M
