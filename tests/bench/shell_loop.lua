--- A shell script that starts QEMUs side by side and ends them: what an `up` and a `down` are compared with.

local fs = require "sys.fs"
local qemu = require "holos.plan.qemu"
local text = require "holos.core.text"

local M = {}

-- -daemonize returns when QEMU has made its machine. Whoever inherits the processes may leave them zombies for a while.
local FRAME = [[
cd %s
%s
wait
[ "$(ls pid.* | wc -l)" -eq %d ] || exit 1
for f in pid.*; do read -r pid <$f && kill "$pid" && echo "$pid"; done >pids
lives() { read -r _ _ state _ 2>/dev/null <"/proc/$1/stat" && [ "$state" != Z ]; }
while read -r pid; do while lives "$pid"; do sleep 0.005; done; done <pids
rm -f pid.*
]]

local function script(directory, lines)
  return FRAME:format(text.shell_quote(directory), table.concat(lines, "\n"), #lines)
end

--- As little of a machine as there is, and it does not even run.
function M.bare(directory, program, count)
  local lines = {}
  for i = 1, count do
    lines[i] = qemu.show(program, { "-machine", "q35", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none", "-S",
      "-daemonize", "-pidfile", "pid." .. i, "-qmp", ("unix:qmp.%d,server=on,wait=off"):format(i) }) .. " &"
  end
  return script(directory, lines)
end

-- What a descriptor stands for, as a path.
local function path_of(directory, spec, what)
  return what.path or ("%s/%s.%s"):format(directory, spec.name, what.name)
end

-- The argv of an instance, with files where holos passes descriptors. -daemonize does not survive our sandbox.
local function with_paths(directory, spec, command)
  local words, paths = {}, {}
  for _, what in ipairs(command.fds) do paths[what.number] = path_of(directory, spec, what) end
  for _, word in ipairs(command.argv) do
    local before = words[#words]
    if before == "-add-fd" or before == "-sandbox" then
      words[#words] = nil
    else
      words[#words + 1] = word:gsub("fd=(%d+)", function(number) return "path=" .. paths[tonumber(number)] end)
        :gsub("/dev/fdset/(%d+)", function(number) return paths[tonumber(number)] end)
    end
  end
  return words
end

--- The machines of a record, with copies of their disks and seeds.
---@param instances string  the directory of the project's instances
function M.same(directory, program, record, instances)
  local lines = {}
  for name, entry in pairs(record.instances) do
    local spec = entry.spec
    for _, file in ipairs { "root.qcow2", "seed.iso" } do
      assert(fs.copy(("%s/%s/%s"):format(instances, name, file), ("%s/%s.%s"):format(directory, name, file), {}))
    end
    local command = qemu.command(spec, { directory = directory, forwards = { { protocol = "tcp", host_ip = "127.0.0.1",
      host = 0, guest = 22 } } })
    local words = with_paths(directory, spec, command)
    table.move({ "-daemonize", "-pidfile", "pid." .. name }, 1, 3, #words + 1, words)
    lines[#lines + 1] = qemu.show(program, words) .. " &"
  end
  return script(directory, lines)
end

return M
