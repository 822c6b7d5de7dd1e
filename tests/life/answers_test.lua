-- An answer decides on what was asked about and on nothing else, on the stand-in for QEMU.
local files = require "tests.support.files"
local pair = require "tests.support.pair"
local typist = require "tests.support.typist"

local WEB = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 1s, replicas: 2}
]]
local OTHER_IMAGE = WEB:gsub("image: ./image", "image: ./other")

local function inodes(stack)
  return { pair.inode(stack, "web-0"), pair.inode(stack, "web-1") }
end

--- `holos up` on a terminal, with what is typed at its questions.
local function up_at_terminal(stack, answers)
  return typist.run({ "up" }, answers, { directory = stack.directory, env = stack:environment() })
end

test("two questions about one service get an answer each", function()
  local stack <close> = pair.started(WEB)
  stack:write(OTHER_IMAGE)
  stack:expect { "up", "--keep=web-0", "--recreate=web-1" }
  local before = inodes(stack)
  stack:write((OTHER_IMAGE:gsub("web: {", 'web: {cloud_init: {runcmd: ["true"]}, ')))
  local refused = stack:expect({ "up" }, 3).stderr
  ok(refused:find("--recreate=web-0 ", 1, true) and refused:find("--keep=web-1 ", 1, true), refused)
  local shown = up_at_terminal(stack, { "web-0? [k/c", "c\\n", "web-1? [p/k/c", "k\\n" })
  ok(shown:find("status 0", 1, true), shown)
  equal({ inodes(stack)[1] ~= before[1], inodes(stack)[2] }, { true, before[2] })
end)

test("what is done whatever is answered is said with the question, by plan and at the prompt", function()
  local stack <close> = pair.started(WEB)
  stack:write((WEB:gsub("web: {", 'web: {cloud_init: {runcmd: ["true"]}, vm: {memory_mb: 768}, ')))
  local besides = "whatever is answered: restarted: memory 512 MiB → 768 MiB"
  local planned = stack:expect { "plan" }.stderr
  ok(planned:find(besides, 1, true) and planned:find("`holos up` asks", 1, true), planned)
  local before = inodes(stack)
  local shown = up_at_terminal(stack, { besides, "", "web? [p/k/c", "\\n" })
  ok(shown:find("not answered", 1, true) and shown:find("nothing was changed", 1, true), shown)
  ok(shown:find("status 3", 1, true) and not shown:find("nobody to ask", 1, true), shown)
  equal(inodes(stack), before)
end)

-- Somebody who is asked, and what happens meanwhile.
local ASKED = [[
local lock, prepare_calls = require "sys.lock", 0
holos.override("holos.command.decide", "asker", function()
  return function(plan)
    local held = lock.open("LOCK")
    io.stderr:write("the lock is free: ", tostring(held:try_take()), "\\n")
    held:release()
    local answers = {}
    for _, name in ipairs(plan.questions[1].instances) do answers[name] = "keep" end
    return answers
  end
end)
holos.override("holos.use.prepare", "make", function(base, ...)
  local prepared = base(...)
  prepare_calls = prepare_calls + 1
  if prepare_calls == CHANGED then prepared.plan.questions[1].text = "something else" end
  return prepared
end)
return require "holos.main" { ... }
]]

local function up_asked(stack, changed)
  local script = ASKED:gsub("LOCK", stack.state .. "/locks/pair.lock"):gsub("CHANGED", changed)
  files.write(stack.directory .. "/asked.lua", script)
  return stack:run { "lua", "asked.lua", "up" }
end

test("nobody waits for a person who is asked; his answer is for what he was asked, and for nothing that came meanwhile", function()
  local stack <close> = pair.started(WEB)
  stack:write(OTHER_IMAGE)
  local before = inodes(stack)
  local refused = up_asked(stack, 2)
  equal({ refused.status, refused.stderr:match("the lock is free: (%a+)") }, { 3, "true" }, refused.stderr)
  ok(refused.stderr:find("has changed what there is to decide on", 1, true), refused.stderr)
  ok(not stack:expect({ "ps" }).stdout:find("config changed", 1, true))
  local kept = up_asked(stack, 0)
  equal({ kept.status, kept.stderr:match("the lock is free: (%a+)"), inodes(stack) }, { 0, "true", before }, kept.stderr)
  stack:expect { "up" } -- it is remembered
end)
