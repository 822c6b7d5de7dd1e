-- Volumes under names of their own: where they are kept, and what another name leaves behind.
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"

local YAML = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data"], stop_grace_period: 1s}
volumes: {data: {size: 64M%s}}
]]

local function named(name) return YAML:format(name and ", name: " .. name or "") end

local function inode(stack, name)
  local stat = fs.stat(("%s/volumes/pair/%s.qcow2"):format(stack.state, name))
  return stat and stat.inode
end

test("a volume is kept under its name; another name is another volume, and the old one stays until down -v", function()
  local stack <close> = stack_.on_fake(named())
  stack:expect { "up" }
  local first = inode(stack, "data")
  ok(first)
  stack:write(named "pg-data")
  local plan = stack:expect { "plan" }
  ok(plan.stdout:find("volume data (pg-data)", 1, true) and plan.stdout:find("data:/data → pg-data:/data", 1, true), plan.stdout)
  ok(plan.stderr:find("volume data is no longer in the file; it stays as it is", 1, true), plan.stderr)
  equal(inode(stack, "pg-data"), nil)
  stack:expect { "up" }
  local second = inode(stack, "pg-data")
  equal({ inode(stack, "data"), second ~= nil and second ~= first }, { first, true })
  equal(stack:expect({ "plan", "--exit-code" }).stdout, "0 to add, 0 to change, 0 to remove.\n")
  ok(stack:expect({ "validate" }).stdout:find("keeps +volume pg%-data +it is there and survives down"))

  stack:write(named())
  stack:expect { "up" } -- back to the first one, which is as it was
  equal({ inode(stack, "data"), inode(stack, "pg-data") }, { first, second })
  stack:expect { "down" }
  equal({ inode(stack, "data"), inode(stack, "pg-data") }, { first, second })
  stack:expect { "down", "-v" }
  equal({ inode(stack, "data"), inode(stack, "pg-data") }, {})
end)
