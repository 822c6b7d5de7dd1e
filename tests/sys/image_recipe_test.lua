--- The recipe of Debian and Ubuntu, with a stand-in for mmdebstrap that writes down what it is told: which packages come
--- from where. It sees a machine of this test's: its apt sources, its release.

local files = require "tests.support.files"
local fs = require "sys.fs"
local process = require "holos.run.process"
local world = require "holos.run.world"

local BUILD = fs.realpath(files.directory .. "/../recipes/images/debian/build")
local EXECUTABLE = tonumber("755", 8)

local MMDEBSTRAP = [[#!/bin/sh
printf '%s\n' "$@" >DIR/words
env >DIR/environment
for file; do case $file in */sources/*) echo "== ${file##*/}"; cat "$file" ;; esac; done >DIR/sources
for word; do case $word in --setup-hook=*) hook=${word#*=} ;; --include=*) include=${word#*=} ;; esac; done
APT_CONFIG= MMDEBSTRAP_APT_CONFIG=DIR/apt.conf MMDEBSTRAP_INCLUDE=$include sh -c "$hook" exec DIR/root || exit 25
for word; do case $word in --customize-hook=printf*) mkdir -p DIR/root/etc/apt/apt.conf.d
    sh -c "${word#*=}" exec DIR/root ;; esac; done
exit 1
]]

-- Says what it is told, and knows all packages but one.
local APT_GET = [[#!/bin/sh
echo "$APT_CONFIG $*" >>DIR/asked
case " $* " in *" nonesuch "*) echo "E: Unable to locate package nonesuch" >&2; exit 100 ;; esac
]]

local OWN = [[
Types: deb
URIs: http://mirror/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
]]

-- A machine that runs Debian 12, with these files below /etc/apt and these settings of apt.
local function machine(sources, settings)
  local directory = tmpdir()
  assert(fs.mkdir_all(directory .. "/apt/sources.list.d", EXECUTABLE))
  for name, content in pairs(sources) do files.write(directory .. "/apt/" .. name, content) end
  files.write(directory .. "/os-release", "ID=debian\nVERSION_CODENAME=bookworm\n")
  local TOOLS = { mmdebstrap = MMDEBSTRAP:gsub("DIR", directory), ["apt-get"] = APT_GET:gsub("DIR", directory),
    ["apt-cache"] = "#!/bin/sh\necho '  Candidate: 1'\n",
    ["apt-config"] = "#!/bin/sh\ncat " .. directory .. "/settings\n" }
  files.write(directory .. "/settings", settings or "")
  for name, content in pairs(TOOLS) do
    files.write(directory .. "/bin/" .. name, content)
    ok(fs.chmod(directory .. "/bin/" .. name, EXECUTABLE))
  end
  assert(fs.mkdir_all(directory .. "/work", EXECUTABLE))
  return directory
end

-- What mmdebstrap was told there: its words, and what the files held that it was to take packages from.
local function told(directory, ...)
  local argv = { BUILD, ... }
  argv[#argv + 1] = directory .. "/work"
  local result = process.run(world, { program = "/bin/sh", argv = argv, env = { "PATH=" .. directory .. "/bin:/usr/bin:/bin" },
    namespace = { { source = directory .. "/apt", target = "/etc/apt" },
      { source = directory .. "/os-release", target = "/etc/os-release" } } })
  local words, by_option = {}, {}
  for word in (files.read(directory .. "/words") or ""):gmatch("[^\n]+") do
    words[#words + 1] = word
    local name, value = word:match("^%-%-(%l+)=(.*)$")
    if name then by_option[name] = value end
  end
  return { result = result, words = words, environment = "\n" .. (files.read(directory .. "/environment") or ""),
    asked = files.read(directory .. "/asked"),
    settings = files.read(directory .. "/root/etc/apt/apt.conf.d/90-machine"),
    options = by_option, sources = files.read(directory .. "/sources"),
    text = table.concat(words, "\n") }
end

test("recipe of Debian: packages come from where this machine's come from", function()
  local directory = machine({ ["sources.list.d/debian.sources"] = OWN,
    ["sources.list"] = "deb http://mirror/debian bookworm main\n",
    ["sources.list.d/notes.txt"] = "deb http://elsewhere/ bookworm main\n" },
    'Acquire::Check-Date "false";\nAcquire::http::Proxy "http://proxy:3128";\nAcquire::Languages "";\n')
  local seen = told(directory)
  equal(seen.result.stdout, "1/4 packages of debian bookworm\n")
  equal(seen.sources, "== debian.sources\n" .. OWN .. "== sources.list\ndeb http://mirror/debian bookworm main\n")
  ok(seen.text:find('\n--aptopt=Acquire::Check-Date "false";\nAcquire::http::Proxy "http://proxy:3128";\n--', 1, true), seen.text)
  equal(seen.settings, 'Acquire::Check-Date "false";\nAcquire::http::Proxy "http://proxy:3128";\n')
  ok(seen.text:find("\nbookworm\n" .. directory .. "/work/root.tar\n", 1, true), seen.text)
end)

test("recipe of Debian: another suite takes the name's place in the sources, and in nothing that only contains it", function()
  local text = "deb http://bookwormhole/debian bookworm main\ndeb http://m/ bookworm-updates main\n"
  local seen = told(machine { ["sources.list"] = text }, "--suite", "trixie")
  equal(seen.sources, "== sources.list\ndeb http://bookwormhole/debian trixie main\ndeb http://m/ trixie-updates main\n")
  equal(seen.result.stdout, "1/4 packages of debian trixie\n")
end)

test("recipe of Debian: what somebody else signs stays out of the image, which has no key for it", function()
  local seen = told(machine { ["sources.list"] = "deb http://mirror/debian bookworm main\n",
    ["sources.list.d/a.list"] = "deb [signed-by=/usr/share/keyrings/vendor.gpg] http://vendor/ stable main\n",
    ["sources.list.d/b.sources"] = OWN:gsub("debian%-archive%-keyring", "vendor"),
    ["sources.list.d/c.list"] =
      "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://m/ bookworm main\n" })
  equal({ seen.sources:match("== (%S+).*== (%S+)") }, { "c.list", "sources.list" })
  ok(not seen.sources:find("vendor", 1, true))
end)

test("recipe of Debian: a password in sources or proxies does not come into an image", function()
  for _, at in ipairs {
    machine { ["sources.list"] = "deb https://me:secret@mirror/debian bookworm main\n" },
    machine({ ["sources.list"] = "deb http://m/debian bookworm main\n" }, 'Acquire::http::Proxy "http://me:secret@proxy:3128";\n'),
  } do
    local seen = told(at)
    equal({ seen.result.status, seen.sources }, { 64 })
    ok(seen.result.stderr:find("say --mirror URL", 1, true) and not seen.result.stderr:find("secret", 1, true), seen.result.stderr)
  end
end)

test("recipe of Debian: from a mirror that is named, and from nowhere else", function()
  local seen = told(machine({ ["sources.list"] = "deb http://m/debian bookworm main\n" }, 'Acquire::Check-Date "false";\n'),
    "--mirror", "http://other/debian")
  equal({ seen.words[#seen.words], seen.sources, seen.settings,
    seen.text:find("Acquire::Check", 1, true) }, { "http://other/debian", "", "\n" })
end)

test("recipe of Debian: another distribution comes from its own mirrors, and wants its suite named", function()
  local sources = { ["sources.list"] = "deb http://m/debian bookworm main\n" }
  local without = told(machine(sources), "--distribution", "ubuntu")
  equal({ without.result.status, without.sources }, { 64 })
  ok(without.result.stderr:find("say --suite", 1, true), without.result.stderr)
  local directory = machine(sources)
  local seen = told(directory, "--distribution", "ubuntu", "--suite", "noble")
  equal({ seen.words[#seen.words - 1], seen.words[#seen.words], seen.sources }, { "noble", directory .. "/work/root.tar", "" })
  equal(seen.options.components, "main,universe")
  ok((seen.options.include .. ","):find(",linux-image-virtual,", 1, true))
end)

test("recipe of Debian: more packages, and what only emulated guests get", function()
  local sources = { ["sources.list"] = "deb http://m/debian bookworm main\n" }
  local plain, more = told(machine(sources)), told(machine(sources), "--package", "vim", "--emulated", "--package", "g++")
  equal(more.options.include, plain.options.include .. ",vim,g++")
  ok(plain.environment:find("\nemulated=no\n", 1, true), plain.environment)
  ok(more.environment:find("\nemulated=yes\n", 1, true), more.environment)
end)

test("recipe of Debian: packages that the suite does not have are found out before anything large is fetched", function()
  local sources = { ["sources.list"] = "deb http://m/debian bookworm main\n" }
  for package, status in pairs { vim = 1, nonesuch = 25 } do
    local directory = machine(sources)
    local seen = told(directory, "--package", package)
    equal(seen.asked, ("%s/apt.conf -qq update --error-on=any\n%s/apt.conf -qq --simulate install %s\n"):format(directory,
      directory, seen.options.include:gsub(",", " ")))
    equal({ seen.result.status, seen.result.stderr:find("Unable to locate package nonesuch", 1, true) ~= nil },
      { status, package == "nonesuch" })
  end
end)

test("recipe of Debian: words that it does not know end it before anything is done", function()
  local directory = machine {}
  local seen = told(directory, "--emulate")
  equal({ seen.result.status, seen.result.stderr, #fs.list(directory .. "/work") }, { 64, "build: what is --emulate?\n", 0 })
end)
