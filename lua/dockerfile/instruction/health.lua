--- HEALTHCHECK: how to tell that the application is well. Pure.
local command_ = require "holos.dockerfile.instruction.command"
local flags = require "holos.dockerfile.flags"
local units = require "holos.core.units"

local M = {}

local FLAGS = {
  interval = "text", timeout = "text", ["start-period"] = "text", ["start-interval"] = "text", retries = "text",
}

-- A duration of at least a millisecond; 0 is as if nothing were said.
local function duration(values, name)
  local text = values[name]
  if not text or text == "" then return nil end
  local value_ms = units.parse_duration(text)
  if not value_ms then return nil, ("--%s=%s is no duration"):format(name, text), ("--%s=30s"):format(name) end
  if value_ms < 1 and text:find("[1-9]") then return nil, ("--%s=%s cannot be less than 1ms"):format(name, text) end
  return value_ms > 0 and value_ms or nil
end

local function read_options(values)
  local command = {}
  for _, name in ipairs { "interval", "timeout", "start-period", "start-interval" } do
    local value_ms, message, hint = duration(values, name)
    if message then return nil, message, hint end
    command[name:gsub("-", "_") .. "_ms"] = value_ms
  end
  local retries = values.retries
  if retries and retries ~= "" then
    local number = #retries < 10 and retries:find("^%d+$") and math.tointeger(tonumber(retries))
    if not number then return nil, ("--retries=%s is no number of times"):format(retries), "--retries=3" end
    command.retries = number > 0 and number or nil
  end
  return command
end

--- {disable = true}, or {words} or {text} with {interval_ms, timeout_ms, start_period_ms, start_interval_ms, retries}
function M.read(node)
  local kind = node.kind and node.kind:upper()
  if not kind then return nil, "HEALTHCHECK requires at least one argument", "HEALTHCHECK CMD curl -f http://localhost/" end
  local values, message, hint = flags.read(node.flags, kind == "NONE" and {} or FLAGS)
  if not values then return nil, message, hint end
  if kind == "NONE" then
    if node.text or node.words then return nil, "HEALTHCHECK NONE takes no arguments" end
    return { disable = true }
  end
  if kind ~= "CMD" then
    return nil, ("unknown type %q in HEALTHCHECK"):format(node.kind), "HEALTHCHECK CMD " .. node.original:match("%S+%s*(.*)$")
  end
  if not node.text and #(node.words or {}) == 0 then
    return nil, "missing command after HEALTHCHECK CMD", "HEALTHCHECK CMD curl -f http://localhost/"
  end
  message, hint = command_.check_words(node.words or { node.text })
  if message then return nil, message, hint end
  local command
  command, message, hint = read_options(values)
  if not command then return nil, message, hint end
  command.words, command.text = node.is_json and node.words or nil, node.text
  return command
end

function M.apply(state, command)
  state.healthcheck, state.places.healthcheck = command, state.line
end

local FIELDS = { "interval_ms", "timeout_ms", "start_period_ms", "start_interval_ms", "retries" }

--- The check as recipes hold it, once the shell is known: that of the end of the file.
---@return table?
function M.finish(state)
  local command = state.healthcheck
  if not command or command.disable then return command and { disable = true } end
  local check = {}
  for _, field in ipairs(FIELDS) do check[field] = command[field] end
  if command.words then
    check.test = { "CMD", table.unpack(command.words) }
  elseif state.has_shell then
    check.test = { "CMD", table.unpack(state.shell) }
    check.test[#check.test + 1] = command.text
  else
    check.test = { "CMD-SHELL", command.text }
  end
  return check
end

return M
