--- doctor: what this host has and lacks for running VMs. Effects: reads; asks QEMU once.
local capacity = require "holos.plan.capacity"
local facts = require "holos.run.facts"
local err = require "holos.core.err"
local layers = require "holos.run.images.layers"
local memory_ = require "holos.run.memory"
local probe = require "holos.run.probe"
local scope = require "holos.run.scope"
local units = require "holos.core.units"

local M = {}

local LEAST_FREE_BYTES = 1 << 20 -- a record and what is written beside it

---@class holos.Check  {name, status = "ok"|"warn"|"fail", text, fix?}
local function check(name, status, text, fix) return { name = name, status = status, text = text, fix = fix } end

function M.qemu(world, state)
  local program, message = probe.find(world)
  if not program then
    return check("qemu", "fail", message, "sudo apt install qemu-system-x86 (or your system's package)")
  end
  local ok, answer = pcall(probe.qemu, world, state, program)
  if not ok then return check("qemu", "fail", ("%s does not answer: %s"):format(program, tostring(answer))) end
  local major, minor = answer.version:match("^(%d+)%.(%d+)")
  local old = tonumber(major) * 100 + tonumber(minor) < 702
  return check("qemu", old and "fail" or "ok", program .. " " .. answer.version, old and "7.2 is the oldest supported" or nil)
end

function M.kvm(world)
  local kvm = world.qemu.kvm_status()
  if kvm.usable then return check("kvm", "ok", "/dev/kvm") end
  if kvm.code == "EACCES" or kvm.code == "EPERM" then
    return check("kvm", "fail", "/dev/kvm: permission denied; VMs would run 10-30 times slower without it",
      "sudo usermod -aG kvm $USER   (then log in again)")
  end
  return check("kvm", "warn", kvm.reason .. "; VMs are emulated (TCG), 10-30 times slower")
end

function M.sandbox(world)
  local abi = world.launch.landlock_abi()
  if abi and abi > 0 then return check("sandbox", "ok", "seccomp, Landlock ABI " .. abi) end
  return check("sandbox", "warn", "seccomp only; this kernel has no Landlock (5.13 or newer)")
end

function M.virtiofs(world)
  local program = facts.virtiofsd(world)
  if program then return check("virtiofs", "ok", program) end
  return check("virtiofs", "warn", "virtiofsd not found; directories can be shared by 9p only", "sudo apt install virtiofsd")
end

function M.firmware(world)
  local pair = facts.firmware(world)
  if pair then return check("uefi", "ok", pair.code) end
  return check("uefi", "warn", "no OVMF firmware; vm.uefi: true is not possible", "sudo apt install ovmf")
end

function M.memory(world)
  local memory = memory_.look(world)
  return check("memory", "ok", ("%s free of %s%s"):format(units.format_bytes(memory.available_bytes),
    units.format_bytes(memory.total_bytes), capacity.limit(memory)))
end

local function try_writing(world, directory)
  err.check(nil, world.fs.mkdir_all(directory, tonumber("700", 8)))
  local file = directory .. "/.doctor"
  err.check(nil, world.fs.write_atomic(file, "", { mode = tonumber("600", 8), sync = false }))
  err.check(nil, world.fs.remove(file))
end

function M.disk(world, state)
  local ok, problem = pcall(try_writing, world, state.root)
  if not ok then return check("state", "fail", tostring(problem), "set HOLOS_STATE_DIR to a directory you can write") end
  local space = err.check(state.root, world.fs.space(state.root))
  local text = ("%s free in %s"):format(units.format_bytes(space.free_bytes), state.root)
  if space.free_bytes * 10 >= space.total_bytes then return check("state", "ok", text) end
  local is_full = space.free_bytes < LEAST_FREE_BYTES
  return check("state", is_full and "fail" or "warn", text .. (is_full and ": no record can be written"
    or ", less than a tenth: `up` and `down` empty the trash"), "holos trash ls · holos trash empty PROJECT · holos prune")
end

--- The layers of the image store; nil where none are asked for.
function M.images(world)
  local problems, count = layers.problems(world)
  if count == 0 then return nil end
  if #problems == 0 then return check("images", "ok", ("HOLOS_IMAGES: %d more to read from"):format(count)) end
  return check("images", "warn", table.concat(problems, "; "), "mount it, or mend the variable")
end

local PLACES = { system = "a scope of the system's systemd", user = "a scope of your own systemd, which stays: you linger" }

--- What a logout does to instances.
function M.logout(world)
  local found = scope.expected(world)
  if not found then return check("logout", "ok", "no logout ends what is started here") end
  if not found.warning then
    return check("logout", "ok", "instances outlive it: " .. (PLACES[found.manager] or "the end of a login leaves them alone"))
  end
  return check("logout", "warn", found.warning:match("^(.-);") or found.warning, found.warning:match("; (.*)$"))
end

--- The checks, in the order they are shown; a function, so that a script can add one. One that gives nothing is not shown.
function M.checks() return { M.qemu, M.kvm, M.sandbox, M.virtiofs, M.firmware, M.memory, M.disk, M.images, M.logout } end

--- Runs all checks.
---@return holos.Check[] results
function M.run(world, state)
  local results = {}
  for _, each in ipairs(M.checks()) do results[#results + 1] = each(world, state) end
  return results
end

return M
