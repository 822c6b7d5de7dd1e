--- sys.fs.watch: changes made by other programs are told.

local fs = require "sys.fs"
local io_wait = require "holos.run.io"

local ALL = { "modify", "close_write", "create", "delete", "move", "attributes" }

--- All that is told by now, each event as "name kind kind".
local function told(watch)
  local list = {}
  while true do
    local event, message = watch:try_next()
    if not event then
      equal(message, "EAGAIN")
      return list
    end
    local kinds = {}
    for kind in pairs(event.events) do kinds[#kinds + 1] = kind end
    table.sort(kinds)
    list[#list + 1] = (event.name or "-") .. " " .. table.concat(kinds, " ")
  end
end

local function sh(directory, script)
  equal(run_tool({ "sh", "-c", 'cd "$0" && ' .. script, directory }).status, 0)
end

test("fs.watch: what happens in a directory", function()
  local directory = tmpdir()
  local watch <close> = assert(fs.watch())
  local id = assert(watch:add(directory, ALL))
  equal({ watch:try_next() }, { nil, "EAGAIN", "r" })
  sh(directory, "echo x > a; mv a b; chmod 600 b; rm b; mkdir d")
  equal(told(watch), { "a create", "a modify", "a close_write", "a move", "b move", "b attributes", "b delete",
    "d create" })
  sh(directory, "echo x > c")
  equal(watch:try_next().id, id)
end)

test("fs.watch: only what was asked for", function()
  local directory = tmpdir()
  local watch <close> = assert(fs.watch())
  local id = assert(watch:add(directory, { "create" }))
  sh(directory, "echo x > a; rm a")
  equal(told(watch), { "a create" })
  equal(watch:add(directory, { "delete" }), id)
  sh(directory, "echo x > a; rm a")
  equal(told(watch), { "a delete" })
end)

test("fs.watch: a file that grows is waited for", function()
  local path = tmpdir() .. "/log"
  assert(fs.append(path, "one\n"))
  local watch <close> = assert(fs.watch())
  assert(watch:add(path, { "modify" }))
  assert(fs.append(path, "two\n"))
  local event = assert(io_wait.await(watch, "try_next"))
  equal({ event.events, event.name }, { { modify = true } })
end)

test("fs.watch: a watch that is removed, or whose file is gone, ends with `ignored`", function()
  local directory = tmpdir()
  local path = directory .. "/file"
  assert(fs.write_atomic(path, ""))
  local watch <close> = assert(fs.watch())
  local id = assert(watch:add(path, { "delete", "move" }))
  sh(directory, "mv file other; rm other")
  equal(told(watch), { "- move", "- delete", "- ignored" })
  equal(select(3, watch:remove(id)), "EINVAL")
  local second = assert(watch:add(directory, { "create" }))
  ok(second ~= id)
  equal({ watch:remove(second), told(watch) }, { true, { "- ignored" } })
end)

test("fs.watch: events that were lost are told as overflow", function()
  local limit = tonumber(fs.read("/proc/sys/fs/inotify/max_queued_events"))
  if limit > 100000 then skip "the queue is too long to be filled" end
  local directory = tmpdir()
  local watch <close> = assert(fs.watch())
  assert(watch:add(directory, { "close_write" }))
  run_tool({ "python3", "-c", [[
import os, sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2]) // 2 + 100):
    for name in "ab": os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
]], directory, tostring(limit) })
  local list = told(watch)
  equal(list[#list], "- overflow")
end)

test("fs.watch: names that fill the buffer, all of them", function()
  local directory = tmpdir()
  local watch <close> = assert(fs.watch())
  assert(watch:add(directory, { "create" }))
  sh(directory, [[for i in $(seq 100 199); do : > "$(printf %0200d $i)"; done]])
  local list = told(watch)
  equal(#list, 100)
  for i, entry in ipairs(list) do equal(entry, ("0"):rep(197) .. 99 + i .. " create") end
end)

test("fs.watch: what cannot be watched, and programmers' errors", function()
  local watch <close> = assert(fs.watch())
  equal(select(3, watch:add(tmpdir() .. "/none", { "create" })), "ENOENT")
  raises("no name of an event", watch.add, watch, "/", { "nope" })
  raises("no name of an event", watch.add, watch, "/", { "ignored" })
  raises("no events", watch.add, watch, "/", {})
  equal({ watch:close(), watch:close() }, { true, true })
  raises("closed", watch.try_next, watch)
end)
