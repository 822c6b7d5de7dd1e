--- SSH keys of a project: one user key, one host key for each instance, all made here and pinned. Effects: key files.
local err = require "holos.core.err"

local M = {}

local MODE = tonumber("600", 8)
local MAX_BYTES = 64 * 1024

local function refuse_lost_private(file)
  err.raise { message = ("%s: the private key is gone, but its public half is there"):format(file), code = "EKEYLOST",
    hint = "put the private key back; guests that run know only this one" }
end

-- Public halves are not flushed: after a power cut there may be nothing in the file, or zeros.
local function is_whole(public) return public:find("^[%w@.-]+ [%w+/=]+") ~= nil end

--- The pair in `file` and `file`.pub, made when neither is there. A missing public half is derived again; a missing
--- private half is an error, never a silently new key.
---@return {private: string, public: string} pair  public without the line's end
function M.pair(world, file, comment)
  local private, message, code = world.fs.read(file, { max_bytes = MAX_BYTES })
  local public = world.fs.read(file .. ".pub", { max_bytes = MAX_BYTES })
  if private and public and is_whole(public) then return { private = private, public = (public:gsub("%s+$", "")) } end
  if private then
    local derived = err.check(file, world.sshkey.public_of(private))
    err.check("key", world.fs.write_atomic(file .. ".pub", derived .. "\n", { mode = MODE, sync = false }))
    return { private = private, public = derived }
  end
  if code ~= "ENOENT" then err.check("key", private, message, code) end
  if public then refuse_lost_private(file) end
  local made = err.check("key", world.sshkey.generate(comment))
  err.check("key", world.fs.write_atomic(file, made.private, { mode = MODE, sync = true }))
  err.check("key", world.fs.write_atomic(file .. ".pub", made.public .. "\n", { mode = MODE, sync = false }))
  return made
end

function M.user(world, state, project) return M.pair(world, state:keys(project) .. "/id_ecdsa", "holos-" .. project) end

function M.host(world, state, project, instance)
  return M.pair(world, ("%s/host-%s"):format(state:keys(project), instance), ("%s.%s"):format(instance, project))
end

--- The keys that a seed carries.
function M.for_seed(world, state, project, instance)
  local user, host = M.user(world, state, project), M.host(world, state, project, instance)
  return { user_public = user.public, host_private = host.private, host_public = host.public }
end

--- Writes known_hosts for programs such as ssh(1): one line for each instance that has a port.
---@param ports table<string, integer>  instance -> host port of its sshd
function M.write_known_hosts(world, state, project, ports)
  local lines = {}
  for instance, port in pairs(ports) do
    local host = M.host(world, state, project, instance)
    lines[#lines + 1] = err.check(instance, world.sshkey.known_hosts_line("127.0.0.1", port, host.public))
  end
  table.sort(lines)
  err.check("known_hosts", world.fs.write_atomic(state:keys(project) .. "/known_hosts", table.concat(lines, "\n") .. "\n",
    { mode = MODE, sync = false }))
end

return M
