-- Commands about what the file has and nobody has made yet, on the stand-in for QEMU.
local stack_ = require "tests.support.stack"

local YAML = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s}
]]

test("what is in the file and not made yet: that is said, with the command that makes it", function()
  local stack <close> = stack_.on_fake(YAML)
  local function told(words, status) return stack:expect(words, status).stderr end
  equal(told({ "logs", "web" }, 1), "holos: project pair is in the file and not made yet\n  holos up\n")
  equal({ told { "down" }, told { "down", "web" } }, { "nothing to take down\n", "nothing to take down\n" })
  ok(told({ "down", "-p", "other" }, 1):find('there is no project "other"', 1, true))
  stack:expect { "up", "-d" }
  stack:write(YAML .. "  db: {image: ./image.qcow2, image_os: plain}\n")
  for _, words in ipairs {
    { "logs", "db" }, { "stop", "db" }, { "start", "db-0" }, { "exec", "db-0", "true" }, { "down", "db" },
  } do
    local shown = told(words, words[1] == "exec" and 125 or 1)
    equal(shown:match("holos: .*"), ("holos: %s is in the file and not made yet\n  holos up db\n"):format(words[2]))
  end
  ok(told({ "stop", "dbb" }, 1):find('project pair has no service or instance "dbb"', 1, true))
  stack:expect { "down" }
  equal(told { "down" }, "nothing to take down\n")
end)

test("a number that the file gives no instance, or a service of none, is not said to be made by up", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up", "--no-start" }
  stack:write(YAML:gsub("1s}", "1s, replicas: 2}") .. "  none: {image: ./image.qcow2, image_os: plain, replicas: 0}\n"
    .. "  db: {image: ./image.qcow2, image_os: plain, container_name: ours}\n")
  local function told(word) return stack:expect({ "logs", word }, 1).stderr:match("holos: .*") end
  equal(told "web-1", "holos: web-1 is in the file and not made yet\n  holos up web\n")
  equal(told "db", "holos: db is in the file and not made yet\n  holos up db\n")
  equal(told "web-7", 'holos: project pair has no service or instance "web-7"\n  did you mean "web-0"?\n')
  for _, word in ipairs { "web-01", "web-99999999999999999999", "none", "none-0", "db-0" } do
    ok(told(word):find(("has no service or instance %q\n"):format(word), 1, true), word)
  end
end)

test("up --no-start says that nothing runs, and what starts it", function()
  local stack <close> = stack_.on_fake(YAML)
  local said = stack:expect({ "up", "--no-start" }).stderr
  ok(said:find("\nmade, and nothing was started; next: holos start\n$"), said)
  ok(stack:expect({ "start" }) and stack:expect({ "up" }).stderr:find "is up to date")
end)
