--- What tests of replaced, rolled and scaled machines ask of a stack: pids, disks, the record.
local files = require "tests.support.files"
local fs = require "sys.fs"
local io_wait = require "holos.run.io"
local json = require "sys.json"
local proc = require "sys.proc"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

local M = {}

--- A stack on the stand-in for QEMU that is up, with ./other.qcow2 beside ./image.qcow2.
function M.started(yaml, settings)
  local stack = stack_.on_fake(yaml, settings)
  assert(qcow2.create(stack.directory .. "/other.qcow2", { size_bytes = 1 << 20 }))
  stack:expect { "up" }
  return stack
end

--- The pids that ps tells, by instance.
function M.pids(stack)
  local list = {}
  for name, row in pairs(stack:ps()) do list[name] = row.pid end
  return list
end

--- The record of the project "pair".
function M.record(stack)
  return assert(json.decode(assert(fs.read(stack.state .. "/projects/pair.json", { max_bytes = 1 << 20 })), {}))
end

--- What the record wants of each instance: "running", "stopped", "removed".
---@return table<string, string>
function M.desired(stack)
  local words = {}
  for name, entry in pairs(M.record(stack).instances) do words[name] = entry.desired end
  return words
end

--- Edits a JSON file of the state directory: change(value) alters what it holds.
function M.edit(stack, name, change) files.edit_json(stack.state .. "/" .. name, change) end

--- Those that it was decided of that they go back, and that are not back.
function M.going_back(stack)
  local list = {}
  for name, entry in pairs(M.record(stack).instances) do
    if entry.previous and entry.previous.is_going_back then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

--- Runs `holos WORDS`, and kills it as soon as it is written down that instances go back.
function M.kill_going_back(stack, words)
  local child <close> = stack:spawn(words)
  stack:eventually("they are going back", function() return #M.going_back(stack) > 0 end)
  local process <close> = assert(proc.open(child.pid, child.start_time))
  process:signal "KILL"
  equal(io_wait.await(child, "try_wait"), { signal = "KILL" })
end

--- The root disks of an instance that are in the trash.
function M.disks_in_trash(stack, name)
  return files.below(stack.state .. "/trash", "/" .. name:gsub("%-", "%%-") .. "/root%.qcow2$")
end

local function root_disk(stack, name) return ("%s/instances/pair/%s/root.qcow2"):format(stack.state, name) end

--- The image that the root disk of an instance was made from.
function M.backing(stack, name) return assert(qcow2.info(root_disk(stack, name))).backing:match("[^/]+$") end

--- Tells a root disk from a new one.
function M.inode(stack, name) return assert(fs.stat(root_disk(stack, name))).inode end

return M
