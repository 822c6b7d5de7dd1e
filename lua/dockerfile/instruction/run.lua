--- RUN: a command while the machine is being provisioned. Pure.
local command_ = require "holos.dockerfile.instruction.command"
local flags = require "holos.dockerfile.flags"
local heredoc = require "holos.dockerfile.heredoc"
local mount = require "holos.dockerfile.instruction.mount"
local scope = require "holos.dockerfile.scope"
local stage = require "holos.dockerfile.stage"

local M = {}

local FLAGS = { mount = "texts", network = "text", security = "text", device = "texts" }
local NETWORKS = { default = true, none = true, host = true }
local SECURITIES = { sandbox = true, insecure = true }

local function check_flags(values)
  if values.device then
    return "--device=" .. values.device[1] .. ": devices are the machine's, not a step's", "name it in the service: devices:"
  end
  if values.network and not NETWORKS[values.network] then
    return ("unsupported network mode %q"):format(values.network), "--network=none"
  end
  if values.security and not SECURITIES[values.security] then
    return ("security %q is not valid"):format(values.security)
  end
end

local function read_mounts(list)
  local mounts = {}
  for position, text in ipairs(list or {}) do
    local read, message, hint = mount.read(text)
    if not read then return nil, message, hint end
    mounts[position] = read
  end
  return mounts
end

--- {words} or {text}, {heredocs, mounts, network}
function M.read(node)
  local values, message, hint = flags.read(node.flags, FLAGS)
  if not values then return nil, message, hint end
  message, hint = check_flags(values)
  if message then return nil, message, hint end
  if not node.text and #(node.words or {}) == 0 then return nil, "RUN requires at least one argument", "RUN apt-get update" end
  message, hint = command_.check_words(node.words or {})
  if message then return nil, message, hint end
  local mounts
  mounts, message, hint = read_mounts(values.mount)
  if not mounts then return nil, message, hint end
  return {
    words = node.is_json and node.words or nil, text = node.text, heredocs = node.heredocs, mounts = mounts,
    network = values.network or "default", security = values.security,
  }
end

-- The line and the bodies as a shell reads them.
local function with_bodies(command)
  local parts = { command.text }
  for _, doc in ipairs(command.heredocs) do parts[#parts + 1] = doc.body .. doc.name end
  return table.concat(parts, "\n")
end

--- What runs: {argv}, or {shell, script}, or {shell, program} where the program is the content of an executable file. A
--- heredoc that stands alone is the script itself, or with "#!" such a program.
function M.form(state, command)
  if command.words then return { argv = command.words } end
  if #command.heredocs == 0 then return { shell = state.shell, script = command.text } end
  if #command.heredocs > 1 or not heredoc.parse(command.text) then
    return { shell = state.shell, script = with_bodies(command) }
  end
  local content = heredoc.content(command.heredocs[1])
  if content:find("^#!") then return { shell = state.shell, program = content } end
  return { shell = state.shell, script = content }
end

function M.apply(state, command, node)
  local step = M.form(state, command)
  local message, hint = command_.check_words { step.script }
  if message then return stage.report(state, message, hint) end
  step.kind, step.env, step.user, step.workdir = "run", scope.environment(state), state.user, state.workdir
  step.network, step.mounts = command.network, {}
  for _, read in ipairs(command.mounts) do step.mounts[#step.mounts + 1] = mount.make(state, read) end
  if command.network == "host" then
    stage.warn(state, "NoMeaning", "--network=host: a machine has a network of its own; the step has that")
  end
  stage.add_step(state, node, step)
end

return M
