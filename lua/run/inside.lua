--- Scripts of ours for root of a guest that runs. Effects: SSH to the guest.
local err = require "holos.core.err"
local remote = require "holos.run.remote"
local task = require "holos.core.task"
local text = require "holos.core.text"

local M = {}

-- Runs what comes on its standard input as root, whoever we are in the guest. Servers take command lines of a few kilobytes
-- only (dropbear: 9000 bytes). All of it is read before any of it runs, so that no command reads it as its own input.
local AS_ROOT = [[holos_all='eval "$(cat)" </dev/null'
if [ "$(id -u)" = 0 ]; then exec sh -c "$holos_all"; fi
if command -v sudo >/dev/null; then exec sudo -n sh -c "$holos_all"; fi
exec doas -n sh -c "$holos_all"]]

local SAID_BYTES = 400

-- Takes what comes, however much, and gives its last line as it can be shown.
local function tail()
  local kept = ""
  return function(chunk) kept = (kept .. chunk:sub(-SAID_BYTES)):sub(-SAID_BYTES) end, function()
    local line = kept:match("([^%s][^\n]*)%s*$")
    return line and text.escape_terminal((line:gsub("%s+$", "")))
  end
end

local function reason_of(result, said) return ("exit %s%s"):format(result.status or result.signal, said and ": " .. said or "") end

--- Runs a script as root in a guest, tried once.
---@param at table  {state, spec, now: its runtime}
---@return boolean done
---@return string? reason  why not
function M.as_root(world, at, script, timeout_ms)
  local on_stderr, stderr = tail()
  local on_stdout, stdout = tail()
  local fine, result = pcall(task.within, timeout_ms, function()
    local session <close> = remote.connect(world, at.state, at.spec, at.now, { timeout_ms = timeout_ms })
    return session:exec(remote.command_line(at.spec, { "sh", "-c", AS_ROOT }), { timeout_ms = timeout_ms, stdin = script,
      stdout = on_stdout, stderr = on_stderr })
  end)
  if not fine and not err.is_failure(result) then error(result, 0) end
  if fine and result.status == 0 then return true end
  return false, fine and reason_of(result, stderr() or stdout()) or result.message
end

return M
