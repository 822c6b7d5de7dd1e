-- `holos console` on a real terminal: it says how to leave, passes keys on, and leaves by Ctrl-].
local stack_ = require "tests.support.stack"
local typist = require "tests.support.typist"

test("the console attaches, says how to leave, and leaves", function()
  local stack <close> = stack_.on_fake("name: one\nservices:\n  vm: {image: ./image.qcow2, image_os: plain}\n")
  stack:expect { "up" }
  local shown = typist.run({ "console", "vm" }, { "Ctrl-]", "key\\x1d" },
    { directory = stack.directory, env = stack:environment() })
  ok(shown:find("detach with Ctrl-]", 1, true), shown)
  ok(shown:find("detached; the VM runs on", 1, true), shown)
  ok(shown:find("status 0", 1, true), shown)
  equal(#stack:pids(), 1)
  stack:expect { "stop" }
  equal(stack:expect({ "console", "vm" }, 125).stderr, "holos: vm-0 is not running\n  holos start -p one vm-0\n")
end)
