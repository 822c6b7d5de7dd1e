-- Volumes on a real guest, with checksums of what is in them taken inside: they grow while it runs and while it does not, come and
-- go, survive the machine, and come back from the trash.
local files = require "tests.support.files"
local fs = require "sys.fs"
local full_guest = require "tests.support.full_guest"
local stack_ = require "tests.support.stack"

local MIB = 1 << 20

local function yaml(mounts, volumes)
  return ([[
name: round
services:
  db:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    volumes: [MOUNTS]
volumes: {VOLUMES}
]]):gsub("%u%u%u%u%u+", { MOUNTS = mounts, VOLUMES = volumes })
end

local DATA, BOTH = '"data:/data"', '"data:/data", "later-with-a-name-of-its-own:/srv/later"'
local LONG = "later-with-a-name-of-its-own: {size: 64M}"

local function inside(stack, script, status)
  return (stack:expect({ "exec", "db-0", "--", "sh", "-c", script }, status).stdout:match("^(.-)%s*$"))
end

-- Writes random bytes, flushes them, and gives their sum.
local function fill(stack, place)
  return inside(stack, ("cd %s && dd if=/dev/urandom of=bytes bs=1M count=20 2>/dev/null; sync; sha256sum <bytes"):format(place))
end

local function sum(stack, place) return inside(stack, ("sha256sum <%s/bytes"):format(place)) end

local function room_mib(stack, place)
  return math.tointeger(tonumber(inside(stack, ("df -m %s | awk 'NR == 2 { print $2 }'"):format(place))))
end

local function pid(stack) return stack:ps()["db-0"].pid end

local function grows(stack, wanted)
  local before, launched = sum(stack, "/data"), pid(stack)
  local small = room_mib(stack, "/data")
  stack:write(yaml(DATA, "data: {size: 256M}, " .. LONG))
  stack:expect { "up" }
  ok(room_mib(stack, "/data") > small + 100, room_mib(stack, "/data"))
  equal({ sum(stack, "/data"), pid(stack), before }, { wanted, launched, wanted })
end

local function comes_and_goes(stack)
  local launched = pid(stack)
  stack:write(yaml(BOTH, "data: {size: 256M}, " .. LONG))
  local plan = stack:expect { "plan" }
  ok(plan.stdout:find("live   volumes", 1, true), plan.stdout)
  stack:expect { "up" }
  local wanted = fill(stack, "/srv/later")
  stack:write(yaml(DATA, "data: {size: 256M}, " .. LONG))
  local busy = "cd /srv/later && (sleep 600 >/dev/null 2>&1 & echo $! >/run/holder)"
  inside(stack, busy)
  ok(stack:expect({ "up" }, 1).stderr:find("cannot be taken out of the guest", 1, true))
  equal(sum(stack, "/srv/later"), wanted)
  inside(stack, "kill $(cat /run/holder)")
  stack:expect { "up" }
  equal(inside(stack, "ls /srv/later; grep -c later /proc/mounts || true"), "0")
  stack:write(yaml(BOTH, "data: {size: 256M}, " .. LONG))
  stack:expect { "up" }
  equal({ sum(stack, "/srv/later"), pid(stack) }, { wanted, launched })
  return wanted
end

local function survives(stack, data, later)
  stack:expect { "down", "--purge" }
  stack:write(yaml(BOTH, "data: {size: 384M}, " .. LONG)) -- grows as a file
  stack:expect { "up" }
  equal({ sum(stack, "/data"), sum(stack, "/srv/later") }, { data, later })
  ok(room_mib(stack, "/data") > 300, room_mib(stack, "/data"))
  stack:expect { "down", "-v" }
  equal(#(fs.list(stack.state .. "/volumes/round") or {}), 0)
  stack:expect { "trash", "restore", "round" }
  stack:expect { "start" }
  equal({ sum(stack, "/data"), sum(stack, "/srv/later") }, { data, later })
  stack:expect { "stop" }
  for _, file in ipairs(fs.list(stack.state .. "/volumes/round")) do
    local path = ("%s/volumes/round/%s"):format(stack.state, file.name)
    equal(run_tool({ "qemu-img", "check", "-q", path }).status, 0, file.name)
  end
end

test("volumes grow, come and go while their machine runs, outlive it, and come back from the trash, byte for byte", function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = stack_.new { yaml = yaml(DATA, "data: {size: 128M}, " .. LONG), image = stack_.image("tiny") }
  stack:expect { "up" }
  local data = fill(stack, "/data")
  grows(stack, data)
  local later = comes_and_goes(stack)
  survives(stack, data, later)
end, { timeout_ms = 900000 })

test("a file of the host is a disk: formatted when it is blank, mounted when it is not, never formatted over something", function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = stack_.new { yaml = yaml('"raw:/raw"', "raw: {device: ./disk.raw}"), image = stack_.image("tiny") }
  local disk = stack.directory .. "/disk.raw"
  files.write(disk, "")
  assert(fs.truncate(disk, 64 * MIB))
  stack:expect { "up" }
  local wanted = fill(stack, "/raw")
  stack:expect { "down", "-v", "--purge" }
  equal(run_tool({ "e2fsck", "-fn", disk }).status, 0)
  stack:expect { "up" }
  equal(sum(stack, "/raw"), wanted)
  stack:expect { "down", "-v", "--purge" }

  files.write(disk, ("\0"):rep(8 * MIB) .. "somebody's" .. ("\0"):rep(24 * MIB - 10)) -- where no guest would look
  local before = run_tool({ "sha256sum", disk }).stdout
  stack:expect({ "up" }, 4)
  equal(run_tool({ "sha256sum", disk }).stdout, before)
end, { timeout_ms = 900000 })
