--- Downloads: tries that go on where the last one stopped, until the file is whole. Effects: connects, writes files.
local answer = require "holos.run.http.answer"
local exchange = require "holos.run.http.exchange"
local parts = require "holos.run.http.part"
local task = require "holos.core.task"
local units = require "holos.core.units"

local M = {}

local PROGRESS_MS = 100
local MOST_PAUSE_MS = 30000
-- A try that brought so much begins the count of failures anew: a bad line breaks often, and still gets on.
local WORTHWHILE_BYTES = 1 << 20

-- What may go better the next time. The last three when something had come before: else the name or the place is wrong.
local PASSING = { ETIMEDOUT = true, ECONNRESET = true, ETRUNCATED = true }
local PASSING_LATER = { ECONNECT = true, ERESOLVE = true, EPROXY = true }
local PASSING_STATUS = { [408] = true, [429] = true, [500] = true, [502] = true, [503] = true, [504] = true }

local function known_as(world, text) return (world.http.url(text) or {}).url or text end

--- A URL for messages: without its user, and without its query, in which tokens are written.
function M.show(world, text) return (known_as(world, text):gsub("[?#].*$", "")) end

local function too_big(bytes, o)
  return nil, ("it has %d bytes, at most %d are taken"):format(bytes, o.limit_bytes), "ETOOBIG"
end

local function check_total(total, o)
  if o.expected_bytes and total and total ~= o.expected_bytes then
    return nil, ("it has %d bytes, expected %d"):format(total, o.expected_bytes), "ESIZE"
  end
  if total and total > o.limit_bytes then return too_big(total, o) end
  return true
end

-- -- what an answer means -----------------------------------------------------------------------------------------
-- Each gives {offset=, limit_bytes=} to go on with the body, {whole=true}, {unchanged=true}, or nil, message, code.

-- The part is of no use: the next try begins from zero, at once.
local function begin_anew(job, why)
  job.part:forget()
  job.is_anew = true
  return nil, why, "EPROTO"
end

local function take_whole(job, head)
  local total, o = answer.length(head.fields), job.options
  local fine, message, code = check_total(total, o)
  if not fine then return nil, message, code end
  fine, message, code = job.part:begin(answer.validators(head.fields), total)
  if not fine then return nil, message, code end
  return { offset = 0, limit_bytes = math.min(total or o.limit_bytes, o.expected_bytes or o.limit_bytes, o.limit_bytes) }
end

local function take_rest(job, head)
  local part, o = job.part, job.options
  local first, last, total = answer.content_range(head.fields["content-range"])
  if part.size_bytes == 0 then return nil, "it sent a part, although the whole was asked for", "EPROTO" end
  if first ~= part.size_bytes or not answer.is_same(part.known, answer.validators(head.fields))
    or part.known.total and total and total ~= part.known.total then
    return begin_anew(job, "it sent another part than was asked for")
  end
  local fine, message, code = check_total(total, o)
  if not fine then return nil, message, code end
  if last >= o.limit_bytes then return too_big(last + 1, o) end
  part.known.total = part.known.total or total
  return { offset = first, limit_bytes = last - first + 1 }
end

local function take_none(job, head)
  local part, total = job.part, answer.unsatisfied_total(head.fields["content-range"])
  if part.size_bytes == 0 then return nil, answer.status_text(416), "EHTTP", 416 end
  local is_whole = total == part.size_bytes and (part.known.total or total) == total
  if is_whole and answer.is_same(part.known, answer.validators(head.fields)) then return { whole = true } end
  return begin_anew(job, "it has not what was asked for")
end

-- What we know of is what it would send. One that tells of something else is asked again, without that.
local function take_nothing(job, head)
  if not job.unless then return nil, answer.status_text(304), "EHTTP", 304 end
  if answer.is_same(job.unless, answer.validators(head.fields)) then return { unchanged = true } end
  job.unless, job.is_anew = nil, true
  return nil, "it says that nothing has changed, and tells of something else", "EPROTO"
end

local TAKE = { [200] = take_whole, [206] = take_rest, [304] = take_nothing, [416] = take_none }

local function judge(job, head)
  local take = TAKE[head.status]
  if take then return take(job, head) end
  if PASSING_STATUS[head.status] then
    job.retry_after_ms = answer.retry_after_ms(head.fields["retry-after"], job.world.clock.utc_ms())
  end
  return nil, answer.status_text(head.status), "EHTTP", head.status
end

-- -- one try ------------------------------------------------------------------------------------------------------

local function is_due(job)
  local now_ms = task.now_ms()
  if now_ms - (job.told_ms or -PROGRESS_MS) < PROGRESS_MS then return false end
  job.told_ms = now_ms
  return true
end

local function tell(job, meter, host, done_bytes, is_last)
  if not is_due(job) and not is_last then return end
  local now_ms = task.now_ms()
  local total = job.part.known.total or job.options.expected_bytes
  job.progress { done_bytes = done_bytes, total_bytes = total, bytes_per_s = meter:rate(now_ms),
    eta_ms = meter:eta_ms(now_ms, total), host = host }
end

local function demand_room(job)
  local part, demand = job.part, job.options.room
  local facts = demand and part.known.total and job.world.fs.stat(part.path)
  if facts then demand(part.known.total - facts.size_bytes) end
end

local function receive(job, transfer, url, plan)
  local part = job.part
  demand_room(job)
  local done, message, code = transfer:accept { file = part.file, offset = plan.offset, limit_bytes = plan.limit_bytes,
    hashers = part.hashers }
  if not done then return nil, ("%s: %s"):format(part.path, message), code end
  local meter = exchange.meter(job.options, plan.offset)
  -- Whatever ends it, also a cancellation: what has come is in the file and in the hashes.
  local _size <close> = setmetatable({}, { __close = function() part.size_bytes = plan.offset + transfer:received() end })
  done, message, code = exchange.await(transfer, "try_body", function()
    local bytes = plan.offset + transfer:received()
    tell(job, meter, url.host, bytes)
    return meter:see(task.now_ms(), bytes)
  end)
  if done then
    meter:see(task.now_ms(), plan.offset + transfer:received())
    tell(job, meter, url.host, meter.bytes, true)
  end
  return done, message, code
end

local function check_whole(job)
  local part, o = job.part, job.options
  local total = part.known.total
  if total and part.size_bytes < total then
    return nil, ("the connection ended after %d of %d bytes"):format(part.size_bytes, total), "ETRUNCATED"
  end
  return check_total(part.size_bytes, o)
end

local function request_of(job)
  local request = setmetatable(answer.unless(job.unless or {}), { __index = job.options })
  request.range, request.if_range = job.part:range()
  return request
end

local function try(job)
  if not job.part:can_go_on() then job.part:forget() end
  job.retry_after_ms, job.is_anew = nil, nil
  local transfer, head, url = exchange.open(job.world, request_of(job))
  if not transfer then return nil, head, url end
  local _transfer <close> = transfer
  job.has_answered = true
  local plan, message, code, status = judge(job, head)
  if not plan then return nil, message, code, status end
  job.url, job.is_unchanged = url, plan.unchanged
  if plan.unchanged then return true end
  if not plan.whole then
    local done
    done, message, code = receive(job, transfer, url, plan)
    if not done then return nil, message, code end
  end
  return check_whole(job)
end

-- -- tries --------------------------------------------------------------------------------------------------------

local function is_passing(job, code, status)
  if job.is_anew or PASSING[code] or code == "EHTTP" and PASSING_STATUS[status] then return true end
  return job.has_answered and PASSING_LATER[code]
end

-- How long to wait before the next try, or nil when there is none. `count`: {failures=, empty=} in a row, the second
-- those that brought nothing.
local function pause_of(job, count, code, status)
  local o = job.options
  if count.failures >= o.tries or not is_passing(job, code, status) then return nil end
  if job.is_anew then return 0 end
  local pause_ms = math.min(o.first_pause_ms << math.max(0, count.empty - 1), MOST_PAUSE_MS)
  pause_ms = math.max(pause_ms, job.retry_after_ms or 0)
  if o.deadline_ms and task.now_ms() + pause_ms >= o.deadline_ms then return nil end
  return pause_ms
end

local function result_of(job)
  if job.is_unchanged then return { is_unchanged = true } end
  local part = job.part
  local digests, message, code = part:finish()
  if not digests then return nil, message, code end
  return { size_bytes = part.size_bytes, sha256 = digests.sha256, sha512 = digests.sha512, etag = part.known.etag,
    last_modified = part.known.last_modified, url = job.url.url }
end

local function tried(job, failures, message)
  if failures < 2 then return message end
  local kept = job.part:can_go_on() and (", %s are kept"):format(units.format_bytes(job.part.size_bytes)) or ""
  return ("%s (tried %d times%s)"):format(message, failures, kept)
end

-- What was here before and comes again is no progress: only one that begins from zero the first time is not held to it.
local function count_failure(count, job)
  local reached = job.part.size_bytes
  if job.is_anew then
    count.anew = count.anew + 1
    if count.anew == 1 then count.most_bytes = 0 end
  end
  local came = reached - count.most_bytes
  count.failures = came >= WORTHWHILE_BYTES and 1 or count.failures + 1
  count.empty = came > 0 and 0 or count.empty + 1
  count.most_bytes = math.max(count.most_bytes, reached)
end

local function pause(job, pause_ms, why)
  if pause_ms == 0 then return end
  local part = job.part
  job.progress { phase = "waiting", for_ms = pause_ms, why = why, done_bytes = part.size_bytes, total_bytes = part.known.total }
  task.wait { at_ms = task.now_ms() + pause_ms }
end

local function run(job)
  local count = { failures = 0, empty = 0, anew = 0, most_bytes = job.part.size_bytes }
  while true do
    local done, message, code, status = try(job)
    if done then return result_of(job) end
    count_failure(count, job)
    local pause_ms = pause_of(job, count, code, status)
    if not pause_ms then return nil, tried(job, count.failures, message), code, status end
    pause(job, pause_ms, message)
  end
end

--- See http.download; `o` is its request with all defaults.
function M.run(world, o, progress)
  local job = { world = world, options = o, progress = progress,
    unless = answer.if_range(o.unless or {}) and o.unless or nil } -- what cannot be said is not asked
  local part, message, code = parts.open(world, o.file, known_as(world, o.url), o.hashes, function(done_bytes, total_bytes)
    if is_due(job) then progress { phase = "checking", done_bytes = done_bytes, total_bytes = total_bytes } end
  end)
  if not part then return nil, message, code end
  local _part <close> = part
  job.part = part
  return run(job)
end

return M
