--- One request, with the redirects that it leads through, until the head of the last answer. Effects: connects.
local answer = require "holos.run.http.answer"
local authorities = require "holos.run.http.authorities"
local meter = require "holos.run.http.meter"
local proxies = require "holos.run.http.proxy"
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

--- Redirects that are followed.
M.MOST_HOPS = 5

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

--- Waits for `transfer:method()`; `late()` says after each round why it may not go on, or nil.
---@return any result, string? message, string? code
function M.await(transfer, method, late)
  while true do
    local result, message, code = transfer[method](transfer)
    if result ~= nil or message ~= "EAGAIN" then return result, message, code end
    local why = late()
    if why then return nil, why, "ETIMEDOUT" end
    task.wait { fd = transfer:fileno(), dir = "r" }
  end
end

--- What a server said, for a message: no control characters, not much of it.
function M.quote(said) return text.escape_terminal(said:sub(1, 100)) end

-- Without the library's name and line ends.
local function tidy(message)
  return (message:gsub("^mbedTLS: ", ""):gsub("%s*\n%s*", "; "):gsub("[;%s]+$", ""))
end

local function request_of(world, url, o)
  local proxy, no_proxy = proxies.find(world, url.scheme)
  local request = {
    url = url.asked, range = o.range, if_range = o.if_range, if_none_match = o.if_none_match,
    if_modified_since = o.if_modified_since, connections = o.connections, proxy = proxy, no_proxy = no_proxy,
    connect_timeout_ms = o.connect_timeout_ms, is_plain_allowed = o.allow_http,
    -- The proxy may well be near, and it is what is connected to.
    is_public_only = url.is_public_only and proxy == "",
  }
  if url.scheme == "https" or proxy:find("^https:") then
    local found, message, code = authorities.find(world, o.ca_file)
    if not found then return nil, message, code end
    request.ca_file, request.ca_directory = found.file, found.directory
  end
  return request
end

-- Slow servers get as long for their head as for any byte after it, but for all of it together.
local function head_meter(o)
  local now_ms = task.now_ms()
  local head_ms = now_ms + o.connect_timeout_ms + o.idle_timeout_ms
  local deadline_ms = math.min(o.deadline_ms or head_ms, head_ms)
  return function()
    if task.now_ms() < deadline_ms then return nil end
    return "no answer came in time"
  end
end

-- The transfer and its head.
local function ask(world, url, o)
  local request, message, code = request_of(world, url, o)
  if not request then return nil, message, code end
  local transfer
  transfer, message, code = world.http.new(request)
  if not transfer then return nil, tidy(message), code end
  local guard <close> = setmetatable({}, { __close = function(self) if not self.done then transfer:close() end end })
  local head
  head, message, code = M.await(transfer, "try_head", head_meter(o))
  if not head then
    local through = request.proxy ~= "" and (" (through the proxy %s)"):format(proxies.show(request.proxy)) or ""
    return nil, tidy(message) .. through, code
  end
  local length = head.fields["content-length"]
  if length and not answer.length(head.fields) then
    return nil, ("the length %s is none"):format(M.quote(length)), "EPROTO"
  end
  guard.done = true
  -- Of a proxy's address nothing follows for the server's.
  head.is_near = url.is_near or request.proxy == "" and head.is_near
  return transfer, head
end

local function refuse(url, why)
  return nil, ("a redirect to %s is refused: %s"):format((url.url or url):gsub("[?#].*$", ""), why), "EREDIRECT"
end

-- Where a redirect leads, judged.
local function follow(world, url, head, o)
  local location = head.fields.location
  if not location then return nil, ("status %d says no location"):format(head.status), "EREDIRECT" end
  local next_url, message = world.http.url(location, url.url)
  if not next_url then return refuse(M.quote(location), message) end
  if next_url.scheme ~= "https" and not (next_url.scheme == "http" and url.scheme == "http" and o.allow_http) then
    return refuse(next_url, url.scheme == "https" and "it leaves https" or "it leaves http")
  end
  if next_url.has_user then return refuse(next_url, "it names a user") end
  if next_url.is_near and not head.is_near then
    return refuse(next_url, "it leads to an address of this host or its link")
  end
  next_url.asked, next_url.is_public_only = next_url.url, not head.is_near
  return next_url
end

local function first_url(world, asked, o)
  local url, message, code = world.http.url(asked)
  if not url then return nil, message, code end
  if url.scheme ~= "https" and not (url.scheme == "http" and o.allow_http) then
    return nil, "only https: is fetched", "EINVAL"
  end
  url.asked = asked
  return url
end

---@class holos.HttpExchange
---@field url string
---@field range string?             "bytes=100-"
---@field if_range string?
---@field if_none_match string?
---@field if_modified_since string?
---@field connections userdata?     of run/http
---@field ca_file string?
---@field allow_http boolean?
---@field connect_timeout_ms integer
---@field idle_timeout_ms integer
---@field deadline_ms integer?      a point in time

--- Asks for o.url and goes where redirects lead; the transfer is the caller's to accept and close.
---@param o holos.HttpExchange
---@return userdata? transfer
---@return {status: integer, fields: table}|string head  or the message
---@return {url: string, host: string}|string url  the last one asked, or the code
function M.open(world, o)
  local url, message, code = first_url(world, o.url, o)
  if not url then return nil, message, code end
  for _ = 0, M.MOST_HOPS do
    local transfer, head, problem = ask(world, url, o)
    if problem == "EREDIRECT" then return refuse(url, head) end
    if not transfer then return nil, head, problem end
    if not REDIRECTS[head.status] then return transfer, head, url end
    transfer:close()
    url, message, code = follow(world, url, head, o)
    if not url then return nil, message, code end
  end
  return nil, ("it was redirected more than %d times"):format(M.MOST_HOPS), "EREDIRECT"
end

--- What tells whether a body is too slow: see meter.
function M.meter(o, bytes)
  return meter.new({
    idle_ms = o.idle_timeout_ms, least_bytes_per_s = o.least_bytes_per_s, over_ms = o.over_ms, deadline_ms = o.deadline_ms,
  }, task.now_ms(), bytes)
end

return M
