--- What is known while a Dockerfile is evaluated, from line to line: variables, user, directory, shell, steps. Pure.
local parse = require "holos.dockerfile.parse"
local path = require "holos.core.path"
local shell = require "holos.dockerfile.shell"
local text_ = require "holos.core.text"

local M = {}

--- What programs find where the file says nothing: Docker's own.
M.default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

--- Findings, and warnings, that one file may have: who wrote more wants another file.
M.most_findings = 200

local DEFAULT_SHELL = { "/bin/sh", "-c" }

--- Docker's names of architectures.
M.architectures = { x86_64 = "amd64", aarch64 = "arm64" }

--- Arguments that need no ARG, and are no part of the machine; lower case too.
M.proxies = { "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY" }

local TITLE_COLUMNS = 100

-- What a builder sets for every file: a stage sees of it what it declares by ARG.
local function platform_values(architecture)
  local name = M.architectures[architecture] or architecture
  local values = {}
  for _, side in ipairs { "TARGET", "BUILD" } do
    if name then values[side .. "PLATFORM"], values[side .. "ARCH"] = "linux/" .. name, name end
    values[side .. "OS"], values[side .. "VARIANT"] = "linux", ""
  end
  return values
end

local function proxy_values(args)
  local values = {}
  for _, name in ipairs(M.proxies) do
    values[name], values[name:lower()] = args[name], args[name:lower()]
  end
  return values
end

---@class holos.dockerfile.Options
---@field args table<string, string>?  values of ARG by name
---@field target string?               the stage that is wanted
---@field architecture string?         "x86_64" or "aarch64"
---@field image (fun(text: string): string?, string?)?  why FROM cannot name this: message and hint
---@field mount (fun(mount: table): string?, string?)?  why a step cannot have this mount: message and hint

--- The state before the first instruction.
---@param o holos.dockerfile.Options
function M.new(ast, o)
  local args = o.args or {}
  local state = {
    escape = ast.escape, options = o, given = args, line = 1, budget = shell.budget(), findings = {}, warnings = {}, undefined = {},
    globals = setmetatable({}, { __index = platform_values(o.architecture) }), platform = platform_values(o.architecture),
    env = {}, env_values = {}, arg_names = {}, arg_values = {}, known_args = {}, known_globals = {}, env_places = {},
    variable_bytes = 0, workdir = "/",
    shell = DEFAULT_SHELL, steps = {}, expose = {}, volumes = {}, labels = {}, places = { expose = {}, volumes = {} },
  }
  local base = setmetatable(proxy_values(args), { __index = { PATH = M.default_path } })
  state.proxies = proxy_values(args)
  state.values = setmetatable({}, { __index = function(_, name)
    return state.env_values[name] or state.arg_values[name] or base[name]
  end })
  return state
end

--- A finding at the current line.
function M.report(state, message, hint)
  if #state.findings >= M.most_findings then return end
  state.findings[#state.findings + 1] = parse.finding(state.line, message, hint)
end

--- Something that works and should be known; `rule` is its name for `# check=skip=`.
function M.warn(state, rule, message)
  if #state.warnings >= M.most_findings then return end
  state.warnings[#state.warnings + 1] = { rule = rule, line = state.line, message = text_.escape_terminal(message) }
end

-- -- steps ------------------------------------------------------------------------------------------------------------

local function summary(node)
  local doc = node.heredocs[1]
  local first = doc and doc.body and doc.body:match("^%s*([^\n]*)")
  return first and first ~= "" and (" (%s)"):format(first) or ""
end

--- An instruction on one line, for lists of steps: reports and logs tell it, so names and passwords of addresses are left out.
function M.title(node)
  local words = node.original:gsub("%s+", " "):gsub("^ ", ""):gsub("^%S+", string.upper, 1)
  local shown = (words .. summary(node)):gsub("(%a[%w+.-]*://)[^/?%s]*@", "%1")
  return text_.truncate(text_.escape_terminal(shown), TITLE_COLUMNS)
end

--- Adds a step.
function M.add_step(state, node, step)
  step.line, step.title = node.line, M.title(node)
  state.steps[#state.steps + 1] = step
end

--- A path as the steps see it: below the working directory unless it begins with a slash. Nil when it is no path, which is
--- reported. A slash at the end stays.
---@param written string?  the same before its variables had values
---@return string?
function M.absolute(state, text, written)
  if text == "" then
    M.report(state, ("the path %s is empty"):format(written or '""'), "ARG NAME=value or ENV NAME=value before it gives a value")
    return nil
  elseif text:find("%c") then
    M.report(state, ("the path %q has a control character"):format(text))
    return nil
  end
  local is_directory = text:find("/%.?$") ~= nil or text == "." or text == ".." or text:find("/%.%.$") ~= nil
  local whole = path.absolute(text, state.workdir)
  return (is_directory and whole ~= "/") and whole .. "/" or whole
end

return M
