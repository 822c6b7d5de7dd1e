--- Scripts for root of a guest that runs: its volumes have grown, come or are to go. Each brings along what it needs. Pure.
local library = require "holos.plan.seed.library"
local places = require "holos.plan.seed.places"
local text = require "holos.core.text"
local volumes = require "holos.plan.seed.volumes"

local M = {}

-- The kernel of a guest hears of another size a moment after QEMU has it.
local GROWN = [[
holos_has_size() { [ "$(holos_sectors_of "$holos_disk")" -ge "$1" ]; }
holos_find_disk %s && holos_await 50 holos_has_size %d && holos_follow_size %s "$holos_disk"
]]

-- Scripts for a guest that runs bring along what they need.
local function script(lines)
  return "holos_books=/var/lib/holos\n" .. places.FUNCTIONS .. library.AWAIT .. volumes.FUNCTIONS .. lines
end

-- A disk shows up a moment after QEMU has it.
local ATTACH = [[
holos_await 100 holos_find_disk %s >/dev/null || {
    holos_find_disk %s
    exit 1
}
mkdir -p "$holos_books/attached"
printf '%%s' %s >"$holos_books/attached/%s"
. "$holos_books/attached/%s"
]]

--- A script for root of a guest that runs, which has just got a disk: its mounts, now and at boots before the next launch.
---@param mounts table[]  of one volume
function M.attach(serial, mounts)
  local lines, disk = {}, volumes.disks(mounts)[serial]
  for _, mount in ipairs(mounts) do
    for _, words in ipairs(volumes.commands(mount, disk)) do lines[#lines + 1] = library.words(words) end
  end
  local quoted = text.shell_quote(serial)
  return script(ATTACH:format(quoted, quoted, text.shell_quote(table.concat(lines, " &&\n") .. "\n"), serial, serial))
end

-- What still uses a place is its owner's to end.
local DETACH = [[
holos_leave() {
    if ! holos_is_mounted "$1" || umount "$1"; then return 0; fi
    echo "$1 is in use"
    exit 1
}
]]

--- A script for root of a guest that runs, which is to give up a volume: its places are left.
---@param mounts table[]  of one volume
function M.detach(serial, mounts)
  local lines = { "sync" }
  for position = #mounts, 1, -1 do lines[#lines + 1] = library.words { "holos_leave", mounts[position].target } end
  lines[#lines + 1] = library.words { "holos_leave", volumes.place_of_whole(serial) }
  lines[#lines + 1] = ('rm -f "$holos_books/attached/%s"\n'):format(serial)
  return script(DETACH .. table.concat(lines, "\n"))
end

--- A script for root of a guest that runs, whose disk has just become larger.
function M.grown(serial, size_bytes)
  local quoted = text.shell_quote(serial)
  return script(GROWN:format(quoted, size_bytes // 512, quoted))
end

return M
