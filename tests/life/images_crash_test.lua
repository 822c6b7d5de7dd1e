-- holos is killed as it enters each call that changes something while it takes images in or removes them: what machines rest on
-- is there and whole, every name leads to a whole image or to none, and the same command finishes what was begun.

local crash = require "tests.support.crash"
local files = require "tests.support.files"
local fs = require "sys.fs"
local hash = require "sys.hash"
local json = require "sys.json"
local qcow2 = require "sys.qcow2"

local YAML = "name: pair\nservices:\n  db: {image: \"debian:12\", image_os: plain, stop_grace_period: 1s}\n"
local SAMPLE = 8

-- A store with an image that a machine rests on, and one that nobody uses; ./new.qcow2 is there to be taken in.
local function prepare(stack)
  stack:write(YAML)
  assert(qcow2.create(stack.directory .. "/new.qcow2", { size_bytes = 3 << 20 }))
  assert(qcow2.create(stack.directory .. "/other.qcow2", { size_bytes = 5 << 20 }))
  stack:expect { "images", "import", "image.qcow2", "debian:12" }
  stack:expect { "images", "import", "other.qcow2", "other:1" }
  stack:expect { "up", "--no-start" }
end

local function digest_of(file) return "sha256:" .. hash.sha256(assert(files.read(file))) end

-- By the tags that they have.
local function images(stack, where)
  local by_tag = {}
  local listed = stack:run { "images", "--format", "json" }
  equal({ listed.status, listed.stderr }, { 0, "" }, where)
  for line in listed.stdout:gmatch("[^\n]+") do
    local image = assert(json.decode(line, {}))
    equal(digest_of(image.path), image.digest, where)
    for _, tag in ipairs(image.tags) do by_tag[tag] = image.digest end
  end
  return by_tag
end

local function require_base(stack, where)
  local base = qcow2.info(stack.state .. "/instances/pair/db-0/root.qcow2").backing
  equal("sha256:" .. base:match("(%x+)%.qcow2$"), digest_of(base), where)
  stack:expect { "start" }
  stack:expect { "down", "--timeout", "200ms" }
end

local function nothing_left(stack, where)
  for _, file in ipairs(files.below(stack.state .. "/images/sha256", "%.json$")) do
    ok(fs.lstat((file:gsub("json$", "qcow2"))), where .. ": " .. file)
  end
end

test("an import that moves a name is killed", function()
  crash.sweep({ "images", "import", "new.qcow2", "debian:12" }, { prepare = prepare, sample = SAMPLE, judge = function(stack, where)
    local old, new = digest_of(stack.directory .. "/image.qcow2"), digest_of(stack.directory .. "/new.qcow2")
    local now = images(stack, where)
    ok(now["debian:12"] == old or now["debian:12"] == new, where)
    stack:expect { "images", "import", "new.qcow2", "debian:12" }
    equal(images(stack, where)["debian:12"], new, where)
    require_base(stack, where)
  end })
end, crash.LONG)

test("a removal is killed", function()
  crash.sweep({ "rmi", "other:1" }, { prepare = prepare, sample = SAMPLE, judge = function(stack, where)
    local now = images(stack, where)
    ok(now["debian:12"], where)
    if now["other:1"] then stack:expect { "rmi", "other:1" } end
    stack:expect { "images", "import", "other.qcow2", "other:1" }
    stack:expect { "rmi", "other:1" }
    equal(images(stack, where), { ["debian:12"] = now["debian:12"] }, where)
    nothing_left(stack, where)
    require_base(stack, where)
  end })
end, crash.LONG)
