--- Progress of many rows: drawn over on a terminal, one line for each change elsewhere. On virtual time.

local err = require "holos.core.err"
local out = require "holos.command.out"
local override = require "holos.core.override"
local talk_ = require "holos.command.talk"
local task = require "holos.core.task"
local transfers = require "holos.command.transfers"
local virtual = require "tests.support.virtual_poller"

local function world_with(columns, lines)
  return {
    tty = { is_terminal = function() return columns ~= nil end, size = function() return columns, lines end },
    host = { env = function() return "xterm" end },
  }
end

-- Runs `play(talk, poller)` and gives the pieces that were written to standard error.
local function written(world, play)
  local pieces = {}
  local function keep(_, piece) pieces[#pieces + 1] = piece end
  local undo_talk = override.install("holos.command.out", "talk", keep)
  local undo_raw = override.install("holos.command.out", "raw", keep)
  local poller = virtual.new()
  local fine, problem = pcall(task.run, poller, function()
    local talk = talk_.new(world, "up")
    play(talk, poller)
    talk:close()
  end)
  undo_raw()
  undo_talk()
  if not fine then error(problem, 0) end
  return pieces
end

local LAUNCH, AWAIT = { kind = "instance.launch", instance = "db-0" }, { kind = "instance.await", instance = "db-0" }

local function whole_life(talk, poller)
  talk.on_start(LAUNCH)
  poller:spend(100)
  talk.on_end(LAUNCH, true, "running", 100)
  talk.on_start(AWAIT)
  poller:spend(6000)
  talk.on_change("db-0", { state = "ready" })
  talk.on_change("db-0", { state = "ready" })
  talk.on_change("db-0", { state = "provisioning", step = 1, steps = 2, title = "apt-get\27[31m\ninstall" })
  poller:spend(30000)
  talk.on_change("db-0", { state = "provisioning", step = 2, steps = 2, title = "true" })
  poller:spend(4900)
  talk.on_change("db-0", { state = "provisioning", step = 2, steps = 2, title = "true" })
  talk.on_change("db-0", { state = "provisioned" })
  talk.on_end(AWAIT, true, "provisioned", 40900)
end

test("elsewhere than on a terminal each change is one line", function()
  equal(written(world_with(nil), whole_life), {
    "✔ db-0  running  0.1s",
    "· db-0  ready",
    "· db-0  step 1/2 apt-get\\x1b[31m install",
    "· db-0  step 2/2 true  (step 1: 30.0s)",
    "· db-0  provisioned",
    "✔ db-0  provisioned  40.9s",
  })
end)

test("on a terminal the rows are drawn over, with how long each stage took", function()
  local pieces = written(world_with(100, 24), whole_life)
  local last = pieces[#pieces]
  equal(last, "[+] up 1/1" .. (" "):rep(59) .. "41s\n ✔ db-0  provisioned  ready 6.1s · provisioned 41.0s\n")
  equal(pieces[#pieces - 1], "\27[2A\27[J")
end)

test("no line is wider than the terminal, and no more rows are drawn than it has", function()
  local pieces = written(world_with(20, 6), function(talk)
    for number = 1, 10 do
      local action = { kind = "instance.launch", instance = "service-" .. number }
      talk.on_start(action)
      if number % 2 == 0 then talk.on_end(action, true, "running with a long explanation", 5) end
    end
  end)
  local last = pieces[#pieces]
  local count = 0
  for line in last:gmatch("[^\n]+") do
    count = count + 1
    ok(utf8.len(line) <= 19, line)
  end
  equal(count, 5)
  ok(last:find("… 7 more", 1, true), last)
  ok(last:find("service-9", 1, true), "a row at work is hidden:\n" .. last)
end)

test("a failure shows its reason and the guest's last lines; what was cancelled is not called a failure", function()
  local pieces = written(world_with(nil), function(talk)
    talk.on_start(LAUNCH)
    local problem = { message = "db-0: failed: packages (step 1, exit 100)", log = { "E: no\27 such" } }
    talk.on_end(LAUNCH, false, err.new(problem), 5)
    local other = { kind = "instance.launch", instance = "web-0" }
    talk.on_start(other)
    talk.on_end(other, false, err.new { message = "cancelled", code = "ECANCELED" }, 5)
  end)
  equal(pieces, { "✘ db-0  db-0: failed: packages (step 1, exit 100)", "  db-0 | E: no\\x1b such" })
end)

test("nothing is redrawn with --progress plain, --ansi never or a dumb terminal", function()
  local world = world_with(80, 24)
  local before = out.style
  for _, style in ipairs { { ansi = "auto", progress = "plain" }, { ansi = "never", progress = "auto" } } do
    out.style = style
    equal(out.is_live(world), false)
  end
  out.style = { ansi = "auto", progress = "auto" }
  equal(out.is_live(world), true)
  world.host.env = function() return "dumb" end
  equal(out.is_live(world), false)
  out.style = before
end)

test("who waits for the image store while an image comes is told of it", function()
  for _, columns in ipairs { false, 80 } do
    local world = world_with(columns or nil, 24)
    local pieces = written(world, function() transfers.new(world).waiting "pid 7" end)
    ok(table.concat(pieces):find("waiting for the image store (held by pid 7)", 1, true), columns)
  end
end)

test("the wait for a busy server is told, and what for; short ones only where there is room", function()
  local function play()
    local told = transfers.new(world_with(nil))
    for _, wait in ipairs { { 500, "short" }, { 600000, "status 503\27" } } do
      told.progress("debian:12", { phase = "waiting", for_ms = wait[1], why = wait[2], done_bytes = 0 })
    end
  end
  equal(written(world_with(nil), play), { "image debian:12  tries again in 10m: status 503\\x1b" })
  local drawn = table.concat(written(world_with(80, 24), function()
    transfers.new(world_with(80, 24)).progress("debian:12",
      { phase = "waiting", host = "h", for_ms = 500, why = "status\n503\27", done_bytes = 0 })
  end))
  ok(drawn:find("from h  +tries again in 0.5s: status 503\\x1b\n"), drawn)
end)

local function long_reading(talk, poller)
  talk.on_start(LAUNCH)
  for second = 1, 25 do
    poller:spend(1000)
    talk.on_change("db-0", { state = "reading", path = "/dev/s\27db", progress = { done_bytes = second << 27,
      total_bytes = 100 << 27, bytes_per_s = 1 << 27, eta_ms = (100 - second) * 1000 } })
  end
  talk.on_end(LAUNCH, true, "running", 25000)
end

test("the reading of a large disk is told with bytes and rate, now and then where there is no terminal", function()
  equal(written(world_with(nil), long_reading), {
    "· db-0  reading /dev/s\\x1bdb: 11%, 1.4 GiB of 12.5 GiB, 128 MiB/s, 1m29s left",
    "· db-0  reading /dev/s\\x1bdb: 21%, 2.6 GiB of 12.5 GiB, 128 MiB/s, 1m19s left",
    "✔ db-0  running  25.0s",
  })
  local drawn = table.concat(written(world_with(120, 10), long_reading))
  ok(drawn:find("reading /dev/s\\x1bdb: 1%, 128 MiB of 12.5 GiB", 1, true), drawn)
end)
