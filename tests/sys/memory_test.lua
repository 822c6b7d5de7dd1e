--- The Lua state's memory: blocks of all sizes keep what is in them while others come, grow and go.
local files = require "tests.support.files"
local host = require "sys.host"

local RANDOM = 20240607
local SIZES = { 1, 15, 16, 17, 100, 1000, 4000, 4071, 4072, 4073, 4096, 5000, 70000 } -- 4096 with a string's own 25

local function text_of(size, mark) return (("%08d"):format(mark)):rep(size // 8 + 1):sub(1, size) end

test("strings around the limit between small and large blocks stay whole", function()
  local kept = {}
  for round = 1, 50 do
    for _, size in ipairs(SIZES) do kept[#kept + 1] = { size = size, mark = round * size, text = text_of(size, round * size) } end
    if round % 10 == 0 then collectgarbage() end
  end
  for _, item in ipairs(kept) do equal(item.text, text_of(item.size, item.mark)) end
end)

test("tables that grow and shrink keep their items, whatever is freed between them", function()
  math.randomseed(RANDOM)
  local tables = {}
  for step = 1, 20000 do
    local name = math.random(200)
    local items = tables[name] or {}
    tables[name] = items
    if math.random(50) == 1 then
      tables[name] = nil
    else
      items[#items + 1] = step
      items["k" .. step] = step
    end
    if step % 1000 == 0 then collectgarbage() end
  end
  local seen = 0
  for _, items in pairs(tables) do
    for _, step in ipairs(items) do
      equal(items["k" .. step], step)
      seen = seen + 1
    end
  end
  ok(seen > 1000, "too little was kept to say anything: " .. seen)
end)

test("what is not used any more is used again", function()
  collectgarbage()
  local before_kib = collectgarbage("count")
  local most_kib = before_kib
  for round = 1, 200000 do
    local _ = { round, { round } }
    if round % 1000 == 0 then most_kib = math.max(most_kib, collectgarbage("count")) end
  end
  collectgarbage()
  ok(collectgarbage("count") < before_kib + 100, "garbage stayed")
  ok(most_kib < before_kib * 4 + 8 * 1024, ("grew from %.0f to %.0f KiB"):format(before_kib, most_kib))
end)

test("warn() is silent until a script turns it on", function()
  local script = tmpdir() .. "/warn.lua"
  files.write(script, 'warn("one") warn("@on") warn("t", "wo") warn("@off") warn("three") return 0')
  equal(run_tool({ host.executable(), "lua", script }, {}).stderr, "Lua warning: two\n")
end)
