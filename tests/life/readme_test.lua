-- The commands of the README's "A file of your own", as they stand there, on the stand-in for QEMU.
local files = require "tests.support.files"
local fs = require "sys.fs"
local ports = require "tests.support.ports"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

-- Its first block of commands, without comments.
local function commands()
  local readme = files.read(files.directory .. "/../README.md")
  local block = readme:match("## A file of your own\n\n```\n(.-)```")
  local list = {}
  for line in block:gmatch("[^\n]+") do list[#list + 1] = line:gsub("%s+#.*$", "") end
  return list
end

local function words_of(command)
  local words = {}
  for word in command:gmatch("%S+") do words[#words + 1] = word end
  return words
end

-- What is not ours: a directory of its own is there. The image that would be fetched has been, before.
local function stand_in(stack, command)
  equal(command, "mkdir shop && cd shop")
  ok(qcow2.create(stack.directory .. "/fetched.qcow2", { size_bytes = 1 << 20 }))
  stack:expect { "images", "import", "fetched.qcow2", "debian:12" }
  ok(fs.remove(stack.directory .. "/fetched.qcow2"))
end

test("the README's first stack", function()
  local stack <close> = stack_.on_fake("")
  for _, name in ipairs { "holos.yaml", "image.qcow2" } do ok(fs.remove(stack.directory .. "/" .. name)) end
  local port = ports.free() -- somebody else may have the one that the file names
  files.write(stack.directory .. "/editor", ("#!/bin/sh\nsed -i 's/# ports: [[]\"8080:/ports: [\"%d:/' \"$1\"\n"):format(port))
  ok(fs.chmod(stack.directory .. "/editor", tonumber("755", 8)))
  stack.env = { "PATH=/usr/bin:/bin", "EDITOR=./editor" }
  local count = 0
  for _, command in ipairs(commands()) do
    local words = words_of(command)
    if words[1] ~= "holos" then
      stand_in(stack, command)
    else
      count = count + 1
      if words[2] == "edit" then words[#words + 1] = "-y" end -- nobody is there to be asked
      stack:expect { table.unpack(words, 2) }
    end
  end
  ok(count >= 8, count)
  ok(files.read(stack.directory .. "/holos.yaml"):find(('\n    ports: ["%d:80"]'):format(port), 1, true))
  equal({ stack:pids() }, { {} })
end)
