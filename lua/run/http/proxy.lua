--- Which proxy the environment names for a URL. Effects: reads the environment.
local M = {}

-- http_proxy in capitals is not looked at: where a program runs for a web server, a client could set it (CGI).
local NAMES = {
  https = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" },
  http = { "http_proxy", "all_proxy", "ALL_PROXY" },
}

local function first(world, names)
  for _, name in ipairs(names) do
    local value = world.host.env(name)
    if value and value ~= "" then return value end
  end
  return ""
end

--- The proxy, "" when there is none, and the hosts that are reached without it, as curl reads them.
---@param scheme string  "http" or "https"
function M.find(world, scheme)
  return first(world, NAMES[scheme] or {}), first(world, { "no_proxy", "NO_PROXY" })
end

--- A proxy's name for messages: without a user's password.
function M.show(proxy)
  local scheme, rest = proxy:match("^(%a[%w+.-]*://)(.*)$")
  return (scheme or "") .. (rest or proxy):gsub("^[^/]*@", "")
end

return M
