--- make bench: what a download takes beside curl(1), and hashing beside sha256sum(1). The server is openssl's, its files are
--- holes. Figures of one run on one machine: they are compared with each other, never asserted.

local err = require "holos.core.err"
local files = require "tests.support.files"
local fs = require "sys.fs"
local measure = require "tests.bench.measure"
local program = require "tests.support.program"
local tls_server = require "tests.support.tls_server"
local tool = require "tests.support.tool"

local MIB = 1 << 20
local SMALL_MIB, LARGE_MIB = 512, 3072
local ROUNDS = 3

-- Arguments: URL, part, authorities, hashes.
local GET = [[
local http, world = require "holos.run.http", require "holos.run.world"
local request = { url = arg[1], file = arg[2], ca_file = arg[3], hashes = { table.unpack(arg, 4) } }
local got, message = require("holos.core.task").run(world.poller, function() return http.download(world, request) end)
if not got then io.stderr:write(message, "\n") end
return got and 0 or 1
]]

-- Arguments: name of the hash, file.
local HASH = [[
local world = require "holos.run.world"
local file, hasher = world.fs.open(arg[2]), world.hash.new(arg[1])
while hasher:try_update_from(file) > 0 do end
return #hasher:hex() > 0 and 0 or 1
]]

local directory

local function say(what, took, note)
  local memory = took.peak_mib > 0 and ("%6.1f MiB"):format(took.peak_mib) or "         -"
  print(("%-44s %7.0f ms wall %8.1f ms CPU %s   %s"):format(what, took.wall_ms, took.cpu_ms, memory, note or ""))
end

local function holos(script, ...)
  fs.remove(directory .. "/part")
  fs.remove(directory .. "/part.json")
  return measure.run(directory, { "lua", directory .. "/" .. script, ... })
end

-- A line of the shell: what it and its children took.
local function shell(line)
  local command = ("exec 3>%s/times; %s || exit 1; times >&3"):format(directory, line)
  local wall_ms, exit = measure.run_program(directory, "/bin/bash", { "-c", command })
  if exit ~= 0 then err.raise(("%s ended with %s"):format(line, exit)) end
  local cpu_ms = 0
  for minutes, seconds in assert(fs.read(directory .. "/times")):gmatch("(%d+)m([%d.]+)s") do
    cpu_ms = cpu_ms + minutes * 60000 + seconds * 1000
  end
  return { wall_ms = wall_ms, cpu_ms = cpu_ms, peak_mib = 0 }
end

local function ratio(mine, theirs)
  return ("ratio %.2f wall, %.2f CPU"):format(mine.wall_ms / theirs.wall_ms, mine.cpu_ms / math.max(1, theirs.cpu_ms))
end

-- One after the other within a round, so that both meet the same machine.
local function beside(what, mine, name, theirs)
  local list, other = {}, {}
  for round = 1, ROUNDS do list[round], other[round] = mine(), theirs() end
  local ours, others = measure.summary(list), measure.summary(other)
  say(what, ours, ratio(ours, others))
  say("  " .. name, others)
end

local function bench_downloads(port)
  local ca, part = directory .. "/ca.pem", directory .. "/part"
  local function url(name) return ("https://localhost:%d/%s"):format(port, name) end
  local curl = ("curl -sS --cacert %s %s"):format(ca, url "small")
  local function get(...)
    local hashes = { ... }
    return function() return holos("get.lua", url "small", part, ca, table.unpack(hashes)) end
  end
  local size = ("%d MiB by TLS"):format(SMALL_MIB)
  beside(size .. ", not hashed", get(), "curl", function() return shell(curl .. " -o part.curl") end)
  beside(size .. ", SHA-256", get "sha256", "curl | tee | sha256sum",
    function() return shell(curl .. " | tee part.curl | sha256sum >sum") end)
  say(("%d MiB by TLS, SHA-256 and SHA-512"):format(LARGE_MIB), holos("get.lua", url "large", part, ca, "sha256", "sha512"),
    "aim: 8 MiB of memory")
end

local function bench_hashing()
  for _, name in ipairs { "sha256", "sha512" } do
    beside(("%s of %d MiB"):format(name, SMALL_MIB), function() return holos("hash.lua", name, directory .. "/small") end,
      name .. "sum", function() return shell(name .. "sum small >sum") end)
  end
end

-- openssl says where it listens, among other things.
local function port_of(server)
  for line in function() return server:line() end do
    local port = line:match("^ACCEPT .*:(%d+)$")
    if port then return math.tointeger(port) end
  end
  err.raise "openssl s_server did not start"
end

test("downloads and hashes", function()
  if not tool.find "openssl" or not tool.find "curl" then skip "openssl and curl are wanted" end
  directory = tmpdir()
  tls_server.certificates(directory, "good")
  files.write(directory .. "/get.lua", GET)
  files.write(directory .. "/hash.lua", HASH)
  for name, size in pairs { small = SMALL_MIB, large = LARGE_MIB } do
    files.write(directory .. "/" .. name, "")
    assert(fs.truncate(directory .. "/" .. name, size * MIB))
  end
  bench_hashing()
  local server <close> = program.start { "sh", "-c", 'cd "$0" && exec openssl s_server -accept 127.0.0.1:0 -WWW '
    .. "-cert good.pem -key good.key 2>errors", directory }
  bench_downloads(port_of(server))
end, { timeout_ms = 900000 })
