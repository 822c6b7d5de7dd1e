--- IPv4 addresses and networks, as text and as numbers. Pure.
local M = {}

--- A dotted quad as a number; nil for anything else.
---@return integer?
function M.parse(text)
  local parts = { text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$") }
  local number = 0
  for _, part in ipairs(parts) do
    local value = math.tointeger(tonumber(part))
    if value > 255 then return nil end
    number = number << 8 | value
  end
  return parts[1] and number
end

--- The dotted quad of a number.
function M.format(number)
  return ("%d.%d.%d.%d"):format(number >> 24 & 255, number >> 16 & 255, number >> 8 & 255, number & 255)
end

---@class holos.Network4
---@field first  integer  the network's own address
---@field last   integer  its broadcast address
---@field prefix integer  0..32

--- "10.5.0.0/24" as a network; nil and the reason for anything else.
---@return holos.Network4? network
---@return string? message
function M.network(text)
  local address, prefix = text:match("^([%d.]+)/(%d%d?)$")
  local first, bits = address and M.parse(address), math.tointeger(tonumber(prefix))
  if not first or bits > 32 then return nil, ("expected a network such as 10.5.0.0/24, got %q"):format(text) end
  local size = 1 << (32 - bits)
  if first % size ~= 0 then
    return nil, ("%s is no network: its first address is %s"):format(text, M.format(first // size * size))
  end
  return { first = first, last = first + size - 1, prefix = bits }
end

--- Whether a host may have this address: inside the network, neither its first nor its last.
function M.is_host(network, number) return number > network.first and number < network.last end

--- Whether two networks share an address.
function M.overlap(a, b) return a.first <= b.last and b.first <= a.last end

return M
