--- HTTPS: small texts, and downloads into files that go on where they stopped. Effects: connects, writes files.
--
-- Redirects are followed at most five times, never from https: to anything else, never to an address of this host or its
-- link unless they come from there. Nothing is decoded. Failures are nil, message, code[, status]: ETLS ETIMEDOUT ETOOBIG
-- ESIZE EREDIRECT EHTTP ECONNECT ERESOLVE EPROXY ECONNRESET ETRUNCATED EPROTO EINVAL, and those of the file.
local answer = require "holos.run.http.answer"
local download = require "holos.run.http.download"
local err = require "holos.core.err"
local exchange = require "holos.run.http.exchange"
local part = require "holos.run.http.part"
local task = require "holos.core.task"

local M = {}

M.DEFAULTS = {
  connect_timeout_ms = 30000, idle_timeout_ms = 60000, least_bytes_per_s = 1000, over_ms = 60000, tries = 5,
  first_pause_ms = 1000, hashes = { "sha256", "sha512" },
}
local TEXT_BYTES = 1 << 20
local TEXT_TIMEOUT_MS = 120000
local FILE_BYTES = 64 << 30

local function options_of(o, more)
  local options = setmetatable({}, { __index = M.DEFAULTS })
  for _, from in ipairs { more, o or {} } do
    for name, value in pairs(from) do options[name] = value end
  end
  if options.total_timeout_ms then options.deadline_ms = task.now_ms() + options.total_timeout_ms end
  return options
end

local function receive_text(transfer, head, o)
  local encoding = head.fields["content-encoding"]
  if encoding and encoding:lower() ~= "identity" then
    return nil, ("the answer is encoded (%s), which nobody asked for"):format(exchange.quote(encoding)), "EPROTO"
  end
  local done, message, code = transfer:accept { limit_bytes = o.limit_bytes }
  if not done then return nil, message, code end
  local meter = exchange.meter(o, 0)
  done, message, code = exchange.await(transfer, "try_body", function()
    return meter:see(task.now_ms(), transfer:received())
  end)
  if not done then return nil, message, code end
  return { status = head.status, body = transfer:text(), headers = head.fields }
end

local function ask(world, o)
  local transfer, head, url = exchange.open(world, o)
  if not transfer then return nil, head, url end
  local _transfer <close> = transfer
  if head.status ~= 200 then return nil, answer.status_text(head.status), "EHTTP", head.status end
  local length = answer.length(head.fields)
  if length and length > o.limit_bytes then
    return nil, ("it has %d bytes, at most %d are taken"):format(length, o.limit_bytes), "ETOOBIG"
  end
  local got, message, code = receive_text(transfer, head, o)
  if not got then return nil, message, code end
  got.url = url.url
  return got
end

--- Gets a small text.
---@param o {limit_bytes: integer?, ca_file: string?, allow_http: boolean?, total_timeout_ms: integer?, connections: userdata?}?
---  limit: 1 MiB; the timeouts of holos.Download too
---@return {status: integer, body: string, headers: table<string, string>, url: string}?
---@return string? message, string? code, integer? status
function M.get(world, url, o)
  local options = options_of(o, { url = url, limit_bytes = TEXT_BYTES, total_timeout_ms = TEXT_TIMEOUT_MS })
  local got, message, code, status = ask(world, options)
  if got then return got end
  return nil, ("%s: %s"):format(download.show(world, url), message), code, status
end

---@class holos.Download
---@field url string
---@field file string                 absolute path of the part; FILE.json beside it says what it is a part of
---@field limit_bytes integer?        64 GiB
---@field expected_bytes integer?     what it must have
---@field hashes string[]?            what is computed: {"sha256", "sha512"}; one alone spares time
---@field ca_file string?             certificates of authorities instead of the host's
---@field allow_http boolean?         http: too
---@field connections userdata?       of `connections`
---@field unless {etag: string?, last_modified: string?}?  what an earlier result said: only if it is something else now
---@field room fun(bytes: integer)?    raises when so much more has no room; called before a body whose length is known
---@field connect_timeout_ms integer?
---@field idle_timeout_ms integer?    without a byte
---@field least_bytes_per_s integer?  over `over_ms`
---@field over_ms integer?
---@field total_timeout_ms integer?   for all tries together
---@field tries integer?              in a row that bring next to nothing
---@field first_pause_ms integer?     before the second of them; each next one is twice as long

--- Downloads into request.file, going on where an earlier call for the same URL stopped. Afterwards the file is whole, on
--- the disk and hashed; it and its sidecar are the caller's (`remove`). After a failure they are kept for the next call.
---@param request holos.Download
---@param progress fun(state: {done_bytes: integer, total_bytes: integer?, bytes_per_s: integer, eta_ms: integer?, host: string})?
---  at most ten times a second; {phase = "checking", done_bytes, total_bytes} while what an earlier call left is hashed
---@return {size_bytes: integer, sha256: string?, sha512: string?, etag: string?, last_modified: string?, url: string}|
---  {is_unchanged: true}|nil  the second where it is what `unless` says; then nothing has come
---@return string? message, string? code, integer? status
function M.download(world, request, progress)
  local options = options_of(request, { limit_bytes = FILE_BYTES })
  local got, message, code, status = download.run(world, options, progress or function() end)
  if got then return got end
  return nil, ("%s: %s"):format(download.show(world, request.url), message), code, status
end

--- What keeps connections open from one request to the next one that is given it too; to be closed.
function M.connections(world) return err.check("http", world.http.connections()) end

--- Removes a part and what is known about it; true, or nil, message, code.
function M.remove(world, file) return part.remove(world, file) end

--- Where the sidecar of a part is.
function M.sidecar(file) return part.sidecar(file) end

return M
