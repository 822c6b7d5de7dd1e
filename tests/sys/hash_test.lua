--- sys.hash, judged by sha256sum(1) and sha512sum(1).

local fs = require "sys.fs"
local hash = require "sys.hash"
local host = require "sys.host"
local pipe = require "tests.support.pipe"

local function judged(name, text)
  return run_tool({ name .. "sum" }, { stdin = text }).stdout:match("^%x+")
end

test("hash.sha256, hash.sha512: texts of all lengths around the blocks", function()
  for _, length in ipairs { 0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000, 100003 } do
    local text = length > 0 and host.random(length) or ""
    equal(hash.sha256(text), judged("sha256", text), length)
    equal(hash.sha512(text), judged("sha512", text), length)
  end
end)

test("hash.new: pieces give the same as the whole", function()
  local text = host.random(300000)
  for _, name in ipairs { "sha256", "sha512" } do
    local hasher = hash.new(name)
    local at = 1
    for step = 1, 774 do
      hasher:update(text:sub(at, at + step - 1))
      at = at + step
    end
    equal(hasher:update(text:sub(at)):hex(), judged(name, text))
  end
end)

test("hasher:try_update_from: a file in slices, from where it stands to its end", function()
  local path = tmpdir() .. "/file"
  local text = host.random(1 << 20):rep(3) .. "end"
  assert(fs.write_atomic(path, text))
  for _, slice in ipairs { false, 1, 4096, 70000, 1 << 30 } do
    local wanted = slice == 1 and 100 or #text
    assert(fs.write_atomic(path, text:sub(1, wanted)))
    local file <close> = assert(fs.open(path))
    local hasher, total = hash.new("sha256"), 0
    while true do
      local count = assert(hasher:try_update_from(file, slice or nil))
      if count == 0 then break end
      ok(count <= (slice or 1 << 20))
      total = total + count
    end
    equal({ total, hasher:hex() }, { wanted, judged("sha256", text:sub(1, wanted)) })
  end
end)

test("hasher:try_update_from: a pipe with nothing in it is waited for, not ended", function()
  local pair <close> = pipe()
  local reader, writer = pair.reader, pair.writer
  local hasher = hash.new("sha512")
  equal({ hasher:try_update_from(reader, 100) }, { nil, "EAGAIN", "r" })
  writer:try_write("some")
  equal(hasher:try_update_from(reader:fileno(), 100), 4)
  writer:try_write(" text")
  writer:close()
  equal(hasher:try_update_from(reader, 3), 3)
  equal(hasher:try_update_from(reader, 3), 2)
  equal(hasher:try_update_from(reader, 3), 0)
  equal(hasher:hex(), judged("sha512", "some text"))
end)

test("hasher: ends once, and what cannot be read is told", function()
  local hasher = hash.new("sha256")
  equal({ hasher:hex(), hasher:hex() }, { hash.sha256(""), hash.sha256("") })
  raises("finished", hasher.update, hasher, "x")
  local directory <close> = assert(fs.open("/", { directory = true }))
  equal(select(3, hash.new("sha256"):try_update_from(directory, 10)), "EISDIR")
  raises("invalid option", hash.new, "md5")
  raises("at least one", hash.new("sha256").try_update_from, hash.new("sha256"), directory, 0)
end)
