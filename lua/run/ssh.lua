--- SSH to a guest: connect with a pinned host key, wait for a guest that boots, command lines. Effects: connects.
local err = require "holos.core.err"
local io_ = require "holos.run.io"
local sessions = require "holos.run.ssh.session"
local task = require "holos.core.task"
local units = require "holos.core.units"

local M = {}

M.CONNECT_TIMEOUT_MS = 30000
M.READY_TIMEOUT_MS = 120000

-- QEMU's user network takes connections before the guest listens, and its SYNs to the guest come ever more rarely: a
-- new connection finds a fresh guest sooner than an old one. A slow guest that listens needs seconds to greet, though,
-- and OpenSSH 10 penalises those who leave without a word (PerSourcePenalties), so that each try waits longer.
local BANNER_MS = { first = 3000, factor = 1.5, most = 15000 }
local PAUSE_MS = { first = 250, factor = 1.5, most = 2000 }
-- A refused user key costs 5 s of penalty there; the user may be made by cloud-init yet.
local REFUSED_PAUSE_MS = 5000

-- What ends by itself when the guest has booted.
local TRANSIENT = { ECONNREFUSED = true, ECONNRESET = true, EPIPE = true, ETIMEDOUT = true, EAUTH = true }

---@class holos.SshTarget
---@field address string      "127.0.0.1"
---@field port integer
---@field user string
---@field public string       our public key, as a line
---@field private string      our private key, an openssh-key-v1 text
---@field host_public string  the only host key that is accepted, as a line
---@field timeout_ms integer? for the whole of it
---@field name string?        how messages call the guest
---@field on_progress fun(text: string)?  wait_ready only
---@field users_are_made boolean?  wait_ready only: who is refused stays so

--- A command line for a POSIX shell that gives exactly these words; quoted, they are neither keywords nor assignments.
---@param argv string[]
function M.command_line(argv)
  local words = {}
  for i, word in ipairs(argv) do words[i] = "'" .. word:gsub("'", "'\\''") .. "'" end
  return table.concat(words, " ")
end

local function label_of(target)
  local place = ("%s:%d"):format(target.address, target.port)
  return target.name and ("%s: ssh to %s"):format(target.name, place) or "ssh to " .. place
end

-- 125 = exec and run could not try (DESIGN §10).
local function check(target, value, message, code)
  if value ~= nil then return value end
  err.raise { message = ("%s: %s"):format(label_of(target), message), code = code, exit = 125 }
end

-- Gives what `fn(...)` gives; when `ms` pass before that, raises what was waited for in vain.
---@param stage {awaited: string}  changes while `fn` gets on
local function bounded(target, ms, stage, fn, ...)
  local started_ms = task.now_ms()
  local results = table.pack(pcall(task.within, ms, fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  if not err.is(results[2], "ETIMEDOUT") then error(results[2], 0) end
  local waited = units.format_duration(task.now_ms() - started_ms)
  return check(target, nil, ("no %s within %s"):format(stage.awaited, waited), "ETIMEDOUT")
end

local function on_failure(action)
  return setmetatable({}, { __close = function(_, problem) if problem ~= nil then action() end end })
end

local function open_socket(world, target)
  local fd = check(target, world.net.connect_tcp(target.address, target.port))
  local _guard <close> = on_failure(function() fd:close() end)
  task.wait { fd = fd, dir = "w" }
  check(target, world.net.connect_result(fd))
  return fd
end

-- The first part of the handshake: until the server has said who it is.
local Greeting = {}
Greeting.__index = Greeting

function Greeting:fileno() return self.raw:fileno() end

function Greeting:try_greet()
  local done, message, code = self.raw:try_handshake()
  if done then self.finished = true end
  if done or message == "EAGAIN" and self.raw:banner() then return true end
  return nil, message, code
end

local function shake_hands(target, raw, banner_ms, stage)
  local greeting = setmetatable({ raw = raw }, Greeting)
  stage.awaited = "greeting of an SSH server"
  bounded(target, banner_ms, stage, function() check(target, io_.await(greeting, "try_greet")) end)
  stage.awaited = "end of the SSH key exchange"
  if not greeting.finished then check(target, io_.await(raw, "try_handshake")) end
end

local function key_of(line) return line:match("^%S+%s+%S+") end

-- Nothing has been sent that a wrong host could use; not even the user's name.
local function check_host_key(world, target, raw)
  local shown = check(target, raw:host_key())
  if shown == key_of(target.host_public) then return end
  err.raise {
    message = ("%s: the host key is not the one that holos gave to this guest: it shows %s, expected %s")
      :format(label_of(target), world.sshkey.fingerprint(shown), world.sshkey.fingerprint(target.host_public)),
    code = "EHOSTKEY", exit = 255,
    hint = "another program answers on this port, or the guest's host keys were replaced; nothing was sent to it",
  }
end

local function authenticate(world, target, raw)
  local done, message, code = io_.await(raw, "try_authenticate", target.user, target.public, target.private)
  if done then return end
  if code == "EAUTH" then
    message = ("user %s is refused with the key %s"):format(target.user, world.sshkey.fingerprint(target.public))
  end
  check(target, nil, message, code)
end

local function establish(world, target, banner_ms, stage)
  local fd <close> = open_socket(world, target)
  local raw = check(target, world.ssh.new(fd))
  local _guard <close> = on_failure(function() raw:close() end)
  shake_hands(target, raw, banner_ms, stage)
  check_host_key(world, target, raw)
  stage.awaited = "answer to our user key"
  authenticate(world, target, raw)
  return sessions.new(world, raw, label_of(target))
end

local function try_once(world, target, banner_ms)
  local stage = { awaited = "connection" }
  return bounded(target, target.timeout_ms, stage, establish, world, target, banner_ms, stage)
end

local function with_timeout(target, timeout_ms)
  local copy = { timeout_ms = timeout_ms }
  for name, value in pairs(target) do copy[name] = copy[name] or value end
  return copy
end

--- A session, tried once. Raises: EHOSTKEY (exit 255), EAUTH, ETIMEDOUT, ECONNREFUSED, ECONNRESET, EPROTO (exit 125).
---@param target holos.SshTarget  timeout_ms: 30 s when absent
---@return holos.SshSession
function M.connect(world, target)
  local whole = with_timeout(target, target.timeout_ms or M.CONNECT_TIMEOUT_MS)
  return try_once(world, whole, whole.timeout_ms)
end

local function grown(value, limits) return math.min(value * limits.factor, limits.most) // 1 end

-- One try of wait_ready: a session, or nil and why there is none yet.
local function attempt(world, target, deadline_ms, banner_ms)
  local left_ms = math.max(1, deadline_ms - task.now_ms())
  local fine, result = pcall(try_once, world, with_timeout(target, left_ms), math.min(banner_ms, left_ms))
  if fine then return result end
  local is_final = target.users_are_made and err.is(result, "EAUTH")
  if err.is(result) and TRANSIENT[result.code] and not is_final then return nil, result end
  error(result, 0)
end

local function give_up(timeout_ms, problem)
  err.raise {
    message = ("not ready after %s: %s"):format(units.format_duration(timeout_ms), problem.message),
    code = problem.code == "EAUTH" and "EAUTH" or "ETIMEDOUT", exit = 125,
  }
end

--- A session, as soon as the guest lets us in: a full handshake with the right host key, and our user key accepted.
--
-- `on_progress(text)` hears why not yet, each reason once. A wrong host key is raised at once.
---@param target holos.SshTarget  timeout_ms: 120 s when absent
---@return holos.SshSession
function M.wait_ready(world, target)
  local timeout_ms = target.timeout_ms or M.READY_TIMEOUT_MS
  local deadline_ms = task.now_ms() + timeout_ms
  local banner_ms, pause_ms, said = BANNER_MS.first, PAUSE_MS.first, nil
  while true do
    local session, problem = attempt(world, target, deadline_ms, banner_ms)
    if session then return session end
    if target.on_progress and problem.message ~= said then target.on_progress(problem.message) end
    said = problem.message
    local wait_ms = problem.code == "EAUTH" and REFUSED_PAUSE_MS or pause_ms
    if task.now_ms() + wait_ms >= deadline_ms then give_up(timeout_ms, problem) end
    task.wait { at_ms = task.now_ms() + wait_ms }
    banner_ms, pause_ms = grown(banner_ms, BANNER_MS), grown(pause_ms, PAUSE_MS)
  end
end

return M
