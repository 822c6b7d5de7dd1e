--- What is said while an image is made: on a terminal one line that is drawn over, elsewhere a line for each step.

local image_talk = require "holos.command.image_talk"
local override = require "holos.core.override"
local task = require "holos.core.task"
local virtual = require "tests.support.virtual_poller"

-- What `play(talk)` has written to standard error, on a terminal of so many columns or on none.
local function written(columns, play)
  local pieces = {}
  local function keep(_, piece) pieces[#pieces + 1] = piece end
  local undo_talk = override.install("holos.command.out", "talk", function(_, line) keep(_, line .. "\n") end)
  local undo_raw = override.install("holos.command.out", "raw", keep)
  local world = { tty = { is_terminal = function() return columns ~= nil end, size = function() return columns end },
    host = { env = function() return "xterm" end } }
  local fine, problem = pcall(task.run, virtual.new(), function()
    local talk <close> = image_talk.new(world)
    play(talk)
  end)
  undo_raw()
  undo_talk()
  if not fine then error(problem, 0) end
  return (table.concat(pieces):gsub("\r\27%[K", "<"))
end

local function play(talk)
  talk.step "1/2 packages"
  talk.detail "fetching\27[2J"
  talk.detail(nil)
  task.wait { at_ms = task.now_ms() + 1500 }
  talk.step "2/2 disk"
  talk:close(true)
end

test("image talk: elsewhere a line for each step, as it begins", function()
  equal(written(nil, play), "· 1/2 packages\n· 2/2 disk\n")
end)

test("image talk: on a terminal one line, which stands with its time when the step has ended", function()
  equal(written(80, play), "<· 1/2 packages<· 1/2 packages: fetching\\x1b[2J<✔ 1/2 packages  1.5s\n<· 2/2 disk<✔ 2/2 disk  0.0s\n")
end)

test("image talk: a line never wraps", function()
  equal(written(12, function(talk)
    talk.step "1/2 packages"
    talk:close(true)
  end), "<· 1/2 pack…<✔ 1/2 pack…\n")
end)

test("image talk: a step that ends by an error is marked so, once", function()
  equal(written(80, function(talk)
    talk.step "1/1 disk"
    talk:close()
    talk:close()
  end), "<· 1/1 disk<✘ 1/1 disk  0.0s\n")
end)
