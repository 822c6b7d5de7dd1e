--- MAINTAINER and ONBUILD: what is only written down. Pure.
local flags = require "holos.dockerfile.flags"
local stage = require "holos.dockerfile.stage"

local M = {}

local NO_TRIGGERS = { FROM = true, MAINTAINER = true }

local function read_trigger(node)
  local trigger = node.trigger
  if not trigger then return nil, "ONBUILD requires at least one argument" end
  if trigger.name == "ONBUILD" then return nil, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" end
  if NO_TRIGGERS[trigger.name] then return nil, trigger.name .. " isn't allowed as an ONBUILD trigger" end
  if trigger.is_unknown then return nil, "unknown instruction: " .. trigger.written end
  return { trigger = trigger }
end

--- {text} or {trigger}
function M.read(node)
  local values, message, hint = flags.read(node.flags, {})
  if not values then return nil, message, hint end
  if node.name == "ONBUILD" then return read_trigger(node) end
  if not node.text then return nil, "MAINTAINER requires exactly one argument", 'LABEL maintainer="…"' end
  return { text = node.text }
end

function M.apply(state, command, node)
  if node.name == "MAINTAINER" then
    state.labels.maintainer = command.text
    return stage.warn(state, "MaintainerDeprecated",
      "The MAINTAINER instruction is deprecated, use a label instead to define an image author")
  end
  stage.warn(state, "NoMeaning", ("ONBUILD %s is not run: it is for images that start from this one, and machines do not")
    :format(command.trigger.name))
end

return M
