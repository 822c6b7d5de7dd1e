--- A guest that runs, as its monitor tells: resets, pauses, panics, its end. Effects: stays connected to its monitor.
local err = require "holos.core.err"
local monitor = require "holos.run.monitor"
local qmp = require "holos.run.qmp"
local task = require "holos.core.task"

local M = {}

--- A monitor that does not answer is tried again, first after this time, then each time after twice as long.
local AGAIN_MS, AGAIN_MOST_MS, GREETING_MS = 1000, 60000, 30000
--- A disk with less room is full; how often one is looked at that has paused a guest.
M.ROOM_BYTES, M.LOOK_MS = 64 << 20, 5000
local EVENTS = { "STOP", "RESUME", "RESET", "GUEST_PANICKED", "WATCHDOG", "BLOCK_IO_ERROR" }
-- What is told and changes nothing by itself; after a watchdog the guest may be paused, and is looked at.
local PASSING = { RESET = "instance.reset", WATCHDOG = "instance.watchdog" }

local Guest = {}
Guest.__index = Guest

--- The guest of a running instance; closed with its scope.
---@param now table  its runtime
function M.new(project, spec, now)
  return setmetatable({ project = project, spec = spec, now = now, goes_on = task.event(), is_healthy = task.event(),
    has_begun = task.event(), looked_at = task.event(), halts = 0, told = task.queue() }, Guest)
end

local function tell(guest, event)
  event.instance = guest.spec.name
  guest.project:emit(event)
end

-- What to do about a guest that has halted: nil, or why it is to be replaced.
local function judge(guest)
  local halt, policy = guest.halt, guest.spec.restart and guest.spec.restart.policy or "no"
  if halt and halt.cure == "restart" and policy ~= "no" then
    return { how = halt.word, text = halt.text, cause = "failure" }
  end
end

local function on_look(guest, halt)
  local before = guest.halt and guest.halt.word
  guest.looked_at:fire()
  if (halt and halt.word) == before then return nil end
  guest.halt = halt
  if not halt then
    guest.goes_on:fire()
    guest.goes_on = task.event()
    tell(guest, { type = "instance.resumed" })
    return nil
  end
  guest.halts = guest.halts + 1
  tell(guest, { type = "instance.halted", state = halt.word, text = halt.text })
  return judge(guest)
end

--- Tells whoever looks after it that there are other settings, or why it is to be replaced.
---@param why {how: string, text: string, cause: string}?
function Guest:tell(why) self.told:put { why = why } end

--- What was told next.
---@return table? why  nil: the settings are others
function Guest:next_told() return self.told:take().why end

--- Other settings may have something else done about a guest that has halted.
---@return {how: string, text: string, cause: string}? why  it is to be replaced
function Guest:take_over(spec)
  self.spec = spec
  return judge(self)
end

local function is_disk_full(guest)
  local space = guest.project.world.fs.space(guest.project.state:instance(guest.project.name, guest.spec.name))
  return space ~= nil and space.free_bytes < M.ROOM_BYTES
end

--- The next event. A guest that was paused because the disk was full is let go on once there is room; nothing tells of that,
--- so it is looked for.
local function next_event(guest, session, halt)
  if not (halt and halt.step == "free space" and is_disk_full(guest)) then return session:next_event().event end
  repeat
    local ok, event = pcall(session.next_event, session, M.LOOK_MS)
    if ok then return event.event end
    if not err.is(event, "ETIMEDOUT") then error(event, 0) end
  until not is_disk_full(guest)
  monitor.resume(session)
  return session:next_event().event
end

local function listen(guest, session)
  session:subscribe(EVENTS)
  while true do
    local halt = monitor.halt(session)
    local why = on_look(guest, halt)
    if why then return why end
    repeat
      local event = next_event(guest, session, halt)
      if PASSING[event] then tell(guest, { type = PASSING[event] }) end
    until event ~= "RESET"
  end
end

-- Its monitor takes one client at a time: our own old connection would be in the way of the next.
local function drop(guest)
  local session = guest.session
  if not session then return end
  guest.session, guest.reason = nil, session:shutdown_reason() or guest.reason
  session:close()
end

local function attempt(guest)
  drop(guest)
  guest.session = qmp.connect(guest.project.world, { directory = guest.project.state:instance(guest.project.name,
    guest.spec.name), name = monitor.OTHER_SOCKET }, { timeout_ms = GREETING_MS, name = guest.spec.name })
  return listen(guest, guest.session)
end

--- Listens to the guest. Ends only when it is to be replaced, and says why.
function Guest:follow()
  local pause_ms = AGAIN_MS
  while true do
    local ok, why = pcall(attempt, self)
    if ok then return why end
    if not err.is_failure(why) then error(why, 0) end
    if err.is(why, "EPIPE") and self.session then task.event():wait() end -- it is ending; its process says when
    task.wait { at_ms = task.now_ms() + pause_ms }
    pause_ms = math.min(2 * pause_ms, AGAIN_MOST_MS)
  end
end

--- Until it is known whether it is paused; a monitor that does not answer is not waited for without end.
function Guest:until_looked_at()
  task.race {
    function() self.looked_at:wait() end,
    function() task.wait { at_ms = task.now_ms() + GREETING_MS } end,
  }
end

--- Until it is not paused; true when it was.
function Guest:until_it_goes_on()
  if not self.halt then return false end
  repeat self.goes_on:wait() until not self.halt
  return true
end

--- How it ended, once its process is gone.
---@return {reason: string?, is_heard: boolean}
function Guest:ending()
  local reason = self.reason
  if self.session then reason = self.session:shutdown_reason() end
  return { reason = reason, is_heard = self.session ~= nil or reason ~= nil }
end

function Guest:__close()
  if self.session then self.session:close() end
end

return M
