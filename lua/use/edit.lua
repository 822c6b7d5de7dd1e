--- edit: a copy of a compose file is changed, looked at, and put in the place of the file. Effects: runs an editor, reads
--- and writes files.
local command = require "holos.compose.command"
local drafts = require "holos.run.drafts"
local editor = require "holos.run.editor"
local environment = require "holos.use.environment"
local err = require "holos.core.err"
local files = require "holos.use.files"
local keeping = require "holos.run.keeping"
local path = require "holos.core.path"
local prepare = require "holos.use.prepare"
local project = require "holos.use.project"
local replace = require "holos.run.replace"
local state_ = require "holos.run.state"
local table_ = require "holos.core.table"
local validate = require "holos.use.validate"

local M = {}

M.DEFAULT_EDITOR = "vi"
M.KEEP_DAYS = keeping.DAYS

-- The file among those of the project that `name` means; without a name the first.
local function choose(world, found, name)
  local file = name and path.absolute(name, world.host.working_directory()) or found.files[1]
  if file == files.STDIN then err.raise { message = "standard input cannot be edited", code = "EUSAGE", exit = 64 } end
  if table_.index_of(found.files, file) then return file end
  local shown = {}
  for i, one in ipairs(found.files) do shown[i] = environment.shown(world, one) end
  err.raise { message = ("%s is no file of this project"):format(name), code = "EUSAGE", exit = 64,
    hint = "it has: " .. table.concat(shown, " ") .. "   (another one is named with -f)" }
end

local Draft = {}
Draft.__index = Draft

local function read(world, file)
  local text, message, code = files.read(world, file)
  if not text then err.raise { message = message, code = code, exit = 2 } end
  return text
end

--- A copy of the file that is to be edited.
---@param name string?  which of the project's files
---@return table draft  {file, shown, copy, before, kept = copies of it that were not saved, swept = how many old ones went}
function M.begin(world, options, name)
  local found = project.require_files(world, options)
  files.require_named(world, found, "edit")
  local file = choose(world, found, name)
  local draft = setmetatable({ world = world, options = options, found = found, file = file,
    shown = environment.shown(world, file), before = read(world, file) }, Draft)
  local state = state_.locate(world, options)
  draft.swept, draft.kept = drafts.sweep(world, state), drafts.kept(world, state, file)
  draft.copy = drafts.make(world, state, file, draft.before)
  return draft
end

--- The editor and its arguments: VISUAL, EDITOR or vi, split into words as a shell would, by no shell.
---@return string program
---@return string[] argv
function M.editor(world)
  local named, variable
  for _, name in ipairs { "VISUAL", "EDITOR" } do
    local value = world.host.env(name)
    if not named and value and value:find("%S") then named, variable = value, name end
  end
  if not named and not world.tty.is_terminal(0) then
    err.raise { message = "there is no terminal for " .. M.DEFAULT_EDITOR, code = "ENOTTY",
      hint = "EDITOR names a program that needs none" }
  end
  local words, message = command.split(named or M.DEFAULT_EDITOR)
  if not words then err.raise { message = ("%s: %s"):format(variable, message), code = "EINVAL" } end
  local program, why = world.qemu.find(words[1])
  if not program then
    err.raise { message = variable and ("%s: %s"):format(variable, why) or why, code = "ENOENT",
      hint = "name your editor: export EDITOR=nano" }
  end
  return program, table.move(words, 2, #words, 1, {})
end

--- Lets the user at the copy; raises when the editor says that it failed, as `:cq` of vi does.
function Draft:edit()
  local program, argv = M.editor(self.world)
  argv[#argv + 1] = self.copy
  local how = editor.run(self.world, program, argv)
  if how.exit == 0 then return end
  err.raise { message = ("%s ended with %s; %s is as it was"):format(path.base(program),
    how.signal and "signal " .. how.signal or "status " .. how.exit, self.shown), code = "EEDITOR" }
end

--- Whether the copy says something else than the file did.
function Draft:is_changed()
  self.text = read(self.world, self.copy)
  return self.text ~= self.before
end

local function attempt(fn, ...)
  local fine, result = xpcall(fn, err.trace, ...)
  if not fine and not err.is_failure(result) then error(result, 0) end
  return fine, result
end

-- The word that names a file is none that names a service.
local function without_words(options) return setmetatable({ arguments = {} }, { __index = options }) end

--- What the copy would mean in the place of the file.
---@return {problem: table?, context: table?, prepared: table?, obstacle: table?}  `problem`: it cannot be used; `obstacle`:
---  there is nothing wrong with it, and still there is no plan
function Draft:look()
  local found = table_.merge(self.found, { texts = { [self.file] = self.text } })
  local fine, context = attempt(function()
    local made = project.of_files(self.world, found, without_words(self.options))
    validate.run(made)
    return made
  end)
  if not fine then return { problem = context } end
  local planned, prepared = attempt(prepare.preview, context, {})
  return { context = context, prepared = planned and prepared or nil, obstacle = not planned and prepared or nil }
end

--- Puts the copy's text into the file. Raises when the file is not what it was when the copy was made.
function Draft:save()
  if files.read(self.world, self.file) ~= self.before then
    err.raise { message = ("%s was changed by somebody else meanwhile; it is left as it is"):format(self.shown),
      code = "ECHANGED", exit = 3, hint = ("compare: diff %s %s"):format(self.shown, self.copy) }
  end
  replace.text(self.world, self.file, self.text, self.before)
  self.is_saved = true
end

--- Ends with the copy: it is removed where nothing would be lost with it.
---@return string? kept  where the copy is
function Draft:finish()
  local text, _, code = files.read(self.world, self.copy)
  local is_needless = self.is_saved and text == self.text or text == self.before or code == "ENOENT"
  if not is_needless then return self.copy end
  self.world.fs.remove_tree(path.parent(self.copy))
end

return M
