--- The outside, as one table: world.fs, world.proc, … are the primitives sys.fs, sys.proc, …, loaded when first
--- used.
-- Everything with effects gets it as its first argument, so that a test can pass another. No policy.
-- Effects: none of its own.

local PRIMITIVES = {
  build = true, clock = true, fd = true, fs = true, hash = true, host = true, http = true, iso = true, json = true,
  launch = true, lock = true, net = true, poll = true, proc = true, qcow2 = true, qemu = true, qmp = true, ssh = true,
  sshkey = true, tty = true, yaml = true,
}

local MAKERS = {}

--- What the scheduler polls; main adds `signals`.
function MAKERS.poller(world)
  return { now_ms = world.clock.monotonic_ms, wait = world.poll.wait }
end

local World = {}

function World.__index(world, name)
  local value
  if PRIMITIVES[name] then value = require("sys." .. name)
  elseif MAKERS[name] then value = MAKERS[name](world)
  else error("the world has no " .. tostring(name), 2) end
  rawset(world, name, value)
  return value
end

return setmetatable({}, World)
