-- The watchdog of real QEMUs: a guest of 49 bytes sets it up, does not feed it, and is paused, reset or ended.
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local stack_ = require "tests.support.stack"

-- A boot sector: it waits for five seconds (int 15h), and over the ports of PCI configuration has the device count in
-- microseconds (0x60) and start (0x68), which leaves two seconds; then it waits for nothing.
local CODE = "B486 B94C00 BA404B CD15 66B860E80080 BAF80C 66EF B80400 BAFC0C EF 66B868E80080 BAF80C 66EF B002 BAFC0C EE FAF4EBFC"
local SECTOR_BYTES, DISK_BYTES = 512, 1 << 20

local YAML = [[
name: dogs
x-guest: &guest {image: ./sector.raw, image_format: raw, image_os: plain, ready: running, stop_grace_period: 1s}
services:
  paused: {<<: *guest, restart: on-failure, vm: {memory_mb: 64, watchdog: true}}
  left: {<<: *guest, vm: {memory_mb: 64, watchdog: pause}}
  reset: {<<: *guest, restart: on-failure, vm: {memory_mb: 64, watchdog: reset}}
  ended: {<<: *guest, restart: on-failure, vm: {memory_mb: 64, watchdog: poweroff}}
]]

local function disk()
  local code = CODE:gsub("[^%x]", ""):gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
  return code .. ("\0"):rep(SECTOR_BYTES - 2 - #code) .. "\x55\xAA" .. ("\0"):rep(DISK_BYTES - SECTOR_BYTES)
end

-- The events of one instance, as "type" or "type how".
local function story(stack, name)
  local words = {}
  for line in (fs.read(stack.state .. "/events/dogs.jsonl") or ""):gmatch("[^\n]+") do
    local event = assert(json.decode(line, {}))
    if event.instance == name then words[#words + 1] = event.type .. (event.how and " " .. event.how or "") end
  end
  return "\n" .. table.concat(words, "\n") .. "\n"
end

local function tells(stack, name, what)
  stack:eventually(name .. ": " .. what, function() return story(stack, name):find("\n" .. what .. "\n", 1, true) end, 120000)
end

test("a guest that does not feed its watchdog is paused, reset or ended by QEMU, and what follows is as the file says", function()
  local stack <close> = stack_.new { yaml = YAML }
  files.write(stack.directory .. "/sector.raw", disk())
  stack:expect { "up", "-d" }
  tells(stack, "paused-0", "instance.exited watchdog")
  tells(stack, "paused-0", "instance.restarting")
  tells(stack, "left-0", "instance.halted")
  equal(stack:ps()["left-0"].status, "watchdog: its watchdog has stopped it")
  tells(stack, "reset-0", "instance.watchdog")
  tells(stack, "reset-0", "instance.reset")
  ok(not story(stack, "reset-0"):find "instance.exited")
  tells(stack, "ended-0", "instance.exited watchdog")
  tells(stack, "ended-0", "instance.restarting")
  stack:expect { "stop" }
end, { timeout_ms = 600000 })
