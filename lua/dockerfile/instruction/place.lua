--- WORKDIR, USER, VOLUME, EXPOSE and STOPSIGNAL: where and as whom things run, and what else is said of them. Pure.
local flags = require "holos.dockerfile.flags"
local path = require "holos.core.path"
local source = require "holos.dockerfile.instruction.source"
local scope = require "holos.dockerfile.scope"
local stage = require "holos.dockerfile.stage"

local M = {}

local EXAMPLE = {
  WORKDIR = "/srv/app", USER = "www-data", VOLUME = "/var/lib/app", EXPOSE = "8080", STOPSIGNAL = "SIGTERM",
}

--- {words} or {text}
function M.read(node)
  local values, message, hint = flags.read(node.flags, {})
  if not values then return nil, message, hint end
  if not node.text and #(node.words or {}) == 0 then
    return nil, ("%s requires %s one argument"):format(node.name, node.words and "at least" or "exactly"),
      node.name .. " " .. EXAMPLE[node.name]
  end
  return { words = node.words, text = node.text }
end

local apply = {}

-- Adds to a list of the recipe what is not in it yet, with its line.
local function add_once(state, name, key, value)
  local list = state[name]
  if list[key] then return end
  list[#list + 1], list[key] = value, true
  state.places[name][#list] = state.line
end

function apply.WORKDIR(state, command, node)
  local text = scope.expand(state, command.text)
  local whole = text and stage.absolute(state, text, command.text)
  if not whole then return end
  if not state.has_workdir and text:sub(1, 1) ~= "/" then
    stage.warn(state, "WorkdirRelativePath",
      ("Relative workdir %q can have unexpected results if the base image changes"):format(text))
  end
  state.workdir, state.has_workdir, state.places.workdir = path.normalize(whole), true, state.line
  stage.add_step(state, node, { kind = "workdir", path = state.workdir, user = state.user })
end

function apply.USER(state, command)
  local text = scope.expand(state, command.text)
  if not text then return end
  if not source.is_owner(text) then
    return stage.report(state, ("USER %s is neither USER nor USER:GROUP"):format(text), "USER www-data   or   USER 1000:1000")
  end
  state.user, state.places.user = text, state.line
end

function apply.VOLUME(state, command)
  for _, word in ipairs(command.words) do
    local text = scope.expand(state, word)
    if text and (text:sub(1, 1) ~= "/" or text:find("%c")) then
      stage.report(state, ("VOLUME %s is no absolute path"):format(text), "VOLUME /" .. text:gsub("%c", ""))
    elseif text then
      local whole = path.normalize(text)
      add_once(state, "volumes", whole, whole)
    end
  end
end

local function number_of(text)
  local number = #text <= 5 and math.tointeger(tonumber(text))
  return number and number >= 1 and number <= 65535 and number or nil
end

-- "80", "80-90/udp"; a part for the host before it is left out with a warning.
local function port_of(state, text)
  local own = text:match("([^:]*)$")
  if own ~= text then
    stage.warn(state, "ExposeInvalidFormat",
      ("EXPOSE %s: no address and no port of the host belong here; ports are published by ports:"):format(text))
  end
  local from, to, protocol = own:match("^(%d+)%-?(%d*)/?(%a*)$")
  local port, last = number_of(from or ""), number_of(to or "")
  local name = protocol and protocol:lower()
  if name == "" then name = "tcp" end
  local is_known = name == "tcp" or name == "udp" or name == "sctp"
  if not port or to ~= "" and not last or last and last < port or not is_known then
    return stage.report(state, ("EXPOSE %s is no port"):format(text), "EXPOSE 8080   or   EXPOSE 53/udp")
  end
  if name ~= protocol and protocol ~= "" then
    stage.warn(state, "ExposeProtoCasing", ("EXPOSE %s: the protocol should be lower case"):format(text))
  end
  return { port = port, to = last ~= port and last or nil, protocol = name }
end

function apply.EXPOSE(state, command)
  for _, word in ipairs(command.words) do
    for _, text in ipairs(scope.expand_words(state, word) or {}) do
      local port = port_of(state, text)
      local key = port and ("%d-%s/%s"):format(port.port, port.to or "", port.protocol)
      if port then add_once(state, "expose", key, port) end
    end
  end
end

local SIGNALS = {
  HUP = 1, INT = 2, QUIT = 3, ILL = 4, TRAP = 5, ABRT = 6, IOT = 6, BUS = 7, FPE = 8, KILL = 9, USR1 = 10, SEGV = 11, USR2 = 12,
  PIPE = 13, ALRM = 14, TERM = 15, STKFLT = 16, CHLD = 17, CONT = 18, STOP = 19, TSTP = 20, TTIN = 21, TTOU = 22, URG = 23,
  XCPU = 24, XFSZ = 25, VTALRM = 26, PROF = 27, WINCH = 28, IO = 29, POLL = 29, PWR = 30, SYS = 31,
}

--- "term", "SIGTERM" and "15" → "SIGTERM", "SIGTERM" and "15"; nil for what is no signal.
function M.signal(text)
  local number = math.tointeger(tonumber(text:match("^%d%d?$")))
  if number then return number >= 1 and number <= 64 and tostring(number) or nil end
  local name = text:upper():gsub("^SIG", "")
  local is_realtime = name:find("^RTMIN$") or name:find("^RTMIN%+%d%d?$") or name:find("^RTMAX$") or name:find("^RTMAX%-%d%d?$")
  return (SIGNALS[name] or is_realtime) and "SIG" .. name or nil
end

function apply.STOPSIGNAL(state, command)
  local text = scope.expand(state, command.text)
  local signal = text and M.signal(text)
  if text and not signal then stage.report(state, ("STOPSIGNAL %s is no signal"):format(text), "STOPSIGNAL SIGTERM") end
  if signal then state.stop_signal, state.places.stop_signal = signal, state.line end
end

function M.apply(state, command, node) apply[node.name](state, command, node) end

return M
