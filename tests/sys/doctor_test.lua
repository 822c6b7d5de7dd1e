-- What `holos doctor` says of the file system that state lies on.
local doctor = require "holos.use.doctor"
local world = require "holos.run.world"

local MIB = 1 << 20

test("a state directory with little room is warned of, and a full one blocks", function()
  for _, case in ipairs { { 500 * MIB, "ok", "^500 MiB free in /%S+$" }, { 99 * MIB, "warn", "less than a tenth" },
    { 4096, "fail", "no record can be written" } } do
    local function space() return { free_bytes = case[1], total_bytes = 1000 * MIB } end
    local fs = setmetatable({ space = space }, { __index = world.fs })
    local found = doctor.disk(setmetatable({ fs = fs }, { __index = world }), { root = tmpdir() })
    equal({ found.name, found.status, found.fix ~= nil }, { "state", case[2], case[2] ~= "ok" })
    ok(found.text:find(case[3]), found.text)
  end
end)
