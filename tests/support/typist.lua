--- A person at a terminal, for tests: holos runs on one of its own, and is answered.

local host = require "sys.host"

local M = {}

-- Types each answer once what it waits for has shown up behind the last; prints all that was shown, then how it ended.
local PYTHON = [[
import os, pty, select, sys, time
answers = list(zip(sys.argv[3::2], sys.argv[4::2]))
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], ["holos"] + sys.argv[2].split("\n"))
shown, at, deadline = b"", 0, time.monotonic() + 60
while time.monotonic() < deadline:
    while answers and answers[0][0].encode() in shown[at:]:
        wanted, answer = answers.pop(0)
        at = shown.index(wanted.encode(), at) + len(wanted.encode())
        os.write(terminal, answer.encode().decode("unicode_escape").encode())
    if not select.select([terminal], [], [], 0.2)[0]:
        continue
    try:
        got = os.read(terminal, 4096)
    except OSError:
        break
    if not got:
        break
    shown += got
sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
]]

--- Runs holos on a terminal; gives what was shown, with "status N" at its end.
---@param words string[]
---@param answers string[]  what to wait for, what to type then ("\\n" and "\\x03" are keys), and so on
---@param options table     of run_tool: directory, env
function M.run(words, answers, options)
  return run_tool({ "python3", "-c", PYTHON, host.executable(), table.concat(words, "\n"), table.unpack(answers) },
    options).stdout
end

return M
