--- Commands of a service that run in its guests after a start (post_start) and before a stop (pre_stop): in a spec, in
--- words, as a line for the guest's shell. Pure.
local lazy = require "holos.core.lazy"
local become = lazy "holos.plan.seed.become"
local environment = lazy "holos.plan.seed.environment"
local library = lazy "holos.plan.seed.library"
local table_ = require "holos.core.table"

local M = {}

---@class holos.Hook
---@field command     string[]
---@field user        string?  USER or USER:GROUP; nil: that of the program, else root
---@field working_dir string?  nil: that of the program, else /
---@field environment table<string, string>?  over the guest's

--- So long has each command of post_start.
M.POST_START_MS = 5 * 60 * 1000

--- How long those of pre_stop have together: the guest keeps as long to switch itself off.
function M.pre_stop_ms(grace_ms) return grace_ms // 2 end

--- The commands of a spec; nil where there are none.
---@param hooks holos.Hook[]  of the service
function M.list(hooks)
  if #hooks == 0 then return nil end
  return table_.list(table_.copy(hooks))
end

--- A command in a few words: "`pg_ctl stop`".
function M.title(hook) return "`" .. library.title(library.words(hook.command)) .. "`" end

--- What has become of post_start since the launch that a runtime tells of: how many have ended well, and why the next one
--- did not.
---@return integer? done  nil when all have
---@return table? failed
function M.outstanding(spec, now)
  local begun = now.post_start or {}
  local done = begun.done or 0
  if done >= #(spec.post_start or {}) then return nil end
  return done, begun.failed
end

-- Root first, as only root becomes somebody else; whoever is the wanted user already stays so. Our arguments are those of
-- the shell that runs the text.
local AS_WANTED = [[
holos_wanted=$4
if [ "$(id -u)" = 0 ] || [ "$(id -un)" = "$holos_wanted" ]; then exec sh "$@"; fi
if command -v sudo >/dev/null; then exec sudo -n -- sh "$@"; fi
exec doas -n -- sh "$@"
]]

local PREPARE = [[
fail() {
    echo "holos: $1" >&2
    exit 126
}

shift
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
]]

-- Each name that a shell can have is set by it, others by env(1); ours come again, as the guest's may have any names.
local function variables(hook, user, lines)
  lines[#lines + 1] = ("holos_tools=$PATH\nif [ -r %s ]; then set -a; . %s; set +a; fi"):format(environment.FILE,
    environment.FILE)
  for name, value in table_.sorted_pairs(hook.environment or {}) do
    if environment.is_plain(name, value) then
      lines[#lines + 1] = ("%s=%s; export %s"):format(name, library.words { value }, name)
    end
  end
  table_.extend(lines, become.assignments(user))
end

-- The text for the shell, whose arguments are the user and then the command's words.
local function script(spec, hook, user)
  local app = spec.app or {}
  local lines = { PREPARE .. become.FUNCTIONS }
  table_.extend(lines, become.assignments(user))
  lines[#lines + 1] = become.NAMES
  variables(hook, user, lines)
  table_.extend(lines, { library.words { "cd", hook.working_dir or app.working_dir or "/" }
      .. ' || fail "there is no directory to run it in"',
    library.words { "set", "--", "env", "--", table.unpack(environment.odd(hook.environment)) } .. ' "PATH=$PATH" "$@"',
    "PATH=$holos_tools", 'if [ "$(id -u)" != 0 ]; then exec "$@"; fi', 'become "$@"' })
  return table.concat(lines, "\n")
end

--- The words that run a command in a guest whose login user may become root, or is who it runs as.
---@param hook holos.Hook
---@return string[]
function M.words(spec, hook)
  local user = hook.user or (spec.app or {}).user or "root"
  return { "sh", "-c", AS_WANTED, "sh", "-c", script(spec, hook, user), "sh", user, table.unpack(hook.command) }
end

return M
