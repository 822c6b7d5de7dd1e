--- COPY and ADD: files for the machine. Pure.
local flags = require "holos.dockerfile.flags"
local heredoc = require "holos.dockerfile.heredoc"
local source = require "holos.dockerfile.instruction.source"
local scope = require "holos.dockerfile.scope"
local stage = require "holos.dockerfile.stage"

local M = {}

local FLAGS = {
  COPY = { chown = "text", chmod = "text", link = "boolean", from = "text", parents = "boolean", exclude = "texts" },
  ADD = { chown = "text", chmod = "text", link = "boolean", ["keep-git-dir"] = "boolean", checksum = "text",
    exclude = "texts", unpack = "boolean" },
}

local function split_sources(node)
  local command = { sources = {}, inline = {}, target = node.words[#node.words] }
  local by_name = {}
  for _, doc in ipairs(node.heredocs) do by_name[doc.name] = doc end
  for position = 1, #node.words - 1 do
    local word = node.words[position]
    local begun = not node.is_json and heredoc.parse(word)
    local doc = begun and by_name[begun.name]
    if doc then
      command.inline[#command.inline + 1] = { name = doc.name, content = heredoc.content(doc), expands = doc.expands }
    else
      command.sources[#command.sources + 1] = word
    end
  end
  return command
end

local function refuse_from(from)
  return nil, ("--from=%s: builds of several stages are not available yet"):format(from),
    "install or build it in this stage, or copy it from the context"
end

--- {sources, inline = {{name, content, expands}}, target, flags}
function M.read(node)
  local values, message, hint = flags.read(node.flags, FLAGS[node.name])
  if not values then return nil, message, hint end
  if #node.words < 2 then
    return nil, ("%s requires at least two arguments: what is copied, and where to"):format(node.name),
      node.name .. " . /srv/app/"
  end
  if values.from then return refuse_from(values.from) end
  if not node.is_json and heredoc.parse(node.words[#node.words]) then
    return nil, node.name .. " cannot accept a heredoc as a destination", node.name .. " <<EOF /path"
  end
  local command = split_sources(node)
  command.flags = values
  return command
end

-- -- sources ----------------------------------------------------------------------------------------------------------

local function add_source(state, step, text, is_add)
  local value = scope.expand(state, text)
  if not value then return end
  if value == "" then
    return stage.report(state, ("the source %s is empty"):format(text), "everything in the context is written .")
  end
  local remote, message, hint
  if is_add then remote, message, hint = source.remote(value) end
  if message then return stage.report(state, message, hint) end
  if remote then
    remote.unpack = remote.kind == "url" and step.unpack or nil
    step.remotes[#step.remotes + 1] = remote
  elseif value:find("%c") then
    stage.report(state, ("the path %q has a control character"):format(value))
  else
    step.sources[#step.sources + 1] = source.in_context(value, step.parents)
  end
end

local function add_inline(state, step, doc)
  local content = doc.content
  if doc.expands then content = scope.expand_content(state, content) end
  step.inline[#step.inline + 1] = { name = doc.name, content = content or "" }
end

-- -- checks -----------------------------------------------------------------------------------------------------------

local function check_target(state, step)
  local count, is_directory = #step.sources + #step.inline + #step.remotes, step.target:sub(-1) == "/"
  if count > 1 and not is_directory then
    stage.report(state, ("with more than one source the target is a directory and ends with a slash: %s"):format(step.target),
      step.target .. "/")
  end
  for _, doc in ipairs(is_directory and step.inline or {}) do
    if doc.name:find("/", 1, true) or doc.name == "." or doc.name == ".." then
      stage.report(state, ("the heredoc's name %q is no name of a file"):format(doc.name), "the name of a heredoc is the file's")
    end
  end
  for _, remote in ipairs(is_directory and step.remotes or {}) do
    if remote.kind == "url" and not remote.name then
      stage.report(state, ("the address %s ends with no name for the file"):format(remote.shown or remote.url),
        "name the file in the target")
    end
  end
end

local function check_checksum(state, step)
  if not step.checksum then return end
  local remote = step.remotes[1]
  if not remote or #step.remotes + #step.sources + #step.inline > 1 then
    return stage.report(state, "--checksum is of one file from the network, or of one git repository")
  end
  step.checksum = step.checksum:lower()
  if not source.is_checksum(step.checksum, remote.kind) then
    stage.report(state, ("--checksum=%s is no checksum"):format(step.checksum),
      remote.kind == "git" and "it is the commit: 40 hexadecimal digits" or "--checksum=sha256:…, with 64 hexadecimal digits")
  end
end

local function check_git(state, step)
  if not step.keep_git_dir then return end
  for _, remote in ipairs(step.remotes) do
    if remote.kind == "git" then return end
  end
  stage.report(state, "--keep-git-dir is for git repositories", "take it away")
end

local function check_rights(state, step)
  if step.chown and not source.is_owner(step.chown) then
    stage.report(state, ("--chown=%s is neither USER nor USER:GROUP"):format(step.chown), "--chown=www-data:www-data")
  end
  if step.chmod and not source.is_mode(step.chmod) then
    stage.report(state, ("--chmod=%s is no mode"):format(step.chmod), "--chmod=755   or   --chmod=u=rwX,go=rX")
  end
end

-- -- the step ---------------------------------------------------------------------------------------------------------

local function expanded(state, text) return text and scope.expand(state, text) end

function M.apply(state, command, node)
  local values = command.flags
  local step = {
    kind = node.name:lower(), sources = {}, inline = {}, remotes = {}, exclude = {}, parents = values.parents,
    chown = expanded(state, values.chown), chmod = expanded(state, values.chmod), checksum = expanded(state, values.checksum),
    unpack = values.unpack, keep_git_dir = values["keep-git-dir"],
  }
  for _, text in ipairs(values.exclude or {}) do step.exclude[#step.exclude + 1] = expanded(state, text) end
  for _, text in ipairs(command.sources) do add_source(state, step, text, node.name == "ADD") end
  for _, doc in ipairs(command.inline) do add_inline(state, step, doc) end
  local target = scope.expand(state, command.target)
  step.target = target and stage.absolute(state, target, command.target)
  if not step.target then return end
  for _, check in ipairs { check_target, check_checksum, check_git, check_rights } do check(state, step) end
  stage.add_step(state, node, step)
end

return M
