--- A guest that is told of volumes which come and go (run/attach), and does that or fails as a test wants.
local fs = require "sys.fs"
local inside = require "holos.run.inside"
local instead = require "tests.support.instead"
local json = require "sys.json"
local runtime = require "holos.run.runtime"
local state_ = require "holos.run.state"
local world = require "holos.run.world"

local M = {}

--- What the actions of a plan get: db-0 of the project pair as it is wanted and as it runs.
function M.at(stack)
  local state = state_.locate(world, { state_dir = stack.state })
  local record = assert(json.decode(assert(fs.read(stack.state .. "/projects/pair.json", { max_bytes = 1 << 20 })), {}))
  return { state = state, spec = record.instances["db-0"].spec, now = runtime.load(world, state, "pair", "db-0") }
end

--- Calls body(told) with a guest that does what it is told, or fails where `fails(script)` says why.
function M.with(fails, body)
  local told = {}
  local _guest <close> = instead(inside, { as_root = function(_, _, script)
    told[#told + 1] = script
    local reason = fails and fails(script)
    return reason == nil, reason
  end })
  body(told)
end

return M
