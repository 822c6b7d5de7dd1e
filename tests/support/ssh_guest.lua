--- A guest of the stand-in for QEMU that can be reached over SSH: behind web-0 of the project "pair" a real sshd of this
--- machine answers, with the keys that holos gave to that guest. Effects: starts and kills a server.
local fake_qemu = require "tests.support.fake_qemu"
local sshd = require "tests.support.sshd"

local M = {}

--- Runs `body(stack, set)` while web-0 can be reached; set(settings) changes what its machine does from its next start on.
---@param stack table  of support/stack, on the stand-in, that has not been up
---@param settings string[]?  of the stand-in
function M.with(stack, settings, body)
  local world, keys = require "holos.run.world", require "holos.run.keys"
  local state = require("holos.run.state").locate(world, { state_dir = stack.state })
  state:prepare(world)
  state:prepare_project(world, "pair")
  local pairs_ = { host = keys.host(world, state, "pair", "web-0"), user = keys.user(world, state, "pair") }
  sshd.openssh(pairs_, function(server)
    local function set(list) fake_qemu.set(stack.qemu, { "ssh=" .. server.port, table.unpack(list or {}) }) end
    set(settings)
    body(stack, set)
  end)
end

return M
