--- FROM: what the machine starts from. Pure.
local flags = require "holos.dockerfile.flags"
local scope = require "holos.dockerfile.scope"
local stage = require "holos.dockerfile.stage"

local M = {}

local ONE_STAGE = "builds of several stages are not available yet"
local IN_ONE = "install, build, and remove what is not needed any more, in one stage; or COPY what was built elsewhere"

--- {image, platform, name}
function M.read(node)
  local words = node.words
  local has_name = #words == 3 and words[2]:lower() == "as"
  if #words ~= 1 and not has_name then
    return nil, "FROM requires either one or three arguments", "FROM debian:12   or   FROM debian:12 AS name"
  end
  local name = has_name and words[3]:lower() or nil
  if name and not name:find("^[a-z][a-z0-9_.-]*$") then
    return nil, ("invalid name for build stage: %q"):format(words[3]), "it begins with a letter; letters, digits, - _ and . follow"
  end
  local values, message, hint = flags.read(node.flags, { platform = "text" })
  if not values then return nil, message, hint end
  return { image = words[1], platform = values.platform, name = name }
end

-- Steps run on the machine itself, which is of one architecture.
local function check_platform(state, platform)
  local wanted, own = platform:match("^linux/([^/]+)"), state.globals.TARGETARCH
  if not wanted then return stage.report(state, ("--platform=%s: machines run Linux"):format(platform)) end
  local known = stage.architectures[wanted] or wanted
  if own and known ~= own then
    stage.report(state, ("--platform=%s: the machine is linux/%s"):format(platform, own), "take --platform away")
  end
end

local function check_image(state, image, written)
  if image == "" or image ~= written and image:find("[:@]$") then
    local named = image == "" and "nothing" or ('"%s"'):format(image)
    return stage.report(state, ("FROM %s names %s: a variable of it is empty"):format(written, named),
      "an ARG before FROM can have a default: ARG BASE=debian:12")
  end
  if image:lower() == "scratch" then
    return stage.report(state, "FROM scratch: a machine starts from a disk image with a system on it", "FROM debian:12")
  end
  if state.options.image then
    local message, hint = state.options.image(image)
    if message then stage.report(state, message, hint) end
  end
end

function M.apply(state, command)
  state.stages = (state.stages or 0) + 1
  if state.stages > 1 then
    if state.stages == 2 then stage.report(state, "a second FROM: " .. ONE_STAGE, IN_ONE) end
    return
  end
  local image = scope.expand(state, command.image, { values = state.globals })
  local platform = command.platform and scope.expand(state, command.platform, { values = state.globals })
  if image then check_image(state, image, command.image) end
  if platform and platform ~= "" then check_platform(state, platform) end
  state.from = { text = image or command.image, platform = platform, line = state.line, name = command.name }
end

--- Says when the stage that is wanted is not there.
function M.check_target(state)
  local target, from = state.options.target, state.from
  if not target or not from or target:lower() == from.name or target == "0" or target == "" or state.stages > 1 then return end
  state.line = from.line
  stage.report(state, ("target stage %q could not be found"):format(target),
    from.name and "the stage of this file is " .. from.name or "name it: FROM " .. from.text .. " AS " .. target)
end

return M
