-- A real guest that starts from an image by its name, with a graphics card as some images want one: its name moves, it keeps
-- its base and what it wrote, also when the base lies elsewhere by then, until somebody has it made anew.
local disk_images = require "tests.support.disk_images"
local files = require "tests.support.files"
local fs = require "sys.fs"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

local YAML = "name: named\nservices:\n  vm: {image: tiny, stop_grace_period: 20s}\n"

local function asked(stack, command) return stack:expect({ "exec", "vm", "--", "sh", "-c", command }).stdout end

local function imported(stack, file)
  local digest = stack:expect({ "images", "import", file, "tiny", "--os", "plain", "--memory", "256M" }).stdout:match("%S+")
  files.edit_json(stack.state .. "/images/tags/tiny/latest.json", function(tag) tag.facts.quirks = { needs_vga = true } end)
  return digest
end

test("a guest from an image of the store, whose name moves under it", function()
  if files.environment("HOLOS_TESTS") ~= "all" then skip "only with HOLOS_TESTS=all: a guest that boots three times" end
  disk_images.need_tools()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("tiny") }
  local first = imported(stack, stack.image)
  stack:expect { "up" }
  equal(asked(stack, "echo mine > /root/kept; sync; cat /sys/bus/pci/devices/*/class | grep -c 0x030000"), "1\n")
  local other = stack.directory .. "/other.qcow2"
  disk_images.img("convert", "-O", "qcow2", stack.image, other)
  disk_images.img("resize", "-f", "qcow2", other, "+1M")
  local second = imported(stack, other)
  ok(first ~= second, "another file")
  local refused = stack:expect({ "up", "-y" }, 3)
  ok(refused.stderr:find(("image tiny:latest (%s) → tiny:latest (%s)"):format(first:sub(1, 19), second:sub(1, 19)), 1, true),
    refused.stderr)
  stack:expect { "stop" }
  assert(fs.rename(stack.state .. "/images", stack.directory .. "/layer")) -- as when a new firmware has it at another place
  stack.env = { "HOLOS_IMAGES=" .. stack.directory .. "/layer" }
  stack:expect { "start" }
  equal(asked(stack, "cat /root/kept"), "mine\n")
  local disk = stack.state .. "/instances/named/vm-0/root.qcow2"
  stack:expect { "up", "--recreate" }
  equal(asked(stack, "cat /root/kept 2>/dev/null || echo gone"), "gone\n")
  ok(qcow2.info(disk).backing:find(second:sub(8), 1, true))
  stack:expect { "stop" }
  disk_images.img("check", disk)
end)
