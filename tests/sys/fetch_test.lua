--- vendor/fetch: the order of places, and that a wrong byte stops it. A stand-in for curl serves files by their name;
--- no test reaches the network.

local CONTENT = "the pinned bytes\n"

local PINS = [[
name: thing
version: 1
size: 17
sha256: SHA256
pool: t/thing/thing_1.orig.tar.gz
origin: http://127.0.0.1:9/upstream/thing-1.tar.gz
]]

-- Serves $SERVE/<last part of the address> and notes what was asked for.
local CURL = [[#!/bin/sh
for last; do :; done
echo "$last" >>"$ASKED"
while [ "$1" != -o ]; do shift; done
cp "$SERVE/${last##*/}" "$2"
]]

local APT_GET = [[#!/bin/sh
. /etc/os-release
echo "http://127.0.0.1:9/debian/ $VERSION_CODENAME"
echo "http://127.0.0.1:9/debian-security/ $VERSION_CODENAME-security"
echo "http://127.0.0.1:9/foreign/ stable"
]]

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function shell(command)
  local result = run_tool { "sh", "-c", command }
  equal(result.status, 0)
  return result.stdout
end

-- A directory with its own copy of the script, pins for one archive, and tools that stay on this machine.
local function arrange()
  local directory = tmpdir()
  shell(("cd '%s' && mkdir bin serve sources cache"):format(directory))
  local sha256 = shell("printf '" .. CONTENT:gsub("\n", "\\n") .. "' | sha256sum"):match("^%x+")
  write(directory .. "/pins", (PINS:gsub("SHA256", sha256)))
  write(directory .. "/bin/curl", CURL)
  write(directory .. "/bin/apt-get", APT_GET)
  write(directory .. "/asked", "")
  for _, name in ipairs { "wget", "python3", "apt-helper" } do
    write(directory .. "/bin/" .. name, "#!/bin/sh\nexit 1\n")
  end
  shell(("cp vendor/fetch '%s/' && chmod +x '%s'/bin/*"):format(directory, directory))
  return directory, sha256
end

local function fetch(directory, sources)
  local path = "PATH=" .. directory .. "/bin:/usr/bin:/bin"
  local result = run_tool({ "env", path, directory .. "/fetch", "thing" }, { env = {
    "SERVE=" .. directory .. "/serve", "ASKED=" .. directory .. "/asked",
    "HOLOS_CACHE_DIR=" .. directory .. "/cache", "HOLOS_SOURCES=" .. (sources or ""),
  } })
  return result, read(directory .. "/asked")
end

test("HOLOS_SOURCES comes first", function()
  local directory = arrange()
  write(directory .. "/sources/thing_1.orig.tar.gz", CONTENT)
  local result, asked = fetch(directory, directory .. "/sources")
  equal({ result.status, result.stdout, asked }, { 0, directory .. "/sources/thing_1.orig.tar.gz\n", "" })
end)

test("a wrong byte stops, with both hashes", function()
  local directory, sha256 = arrange()
  write(directory .. "/sources/thing_1.orig.tar.gz", CONTENT:upper())
  local result = fetch(directory, directory .. "/sources")
  local wrong = shell(("sha256sum <'%s/sources/thing_1.orig.tar.gz'"):format(directory)):match("^%x+")
  equal(result.status, 1)
  ok(result.stderr:find(sha256, 1, true) and result.stderr:find(wrong, 1, true), result.stderr)
end)

test("the distribution's archive, then nothing more: the cache answers from there on", function()
  local directory = arrange()
  write(directory .. "/serve/thing_1.orig.tar.gz", CONTENT)
  local result, asked = fetch(directory)
  equal({ result.status, asked }, { 0, "http://127.0.0.1:9/debian/pool/main/t/thing/thing_1.orig.tar.gz\n" })
  equal(read(directory .. "/cache/sources/thing_1.orig.tar.gz"), CONTENT)
  local again, asked_again = fetch(directory)
  equal({ again.status, again.stdout, asked_again }, { 0, result.stdout, asked })
end)

test("upstream when the archive has it no more", function()
  local directory = arrange()
  write(directory .. "/serve/thing-1.tar.gz", CONTENT)
  local result, asked = fetch(directory)
  equal(result.status, 0)
  equal(asked:match("[^\n]*\n$"), "http://127.0.0.1:9/upstream/thing-1.tar.gz\n")
  ok(not asked:find("foreign", 1, true) and not asked:find("security", 1, true), asked)
end)

test("wrong bytes from the network stop, and are not kept", function()
  local directory = arrange()
  write(directory .. "/serve/thing_1.orig.tar.gz", "others\n")
  local result = fetch(directory)
  equal(result.status, 1)
  ok(result.stderr:find("wrong bytes from http://127.0.0.1:9/debian/", 1, true), result.stderr)
  equal(shell(("ls -A '%s/cache/sources'"):format(directory)), "")
end)

test("no source at all: says what to put where", function()
  local directory = arrange()
  local result = fetch(directory)
  equal(result.status, 1)
  ok(result.stderr:find("thing_1.orig.tar.gz", 1, true) and result.stderr:find("HOLOS_SOURCES", 1, true), result.stderr)
end)
