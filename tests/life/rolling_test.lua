-- Rolling changes and other hardware, on the stand-in for QEMU.
local fake_qemu = require "tests.support.fake_qemu"
local fs = require "sys.fs"
local json = require "sys.json"
local pair = require "tests.support.pair"
local stack_ = require "tests.support.stack"

local function yaml(update, memory_mb)
  return ([[
name: roll
services:
  web:
    {image: ./image.qcow2, image_os: plain, vm: {memory_mb: %d}, stop_grace_period: 1s,
     deploy: {replicas: 3, update_config: {%s}}}
]]):format(memory_mb, update)
end

--- What happened to instances, in its order, from the n-th event on: "stopped web-0".
local function events(stack, from)
  local list, count = {}, 0
  for line in assert(fs.read(stack.state .. "/events/roll.jsonl", { max_bytes = 1 << 20 })):gmatch("[^\n]+") do
    local event = assert(json.decode(line, {}))
    local what = event.type:match("^instance%.(%a+ed)$")
    if what then
      count = count + 1
      if count > from then list[#list + 1] = what .. " " .. event.instance end
    end
  end
  return list, count
end

test("one after the other: each serves before the next is stopped", function()
  local stack <close> = stack_.on_fake(yaml("parallelism: 1, delay: 50ms", 512), { "report_delay_ms=50" })
  stack:expect { "up" }
  local _, before = events(stack, 0)
  stack:write(yaml("parallelism: 1, delay: 50ms", 768))
  stack:expect { "up", "-d" }
  equal((events(stack, before)), { "stopped web-0", "launched web-0", "stopped web-1", "launched web-1", "stopped web-2",
    "launched web-2" })
  equal(stack:ps()["web-2"].memory_mib, 768)
end)

test("the first failure leaves the others as they were; continue goes on with them", function()
  local stack <close> = stack_.on_fake(yaml("parallelism: 1", 512))
  stack:expect { "up" }
  local before = pair.pids(stack)
  stack:write(yaml("parallelism: 1", 768))
  fake_qemu.set(stack.qemu, { "web-0: fail=no such machine" })
  stack:expect({ "up" }, 1)
  local paused = pair.pids(stack)
  equal({ paused["web-0"], paused["web-1"], paused["web-2"] }, { nil, before["web-1"], before["web-2"] })

  stack:write(yaml("parallelism: 1, failure_action: continue", 768))
  stack:expect({ "up" }, 1)
  local went_on = stack:ps()
  equal({ went_on["web-0"].running, went_on["web-1"].memory_mib, went_on["web-2"].memory_mib }, { false, 768, 768 })
  ok(went_on["web-1"].pid ~= before["web-1"] and went_on["web-2"].pid ~= before["web-2"])
  fake_qemu.set(stack.qemu, {})
  stack:expect { "up" }
  equal(#stack:pids(), 3)
end)

--- A stand-in that offers a newer machine.
local function upgrade_qemu(stack)
  local bytes = assert(fs.read(stack.qemu, { max_bytes = 64 << 20 }))
  local newer, count = bytes:gsub("pc%-q35%-7%.2", "pc-q35-9.9")
  ok(count > 0, "the stand-in names its machine")
  assert(fs.write_atomic(stack.qemu, newer, { mode = tonumber("755", 8) }))
end

local function machines(stack)
  local record = assert(json.decode(assert(fs.read(stack.state .. "/projects/roll.json", { max_bytes = 1 << 20 })), {}))
  local list = {}
  for name, entry in pairs(record.instances) do list[name] = entry.spec.vm.machine:match("[%d.]+$") end
  return list
end

test("machines keep their hardware when QEMU is upgraded, until they are told to take the new one; nothing else changes", function()
  local stack <close> = stack_.on_fake(yaml("parallelism: 1", 512))
  stack:expect { "up" }
  local before = pair.pids(stack)
  upgrade_qemu(stack)
  ok(stack:expect({ "up" }).stderr:find("up to date", 1, true))
  stack:expect { "stop", "web-2" }
  stack:write(yaml("parallelism: 1", 768))
  local planned = stack:expect({ "upgrade-hardware", "--dry-run" }).stdout
  ok(planned:find("~ web-0  restart   machine pc-q35-7.2 → pc-q35-9.9", 1, true), planned)
  stack:expect { "upgrade-hardware" }
  local after = stack:ps()
  equal(machines(stack), { ["web-0"] = "9.9", ["web-1"] = "9.9", ["web-2"] = "9.9" })
  equal({ after["web-0"].memory_mib, after["web-2"].running, after["web-0"].pid ~= before["web-0"] }, { 512, false, true })
  ok(stack:expect({ "upgrade-hardware" }).stderr:find("up to date", 1, true))
  stack:expect { "up" }
  equal({ stack:ps()["web-2"].memory_mib, machines(stack)["web-2"] }, { 768, "9.9" })
end)
