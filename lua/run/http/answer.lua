--- Reads what a server says about what it sends: ranges, validators, when to come back. Pure.
local units = require "holos.core.units"

local M = {}

local MOST_WAIT_MS = 10 * 60 * 1000

local STATUS = { [304] = "not modified", [400] = "bad request", [401] = "it wants a login", [403] = "forbidden",
  [404] = "not found", [410] = "gone", [416] = "it has no such part", [429] = "too many requests",
  [451] = "forbidden by law", [500] = "error of the server", [502] = "error of the server behind it",
  [503] = "not available now", [504] = "the server behind it is too slow" }

--- "status 404 (not found)"
function M.status_text(status)
  return STATUS[status] and ("status %d (%s)"):format(status, STATUS[status]) or ("status %d"):format(status)
end

--- The first, the last byte and the total (nil: unknown) of "bytes 100-199/500"; nil when it is something else.
function M.content_range(text)
  local first, last, total = (text or ""):match("^bytes (%d+)%-(%d+)/([%d*]+)$")
  first, last = math.tointeger(first), math.tointeger(last)
  if not first or not last or last < first then return nil end
  total = math.tointeger(total)
  if total and last >= total then return nil end
  return first, last, total
end

--- The total of "bytes */500", as a server says it that has not what was asked for.
function M.unsatisfied_total(text)
  return math.tointeger((text or ""):match("^bytes %*/(%d+)$"))
end

--- Content-Length as an integer, or nil.
function M.length(fields)
  return math.tointeger((fields["content-length"] or ""):match("^%d+$"))
end

-- Those of RFC 9110, 8.8.3 without "W/", which says that bytes may differ.
local function strong(etag)
  return etag and etag:find('^"[\x21\x23-\x7e]*"$') and #etag <= 200 and etag or nil
end

local function date(text)
  return text and text:find("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$") and text or nil
end

--- What can tell that the bytes are still the same: {etag=, last_modified=}.
function M.validators(fields)
  return { etag = strong(fields.etag), last_modified = date(fields["last-modified"]) }
end

--- What goes into If-Range: a strong entity tag, else a date, else nil.
function M.if_range(validators)
  return strong(validators.etag) or date(validators.last_modified)
end

--- The same for a request that wants the bytes only when they are not these: {if_none_match=} or {if_modified_since=}.
function M.unless(validators)
  local etag = strong(validators.etag)
  return { if_none_match = etag, if_modified_since = not etag and date(validators.last_modified) or nil }
end

--- Whether an answer is about the same bytes as what is known; what one of them does not say counts for both.
function M.is_same(known, said)
  if known.etag and said.etag then return known.etag == said.etag end
  if known.last_modified and said.last_modified then return known.last_modified == said.last_modified end
  return true
end

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }

--- Milliseconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT", or nil.
function M.date_ms(text)
  local day, month, year, time = (date(text) or ""):match("^%a+, (%d+) (%a+) (%d+) ([%d:]+)")
  if not MONTHS[month] then return nil end
  local moment = units.parse_moment(("%s-%02d-%sT%sZ"):format(year, MONTHS[month], day, time))
  return moment and moment.utc_ms
end

--- How long Retry-After says to wait, in milliseconds, or nil: seconds or a date, at most ten minutes.
function M.retry_after_ms(text, utc_ms)
  local seconds = math.tointeger((text or ""):match("^%d+$"))
  local at_ms = not seconds and M.date_ms(text or "")
  local wait_ms = seconds and math.min(seconds, MOST_WAIT_MS) * 1000 or at_ms and at_ms - utc_ms
  return wait_ms and math.max(0, math.min(wait_ms, MOST_WAIT_MS)) or nil
end

return M
