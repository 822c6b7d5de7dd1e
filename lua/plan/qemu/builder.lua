--- QEMU's command line under construction: options with their causes, descriptors, what Landlock has to let through. Pure.
local cause_ = require "holos.plan.qemu.cause"

local M = {}

--- Where passed descriptors start: 0..2 are the standard streams.
local FIRST_FD = 3
--- Directories get numbers that none of our own descriptors has: when it ends, QEMU unlinks its sockets by the names
--- that we bound them with, /proc/self/fd/<our number>/<name>, and must not find a directory of the user's behind
--- that number.
local FIRST_DIRECTORY_FD = 900

--- A full host disk pauses the VM instead of failing the guest's write.
M.ON_ERROR = ",werror=stop,rerror=report"

local Builder = {}
Builder.__index = Builder

--- A command under construction.
---@param spec table  instance spec
---@param host table  as of plan/qemu.command
function M.new(spec, host)
  return setmetatable({ spec = spec, host = host, argv = {}, options = {}, fds = {}, landlock = {} }, Builder)
end

local function append(builder, causes, words)
  builder.options[#builder.options + 1] = { words = words, causes = causes.kind and { causes } or causes }
  table.move(words, 1, #words, #builder.argv + 1, builder.argv)
end

--- Appends one option: its words, and before them why it is there: one cause or several.
---@param causes holos.Cause|holos.Cause[]
function Builder:option(causes, ...) append(self, causes, { ... }) end

--- Appends words of a script's.
function Builder:add(...) append(self, cause_.SCRIPT, { ... }) end

--- Asks for a descriptor and gives the number it will have. `what` tells run/launch how to open it.
function Builder:descriptor(what)
  what.number = (what.role == "directory" and FIRST_DIRECTORY_FD or FIRST_FD) + #self.fds
  self.fds[#self.fds + 1] = what
  return what.number
end

--- A file as an fd set of its own, so that block and character back ends open it by name.
function Builder:fdset(what, causes)
  local number = self:descriptor(what)
  self:option(causes, "-add-fd", ("fd=%d,set=%d"):format(number, number))
  return "/dev/fdset/" .. number
end

--- A file as a node of the block layer.
function Builder:file_node(node, what, causes)
  local read_only = what.role == "read"
  self:option(causes, "-blockdev", ("driver=%s,node-name=%s,filename=%s,read-only=%s,auto-read-only=off,discard=unmap")
    :format(what.is_device and "host_device" or "file", node, self:fdset(what, causes), read_only and "on" or "off"))
end

--- A raw node: the file or device, byte for byte.
function Builder:raw_node(node, read_only, causes)
  self:option(causes, "-blockdev", ("driver=raw,node-name=%s,file=%s-file,read-only=%s,discard=unmap"):format(node, node,
    read_only and "on" or "off"))
end

--- A qcow2 node without a backing file, whatever its header says. JSON, for the key=value form knows no null.
function Builder:qcow2_node(node, read_only, causes)
  self:option(causes, "-blockdev", ('{"driver":"qcow2","node-name":"%s","file":"%s-file","backing":null,"read-only":%s,'
    .. '"discard":"unmap"}'):format(node, node, read_only))
end

return M
