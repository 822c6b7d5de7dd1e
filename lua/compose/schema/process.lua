--- Command lines, limits and hooks of what a service runs. Data.
local command = require "holos.compose.command"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local text = require "holos.core.text"

local M = {}

local function split(value)
  local words, message = command.split(value)
  if not words then return nil, message end
  return tables.list(words)
end

--- Text, which is split as a shell would split it, or the words themselves; an empty one clears what is below it.
M.command = schema.either {
  text = schema.parsed { accepts = { text = true }, example = "nginx -g 'daemon off;'", parse = split },
  list = schema.list { of = schema.text { empty = true } },
}

-- What setrlimit(2) knows, by the names of systemd's Limit… settings.
local LIMITS = {
  "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
  "rttime", "sigpending", "stack",
}

local limit_name = schema.text {
  wanted = "the name of a limit",
  check = function(value)
    if tables.index_of(LIMITS, value) then return end
    local close = text.nearest(value, LIMITS)
    return ('there is no limit "%s"'):format(value),
      close and ('did you mean "%s"?'):format(close) or "known here: " .. table.concat(LIMITS, ", ")
  end,
}

local number = schema.integer { least = -1, hint = "-1 is no limit" }

local function soft_and_hard(value)
  return { soft = value, hard = value }
end

local function is_above(soft, hard)
  return soft and hard and hard ~= -1 and (soft == -1 or soft > hard)
end

--- {nofile: 1024} or {nofile: {soft: 1024, hard: 2048}} → both.
M.ulimits = schema.map { key = limit_name, of = schema.either {
  integer = schema.parsed { accepts = { integer = true }, parse = function(value)
    if value >= -1 then return soft_and_hard(value) end
    return nil, ("%d is below -1"):format(value), "-1 is no limit"
  end },
  text = schema.parsed { accepts = { text = true }, parse = function(value)
    local count = value:find("^%-?%d+$") and math.tointeger(tonumber(value))
    if count and count >= -1 then return soft_and_hard(count) end
    return nil, ('expected a whole number, got "%s"'):format(value), "-1 is no limit"
  end },
  map = schema.record({
    { "soft", number, required = true, meaning = "The limit that holds." },
    { "hard", number, required = true, meaning = "How far the program itself may raise it." },
  }, {
    canonical = function(value, at)
      if is_above(value.soft, value.hard) then at:report("the soft limit is above the hard one") end
      return value
    end,
  }),
} }

local PARAMETER = "[%w][%w_./:-]*"

-- A parameter is a path below /proc/sys: no part of it is empty or ".".
local function check_parameter(name)
  if name:find("[./][./]") or name:find("[./]$") then
    return ('"%s" is no kernel parameter: a separator without a name behind it'):format(name)
  end
end

local function check_assignment(text_)
  local name, value = text_:match("^([^=]*)=(.*)$")
  if value:find("[\r\n]") then return "has more than one line" end
  return check_parameter(name)
end

local parameter_value = schema.parsed {
  accepts = rules.word.accepts, wanted = "text on one line",
  parse = function(value)
    local word = rules.word.parse(value)
    if word:find("[\r\n]") then return nil, "has more than one line" end
    return word
  end,
}

--- {K: V} or ["K=V"] → {K = "V"}.
M.sysctls = schema.either {
  map = schema.map { of = parameter_value, key = schema.text {
    pattern = PARAMETER, wanted = 'a kernel parameter such as "net.core.somaxconn"', check = check_parameter } },
  list = schema.list {
    of = schema.text { pattern = PARAMETER .. "=.*", wanted = '"NAME=VALUE"', check = check_assignment },
    canonical = rules.pairs.list.canonical,
  },
}

local function hook_fields(more)
  local list = {
    { "command", M.command, required = not more, meaning = "Command line." },
    { "user", rules.user, default_text = "that of the program, else root", meaning = "Who runs it." },
    { "privileged", schema.boolean {}, class = "ignored", idle = false, reason = "a VM has a kernel of its own" },
    { "working_dir", rules.guest_path, default_text = "that of the program, else /", meaning = "Directory it is run in." },
    { "environment", rules.environment, meaning = "Variables for it, over those of the service." },
  }
  for _, field in ipairs(more or {}) do list[#list + 1] = field end
  return schema.record(list)
end

--- post_start and pre_stop.
M.hooks = schema.list { of = hook_fields() }

--- pre_start.
M.early_hooks = schema.list { of = hook_fields {
  { "image", rules.line, meaning = "Image that it is run from." },
  { "per_replica", schema.boolean {}, meaning = "Once for each instance." },
} }

return M
