-- `ps` of a project looks at what it shows and at nothing else, and who shows a project is told what is damaged of that.
local fs = require "sys.fs"
local pair = require "tests.support.pair"
local stack_ = require "tests.support.stack"

local YAML = "name: pair\nservices:\n  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}\n"

test("ps does not stumble over what it does not show, and says where it stumbles over what it shows", function()
  local stack <close> = stack_.on_fake(YAML)
  stack:expect { "up" }
  local before = stack:ps()["db-0"]
  local kept = assert(fs.read(stack.state .. "/projects/pair.json"))
  local _mended <close> = setmetatable({}, { __close = function()
    assert(fs.write_atomic(stack.state .. "/projects/pair.json", kept, { mode = 384 }))
  end })
  pair.edit(stack, "projects/pair.json", function(record) record.instances["db-0"].spec.stop_grace_ms = "soon" end)
  local now = stack:ps()["db-0"]
  equal({ now.pid, now.status, now.address }, { before.pid, before.status, before.address })
  for _, words in ipairs { { "ps", "--all" }, { "ls" } } do
    ok(stack:expect(words).stderr:find("stop_grace_ms: expected a whole number", 1, true), table.concat(words, " "))
  end
  stack:expect({ "stop" }, 1)
  for key, value in pairs { vcpu = "two", memory_mib = {}, accel = 1 } do
    assert(fs.write_atomic(stack.state .. "/projects/pair.json", kept, { mode = 384 }))
    pair.edit(stack, "projects/pair.json", function(record) record.instances["db-0"].spec.vm[key] = value end)
    ok(stack:expect({ "ps" }, 1).stderr:find("instances.db-0.spec.vm." .. key .. ": expected ", 1, true), key)
  end
end)
