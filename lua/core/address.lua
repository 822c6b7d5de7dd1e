--- Addresses as text and as numbers: IPv4 and its networks, IPv6, Ethernet. Pure.
local M = {}

--- What QEMU's user network takes for itself, on the card that every guest has to the outside.
M.USER_NETWORK = "10.0.2.0/24"

--- A dotted quad as a number; nil for anything else, and for zeros in front, which some readers take for octal.
---@return integer?
function M.parse(text)
  local parts = { text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$") }
  local number = 0
  for _, part in ipairs(parts) do
    local value = math.tointeger(tonumber(part))
    if value > 255 or part:find("^0%d") then return nil end
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

-- The number of 16-bit groups in one side of "::"; nil when one of them is no group. An IPv4 tail counts as two.
local function count_groups(text)
  if text == "" then return 0 end
  local count = 0
  for group, rest in (text .. ":"):gmatch("([^:]*):()") do
    if group:find("^%x%x?%x?%x?$") then
      count = count + 1
    elseif rest > #text and M.parse(group) then
      count = count + 2
    else
      return nil
    end
  end
  return count
end

--- Whether a text is an IPv6 address (RFC 4291, 2.2); zones are not.
function M.is_ipv6(text)
  local left, right = text:match("^(.-)::(.*)$")
  if not left then return count_groups(text) == 8 end
  local before, after = count_groups(left), count_groups(right)
  if left:find(".", 1, true) then return false end -- an IPv4 tail is a tail
  return before ~= nil and after ~= nil and before + after <= 7
end

--- Whether a text is an address of a host, of either family.
function M.is_ip(text) return M.parse(text) ~= nil or M.is_ipv6(text) end

--- An Ethernet address of one card in lower case with colons; nil and the reason for anything else.
---@return string? mac
---@return string? message
function M.mac(text)
  local mac = text:lower():gsub("-", ":")
  if not mac:find("^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$") then
    return nil, ('"%s" is no Ethernet address such as 52:54:00:12:34:56'):format(text)
  end
  if tonumber(mac:sub(1, 2), 16) & 1 == 1 then return nil, ("%s is for groups: its first byte is odd"):format(mac) end
  if mac == "00:00:00:00:00:00" then return nil, mac .. " is nobody's address" end
  return mac
end

return M
