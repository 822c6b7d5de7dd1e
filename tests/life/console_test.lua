-- `holos console` on a real terminal: it says how to leave, passes keys on, and leaves by Ctrl-].
local host = require "sys.host"
local stack_ = require "tests.support.stack"

-- Types into `holos console vm` once it has said that it is attached; prints what it showed, then its exit status.
local TYPIST = [[
import os, pty, select, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], ["holos", "console", "vm"])
shown, typed, deadline = b"", False, time.monotonic() + 20
while time.monotonic() < deadline:
    if select.select([terminal], [], [], 0.2)[0]:
        try:
            got = os.read(terminal, 4096)
        except OSError:
            break
        if not got:
            break
        shown += got
    if not typed and b"Ctrl-]" in shown:
        os.write(terminal, b"key\x1d")
        typed = True
sys.stdout.write(shown.decode(errors="replace"))
print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
]]

test("the console attaches, says how to leave, and leaves", function()
  local stack <close> = stack_.on_fake("name: one\nservices:\n  vm: {image: ./image.qcow2, image_os: plain}\n")
  stack:expect { "up" }
  local shown = run_tool({ "python3", "-c", TYPIST, host.executable() },
    { directory = stack.directory, env = stack:environment() }).stdout
  ok(shown:find("detach with Ctrl-]", 1, true), shown)
  ok(shown:find("detached; the VM runs on", 1, true), shown)
  ok(shown:find("status 0", 1, true), shown)
  equal(#stack:pids(), 1)
end)
