--- A program of the user's choice on the user's terminal, waited for to its end. Effects: forks, waits, holds signals.
local err = require "holos.core.err"
local io_wait = require "holos.run.io"
local task = require "holos.core.task"

local M = {}

-- How long an editor that is told to end may take to put its text into safety.
M.END_MS = 5000

-- Ctrl-\ reaches all that run in the foreground. While the editor is there it is the editor's.
local function without_quit(world)
  local held = err.check("signals", world.proc.signals { "QUIT" })
  return setmetatable({}, { __close = function()
    while held:try_next() do end -- what is left unread would end us now
    held:close()
  end })
end

local function environment(world)
  local list = {}
  for name, value in pairs(world.host.environ()) do list[#list + 1] = name .. "=" .. value end
  table.sort(list)
  return list
end

-- When its scope is left early, because we are told to end, the editor is told so too.
local function told_to_end(world, child)
  return setmetatable({}, { __close = function(self)
    if self.done then return end
    local process <close> = world.proc.open(child.pid, child.start_time)
    if process then process:signal("TERM") end
    pcall(task.shield, M.END_MS, io_wait.await, child, "try_wait")
  end })
end

-- Lets it go and waits for its end. From its first instruction on Ctrl-C is its own.
local function go_and_wait(world, program, child)
  return task.scope(function(scope)
    scope:spawn("Ctrl-C is the editor's", function()
      while true do task.wait { signal = "INT" } end
    end)
    task.shield(io_wait.GO_MS, io_wait.go, nil, child) -- one that runs already is to be told, not killed
    local guard <close> = told_to_end(world, child)
    local how = err.check(program, io_wait.await(child, "try_wait"))
    guard.done = true
    scope:cancel("the editor has ended")
    return how
  end)
end

--- Runs it in our own process group, so that the shell stops and continues both of us, and gives how it ended.
---@param program string    absolute, or with a slash
---@param argv string[]     without argv[0]
---@return {exit: integer?, signal: string?} how
function M.run(world, program, argv)
  local _quit <close> = without_quit(world)
  local child <close> = err.check(nil, world.launch.prepare { program = program, argv = argv, env = environment(world),
    stdin = 0, stdout = 1, stderr = 2, session = false })
  return go_and_wait(world, program, child)
end

return M
