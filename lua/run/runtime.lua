--- runtime.json of an instance: what is true until the host reboots (pid, ports, how far its logs go).
--- Effects: reads and writes one file, by rename and without fsync: after a crash of the host it is worthless anyway.
local lazy = require "holos.core.lazy"
local err = require "holos.core.err"
local lock = require "holos.run.lock"
local ports_ = require "holos.plan.ports"
local record_schema = lazy "holos.plan.record_schema"
local table_ = require "holos.core.table"

local M = {}

--- It holds one spec of a record and a little more, so what fits there fits here (run/record).
local MAX_BYTES = 32 << 20
--- A clock that is set a little while the host runs moves the moment of its boot.
local CLOCK_ERROR_MS = 1000
--- A stop holds the lock for its whole grace.
M.LOCK_MS = 24 * 60 * 60 * 1000

local function file_of(state, project, name) return state:instance(project, name) .. "/runtime.json" end

--- Why a value is not what this module writes, nil when it is: whoever else writes here must not make us signal a
--- stranger.
function M.complaint(value)
  if value and value.pid and not value.start_time then return "start_time: is missing" end
  return record_schema.complaint(record_schema.runtime, value)
end

--- A power cut leaves a file that was not flushed empty or full of zeros; whoever had a pid in it is gone with the boot.
--- One that was emptied since then says nothing about its VM, which may run.
local function is_lost(world, file, text)
  if text:find("[^%z]") then return false end
  local stat = err.check("runtime", world.fs.stat(file))
  local booted_ms = world.clock.utc_ms() - world.clock.monotonic_ms()
  return stat.mtime_ns // 1000000 < booted_ms - CLOCK_ERROR_MS
end

local function damaged(file, name, reason)
  err.raise { message = ("%s: damaged, so whether %s runs cannot be told: %s"):format(file, name, reason), code = "EDAMAGED",
    hint = "look for its QEMU (its -name is guest=project/instance); when there is none, remove the file" }
end

--- What was written in this boot of the host; nil when there is nothing or the host was rebooted since.
---@return table? runtime
---@return "absent"|"rebooted"|nil why
---@return string? exit  rebooted: how it had ended before
function M.load(world, state, project, name)
  local file = file_of(state, project, name)
  local text, message, code = world.fs.read(file, { max_bytes = MAX_BYTES })
  if not text and code == "ENOENT" then return nil, "absent" end
  err.check(name, text, message, code)
  if is_lost(world, file, text) then return nil, "rebooted" end
  local value, reason = world.json.decode(text, {})
  reason = reason or M.complaint(value)
  if reason then damaged(file, name, reason) end
  if value.boot_id ~= world.proc.boot_id() then return nil, "rebooted", value.exit end
  return value
end

--- The spec that a VM was launched with; nil when its runtime holds none. Raises when that is damaged.
---@param is_glance boolean?  only what lists show is looked at, and to be relied on
function M.applied(state, project, name, runtime, is_glance)
  if not runtime.spec then return nil end
  local reason = record_schema.complaint(is_glance and record_schema.glanced_spec or record_schema.spec, runtime.spec)
  if reason then damaged(file_of(state, project, name), name, "spec." .. reason) end
  return runtime.spec
end

--- Raises when a spec asks for what this version does not know: it may be recorded, but nothing is launched from it.
function M.require_launchable(spec)
  local reason = record_schema.complaint(record_schema.launchable, table_.copy(spec)) -- what is wrong is taken out of it
  if not reason then return end
  err.raise { message = ("%s: cannot be launched as it is recorded: %s"):format(spec.name, reason), code = "EDAMAGED",
    hint = "start it with the holos that wrote this, or run `holos up` to record it anew; stop and down work" }
end

--- The ports of a launch as a record keeps them, so that the instance gets the same ones the next time.
---@param spec table     it was launched with
---@param ports table[]  the one for SSH, then one for each of the spec
---@return table<string, integer> leased
function M.leased(spec, ports)
  local leased = { ssh = ports[1].host }
  for position, key in pairs(ports_.lease_keys(spec.ports)) do
    local got = ports[position + 1]
    leased[key] = got and got.host
  end
  return leased
end

function M.save(world, state, project, name, value)
  value.boot_id = world.proc.boot_id()
  err.check("runtime", world.fs.write_atomic(file_of(state, project, name), world.json.encode(value, { indent = 1 }),
    { mode = tonumber("600", 8), sync = false }))
end

--- Changes what is written of a launch, under the instance's lock. Nothing is done when it is no longer what it was.
---@param known table      the runtime that was seen before
---@param change fun(now: table): any
---@return table? runtime  as it is now
function M.update(world, state, project, name, known, change)
  local _held <close> = lock.take(world, state:instance_lock(project, name), { name = name, timeout_ms = M.LOCK_MS,
    owner_text = "notes about " .. name })
  local now = M.load(world, state, project, name)
  if not now or now.pid ~= known.pid or now.start_time ~= known.start_time then return nil end
  change(now)
  M.save(world, state, project, name, now)
  return now
end

--- Whether a launch was seen to its end. Older runtimes say so by the port of sshd, which every guest had.
function M.is_proven(runtime) return runtime.is_proven or runtime.ports ~= nil and runtime.ports[1] ~= nil end

--- The live process that a runtime names, nil when it is gone. The caller closes it.
function M.process(world, runtime)
  if not runtime or not runtime.pid then return nil end
  local process, message, code = world.proc.open(runtime.pid, runtime.start_time)
  if not process and code ~= "ESRCH" then err.raise { message = message, code = code } end
  return process
end

return M
