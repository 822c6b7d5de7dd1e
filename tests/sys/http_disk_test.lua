--- Downloads by a program of their own: on a disk that is full, and killed in the middle.

local fetching = require "tests.support.fetching"
local files = require "tests.support.files"
local hash = require "sys.hash"
local host = require "sys.host"
local program = require "tests.support.program"
local task = require "holos.core.task"
local tls_server = require "tests.support.tls_server"
local tool = require "tests.support.tool"

local E = '"v1"'

-- Arguments: URL, part. Writes "at BYTES" lines, then "got SHA256" or "failed CODE MESSAGE".
local SCRIPT = [[
local http, world = require "holos.run.http", require "holos.run.world"
local request = { url = ..., file = select(2, ...), allow_http = true, tries = 1 }
local function tell(state)
  print("at " .. state.done_bytes)
  io.stdout:flush()
end
local got, message, code = require("holos.core.task").run(world.poller, function()
  return http.download(world, request, tell)
end)
print(got and "got " .. got.sha256 or ("failed %s %s"):format(code, message))
]]

local function script()
  local path = tmpdir() .. "/get.lua"
  files.write(path, SCRIPT)
  return path
end

test("a full disk is said; what fitted is kept, and serves when there is space", function()
  local body = fetching.bytes(3000000)
  tls_server.run_plain(tls_server.publish { ["/f"] = { body = body, etag = E } }, function(server)
    local disk = tmpdir()
    local result = run_tool { "unshare", host.uid() == 0 and "-m" or "-rm", "sh", "-c", [[
      mount -t tmpfs -o size=1m none "$1" || exit 77
      "$2" lua "$3" "$4" "$1/part" | tail -n 1
      mount -o remount,size=16m "$1"
      "$2" lua "$3" "$4" "$1/part" | tail -n 1
    ]], "sh", disk, host.executable(), script(), server.url .. "/f" }
    if result.status == 77 then skip("no file systems can be mounted here: " .. result.stderr) end
    local first, second = result.stdout:match("^([^\n]*)\n([^\n]*)\n$")
    equal(first, ("failed ENOSPC %s: No space left on device"):format(server.url .. "/f"))
    equal(second, "got " .. hash.sha256(body))
    local from = math.tointeger((server.requests[2].headers.range or ""):match("^bytes=(%d+)%-$"))
    ok(from and from > 900000 and from <= 1 << 20, server.requests[2].headers.range)
  end)
end)

local PULL = [[
  mount -t tmpfs -o size=$2 none "$1" || exit 77
  HOLOS_STATE_DIR="$1" "$3" pull "$4"; echo "ended with $?"
  find "$1" -name "*.part*" -size +0
]]

-- What a pull of `url` says, its end and what is left of it, with its state on a file system of that size.
local function pull_onto(size, url)
  local result = run_tool { "unshare", host.uid() == 0 and "-m" or "-rm", "sh", "-c", PULL, "sh", tmpdir(), size,
    host.executable(), url }
  if result.status == 77 then skip("no file systems can be mounted here: " .. result.stderr) end
  equal(result.stdout, "ended with 1\n")
  return result.stderr
end

test("a pull that has no room is refused before its first byte; one of unknown length keeps nothing of what fitted", function()
  local function known(_, connection) connection:respond(200, { ETag = E, ["Content-Length"] = tostring(200 << 20) }, "") end
  tls_server.run_plain(known, function(server)
    local said = pull_onto("100m", server.url .. "/x.raw")
    ok(said:find("guests go on with, may take 264 MiB, and /", 1, true), said)
    equal(#server.requests, 1)
  end)
  local function unknown(_, connection)
    connection:write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" .. fetching.bytes(3000000))
  end
  tls_server.run_plain(unknown, function(server)
    local said = pull_onto("2m", server.url .. "/x.raw")
    ok(said:find("No space left on device", 1, true) and said:find("nothing of it is kept", 1, true), said)
  end)
end)

test("a disk that fails when flushed is said: nothing counts as whole that is not on it", function()
  if not tool.find "strace" then skip "strace is not installed" end
  tls_server.run_plain(tls_server.publish { ["/f"] = { body = "hello", etag = E } }, function(server)
    local result = run_tool({ "strace", "-f", "-o", "/dev/null", "-e", "inject=fsync:error=EIO:when=1", host.executable(),
      "lua", script(), server.url .. "/f", tmpdir() .. "/part" }, { env = { "ASAN_OPTIONS=detect_leaks=0" } })
    ok(result.stdout:find("failed EIO " .. server.url .. "/f: fsync", 1, true), result.stdout .. result.stderr)
  end)
end)

-- Sends the rest in pieces, so that there is a middle.
local function slowly(body)
  return function(request, connection)
    local from = math.tointeger((request.headers.range or "bytes=0-"):match("%d+"))
    local range = from > 0 and ("bytes %d-%d/%d"):format(from, #body - 1, #body) or nil
    connection:respond(range and 206 or 200, { ETag = E, ["Content-Range"] = range,
      ["Content-Length"] = tostring(#body - from) }, "")
    for at = from + 1, #body, 20000 do
      if not connection:write(body:sub(at, math.min(at + 19999, #body))) then return end
      task.wait { at_ms = task.now_ms() + 2 }
    end
  end
end

test("killed in the middle again and again, the next one goes on, and the whole is right", function()
  local body = fetching.bytes(3000000)
  tls_server.run_plain(slowly(body), function(server)
    local part, get = tmpdir() .. "/part", script()
    for _ = 1, 4 do
      local holos <close> = program.start { host.executable(), "lua", get, server.url .. "/f", part }
      holos:line()
      task.wait { at_ms = task.now_ms() + math.random(0, 60) }
    end
    local holos <close> = program.start { host.executable(), "lua", get, server.url .. "/f", part }
    local line, last = "", ""
    while line do line, last = holos:line(), line end
    equal(last, "got " .. hash.sha256(body))
    equal(server.requests[1].headers.range, nil)
    ok(server.requests[#server.requests].headers.range, "it began from zero")
  end)
end)
