--- A program that runs beside a test, until its <close>: what holds a lock, swaps files, is somebody else.

local err = require "holos.core.err"
local fd = require "sys.fd"
local io_wait = require "holos.run.io"
local launch = require "sys.launch"
local lines = require "holos.run.lines"
local tool = require "tests.support.tool"

local M = {}

local Program = {}
Program.__index = Program

--- The next line of its output, without the newline; nil at the end.
function Program:line() return self.output:next() end

--- Writes to its input.
function Program:write(text)
  err.check("input", io_wait.write_all(self.stdin, text))
end

--- Waits until it has ended; gives {exit=} or {signal=}. It does not end by itself unless told so.
function Program:ended()
  self.how = self.how or err.check("program", io_wait.await(self.child, "try_wait"))
  return self.how
end

function Program:__close()
  self.stdin:close()
  self.output:close()
  if not self.how then
    self.child:kill()
    require("holos.core.task").shield(5000, self.ended, self)
  end
  self.child:close()
end

--- Starts `argv` (found on PATH), its standard error on ours.
---@return table program  pid, start_time, line(), write(text), ended(), kill by <close>
function M.start(argv)
  local child_in, stdin = fd.pipe()
  local stdout, child_out = fd.pipe()
  local child = err.check(argv[1], launch.prepare {
    program = tool.find(argv[1]), argv = { table.unpack(argv, 2) }, env = { "PATH=/usr/local/bin:/usr/bin:/bin" },
    stdin = child_in, stdout = child_out, stderr = 2, session = true,
  })
  local program = setmetatable({ child = child, stdin = stdin, output = lines.new(stdout, argv[1]), pid = child.pid,
    start_time = child.start_time }, Program)
  child_in:close()
  child_out:close()
  err.check(argv[1], child:go())
  return program
end

return M
