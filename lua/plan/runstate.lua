--- QEMU's run states: whether a guest runs on, why not, and what helps. Pure.
local M = {}

--- A guest that lives and does not run.
---@class holos.Halt
---@field word string   for lists: "io-error", "paused", "panicked", …
---@field text string   a clause for people
---@field cure string?  "resume": it goes on where it stopped; "restart": only a new start helps; nil: it may go on by itself
---@field step string?  what to do before the cure

-- QAPI's RunState (qapi/run-state.json). Those that are on their way into or out of "running" count as running.
local PASSING = { running = true, prelaunch = true, inmigrate = true, postmigrate = true, ["finish-migrate"] = true,
  ["restore-vm"] = true, ["save-vm"] = true, colo = true, shutdown = true }

local HALTS = {
  paused = { word = "paused", cure = "resume", text = "somebody has paused it over its monitor" },
  ["io-error"] = { word = "io-error", cure = "resume" },
  ["guest-panicked"] = { word = "panicked", cure = "restart", text = "its kernel has given up" },
  ["internal-error"] = { word = "internal-error", cure = "restart", text = "QEMU or KVM could not carry on" },
  watchdog = { word = "watchdog", cure = "restart", text = "its watchdog has stopped it" },
  suspended = { word = "suspended", text = "it has put itself to sleep" },
}

local function printable(word)
  return type(word) == "string" and word:gsub("[^%w%-]", "?"):sub(1, 40) or "unknown"
end

--- The first disk of query-block's answer that failed: its io-status and its node's name.
local function failed_disk(blocks)
  for _, block in ipairs(type(blocks) == "table" and blocks or {}) do
    local status = type(block) == "table" and block["io-status"]
    if status == "nospace" or status == "failed" then
      local node = type(block.inserted) == "table" and block.inserted["node-name"]
      return status, node and printable(node)
    end
  end
end

local function disk_text(blocks)
  local status, node = failed_disk(blocks)
  if status == "nospace" then return "the host's disk is full" .. (node and (" (writing %s)"):format(node) or "") end
  if node then return "the host failed to read or write its disk " .. node end
  return "one of its disks failed"
end

--- Why a guest in `status` does not run; nil when it does.
---@param status string   of query-status
---@param blocks table[]?  of query-block, for io-error
---@return holos.Halt?
function M.halt(status, blocks)
  if PASSING[status] then return nil end
  local known = HALTS[status]
  if not known then return { word = printable(status), text = "a state of QEMU that holos does not know" } end
  if status ~= "io-error" then return known end
  local is_full = failed_disk(blocks) == "nospace"
  return { word = known.word, cure = known.cure, text = "paused, as " .. disk_text(blocks),
    step = is_full and "free space" or "mend it" }
end

--- "io-error: paused, as the host's disk is full (writing root)"
function M.describe(halt) return ("%s: %s"):format(halt.word, halt.text) end

local function next_step(spec, halt)
  local start = ("holos start -p %s %s"):format(spec.project, spec.name)
  if halt.cure == "resume" then return halt.step and ("%s, then: %s"):format(halt.step, start) or "let it go on: " .. start end
  if halt.cure == "restart" then
    return ("its last words: holos logs -p %s %s · a new start, with its disk as it is: %s"):format(spec.project, spec.name, start)
  end
end

--- The failure of a wait for a guest that has halted, for core.err.
---@param spec {project: string, name: string}
---@param halt holos.Halt
function M.problem(spec, halt)
  return { code = "EHALTED", exit = 4, can_go_on = halt.cure == "resume", message = ("%s: %s"):format(spec.name, M.describe(halt)),
    hint = next_step(spec, halt) }
end

return M
