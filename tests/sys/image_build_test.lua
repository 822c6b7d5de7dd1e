--- Making an image: what surrounds the recipe's program, with a stand-in for it, and the recipe as the binary has it.
--- tests/vm boots what the real one makes.

local build = require "holos.run.images.build"
local err = require "holos.core.err"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local recipe = require "holos.image.recipe"
local state_ = require "holos.run.state"
local store = require "holos.run.images.store"
local task = require "holos.core.task"
local use = require "holos.use.image_build"
local world = require "holos.run.world"

-- The world with another program behind the recipe's name.
local function world_with(program)
  return setmetatable({ build = { file = function(name)
    return name == recipe.all.debian.program and program or "# not used\n"
  end } }, { __index = world })
end

local function place() return state_.locate(world, { state_dir = tmpdir() .. "/state" }) end

local function listener()
  local said = { steps = {}, details = {} }
  return { step = function(title) table.insert(said.steps, title) end,
    detail = function(what) table.insert(said.details, what or "-") end }, said
end

-- Makes an empty image where the last word says, by way of what this test's own holos can do.
local MAKES = [[
echo "1/2 one"
echo "I: fetching" >&2
printf 'half a line' >&2; printf ' and the rest\n' >&2
echo "2/2 two"
for work; do :; done
printf '%s\n' "$@" >"$work/words"
cp FILE "$work/image.qcow2"
]]

local function image(bytes)
  local file = tmpdir() .. "/made.qcow2"
  assert(require("sys.qcow2").create(file, { size_bytes = bytes or 1 << 20 }))
  return file
end

local function makes(more) return (MAKES:gsub("FILE", image())) .. (more or "") end

local function left(state)
  local names = {}
  for _, entry in ipairs(fs.list(state:builds()) or {}) do names[#names + 1] = entry.name end
  table.sort(names)
  return names
end

-- What holos says on the command line.
local function call(directory, ...)
  return run_tool({ host.executable(), "images", ... }, { directory = directory,
    env = { "HOLOS_STATE_DIR=" .. directory .. "/state", "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") } })
end

test("image build: the binary has the files of the recipe, as they are in the tree, and no others", function()
  local listed = {}
  for _, name in ipairs(recipe.all.debian.files) do
    listed[name] = true
    equal(world.build.file(name), files.read(files.directory .. "/../" .. name))
  end
  for _, file in ipairs(files.below(files.directory .. "/../recipes/images", "")) do
    ok(listed[file:match("recipes/.*$")], file .. " is not in the list")
  end
  equal({ world.build.file "recipes/images/debian", world.build.file "lua/main.lua", world.build.file "licenses" }, {})
end)

test("image build: shells can read the recipe's files", function()
  for _, name in ipairs(recipe.all.debian.files) do
    for _, shell in ipairs { { "sh" }, { "busybox", "sh" } } do
      local argv = table.move({ "-n", files.directory .. "/../" .. name }, 1, 2, #shell + 1, { table.unpack(shell) })
      local result = run_tool(argv)
      equal({ name, result.status, result.stderr }, { name, 0, "" })
    end
  end
end)

test("image build: an image in a file, and what is said on the way", function()
  local state, talk, said = place(), listener()
  local output = tmpdir() .. "/new.qcow2"
  local made = use.run(world_with(makes()), state, "debian", { output = output, suite = "trixie", package = { "vim" } }, talk)
  equal({ made.path, made.size_bytes, made.digest }, { output, fs.stat(output).size_bytes })
  equal(said.steps, { "1/2 one", "2/2 two" })
  equal(said.details, { "fetching", "-" })
  equal(fs.stat(output).mode & 511, tonumber("644", 8))
  equal(left(state), {})
end)

test("image build: onto another file system the image is copied, and what comes there meanwhile stays", function()
  local state, talk, said = place(), listener()
  local world_, directory = world_with(makes()), tmpdir()
  local output = directory .. "/new.qcow2"
  world_.fs = setmetatable({ rename = function(from, to, options)
    if from:find("image.qcow2", 1, true) then return nil, "EXDEV", "EXDEV" end
    return fs.rename(from, to, options)
  end }, { __index = fs })
  local made = use.run(world_, state, "debian", { output = output }, talk)
  equal({ made.size_bytes, fs.stat(output).mode & 511, said.steps[3] },
    { fs.stat(output).size_bytes, tonumber("644", 8), "copying it to " .. directory })
  assert(fs.remove(output))
  talk.step = function(title) if title:find("^copying") then files.write(output, "precious") end end
  equal(failure(use.run, world_, state, "debian", { output = output }, talk).code, "EEXIST")
  equal({ files.read(output), #fs.list(directory), #left(state) }, { "precious", 1, 0 })
end)

test("image build: the program gets its parameters as words, and a directory of its own", function()
  local state = place()
  local made <close> = build.run(world_with(makes()), state, recipe.all.debian, { "--suite", "a b" }, (listener()))
  local directory = made.file:match("^(.*)/")
  equal(files.read(directory .. "/words"), ("--suite\na b\n%s\n"):format(directory))
  equal(fs.stat(directory).mode & 511, tonumber("700", 8))
  made:close()
  equal(left(state), {})
end)

test("image build: into the image store, with its tag and what is known of it", function()
  local state = place()
  local made = use.run(world_with(makes()), state, "debian", { suite = "trixie" }, (listener()))
  equal(made.name, "debian:trixie-local")
  local images = store.list(world, state)
  equal({ #images, images[1].digest, images[1].tags, images[1].facts.user, images[1].facts.os, images[1].source.kind },
    { 1, made.digest, { "debian:trixie-local" }, "debian", "systemd", "built" })
  equal(fs.stat(made.path).mode & 511, tonumber("400", 8))
  equal(left(state), {})
end)

test("image build: a name of the catalogue's is the catalogue's", function()
  local state = place()
  equal(use.run(world_with(makes()), state, "debian", { tag = "debian:bookworm" }, (listener())).name, "debian:12")
  equal(use.run(world_with(makes()), state, "debian", { tag = "mine" }, (listener())).name, "mine:latest")
end)

test("image build: a recipe that fails shows the end of its log, keeps the log until the next one, and nothing else", function()
  local state = place()
  local output = tmpdir() .. "/new.qcow2"
  local fails = makes "for i in $(seq 100); do echo line $i >&2; done; printf '\\033[2J' >&2; exit 7"
  local ended, problem = pcall(use.run, world_with(fails), state, "debian", { output = output }, (listener()))
  equal({ ended, problem.code, problem.exit }, { false, "ERECIPE", 1 })
  ok(problem.message:find("^the recipe failed %(exit status 7%)\n  | line 87\n") and problem.message:find("\n  | line 100\n"),
    problem.message)
  ok(not problem.message:find("\27", 1, true), "the terminal is told nothing")
  local log = problem.hint:match("/%S+%.log$")
  ok(files.read(log):find("I: fetching\nhalf a line and the rest\nline 1\n", 1, true))
  equal({ left(state), (fs.lstat(output)) }, { { log:match("[^/]+$") } })
end)

-- A distribution that this machine does not run.
local OTHER = (files.read("/etc/os-release") or ""):find("ID=ubuntu", 1, true) and "debian" or "ubuntu"

test("image build: what a recipe refuses is wrong usage in its own words, and leaves no log", function()
  local state = place()
  local refuses = "echo of no use >&2; printf 'which suite?\\033[2J\\n' >&2; exit 64"
  local ended, problem = pcall(use.run, world_with(refuses), state, "debian", {}, (listener()))
  equal({ ended, problem.code, problem.exit, problem.hint, left(state) }, { false, "EUSAGE", 64, nil, {} })
  ok(problem.message:find("^which suite%?") and not problem.message:find("\27", 1, true), problem.message)
  local result = call(tmpdir(), "build", OTHER)
  equal(result.status, 64)
  ok(result.stderr:find("say %-%-suite\n$") and not result.stderr:find("recipe failed", 1, true), result.stderr)
end)

test("image build: what a failed build and a killed one have left goes with the next one; one that goes on stays", function()
  local state = place()
  local dead, alive = state:builds() .. "/00000000000000aa", state:builds() .. "/00000000000000bb"
  for _, directory in ipairs { dead, alive } do
    files.write(directory .. "/root.tar", "x")
    files.write(directory .. ".lock", "")
    files.write(directory .. ".log", "x")
  end
  files.write(state:builds() .. "/00000000000000cc.log", "x")
  local held <close> = assert(world.lock.open(alive .. ".lock"))
  ok(held:try_take())
  build.sweep(world, state)
  equal(left(state), { "00000000000000bb", "00000000000000bb.lock", "00000000000000bb.log" })
end)

test("image build: a program that leaves no image, or none that is one, is a failure", function()
  for _, program in ipairs { "exit 0\n", "for work; do :; done; echo x >$work/image.qcow2\n" } do
    local state = place()
    local ended, problem = pcall(use.run, world_with(program), state, "debian", {}, (listener()))
    ok(not ended and err.is_failure(problem), tostring(problem))
    equal({ #store.list(world, state), left(state) }, { 0, {} })
  end
end)

-- The recipe's own program with tools that only say that they are there: mmdebstrap writes its pid and then waits for ever; told
-- to end, it takes its time, as it does to remove its tree.
local MMDEBSTRAP = [=[cd 'DIRECTORY'
trap 'trap "" TERM; i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; echo >cleared; exit 1' TERM
echo $$ >new; mv new pid
cat fifo & wait]=]
local function arrange_waiting()
  local directory = tmpdir()
  local TOOLS = { ["apt-config"] = "", ["apt-cache"] = "echo '  Candidate: 1'",
    mmdebstrap = MMDEBSTRAP:gsub("DIRECTORY", directory) }
  for name, text in pairs(TOOLS) do
    files.write(("%s/bin/%s"):format(directory, name), "#!/bin/sh\n" .. text .. "\n")
    ok(fs.chmod(("%s/bin/%s"):format(directory, name), tonumber("755", 8)))
  end
  equal(run_tool({ "mkfifo", directory .. "/fifo" }).status, 0)
  local world_ = setmetatable({ host = setmetatable({ env = function(name)
    return name == "PATH" and directory .. "/bin:" .. host.env "PATH" or host.env(name)
  end }, { __index = host }) }, { __index = world })
  return directory, world_
end

-- The pid of its mmdebstrap, once that waits.
local function await_pid(directory)
  while not fs.lstat(directory .. "/pid") do task.wait { at_ms = task.now_ms() + 20 } end
  return math.tointeger(tonumber(files.read(directory .. "/pid")))
end

test("image build: who is told to end tells the recipe, which ends what it has started", function()
  local directory, world_ = arrange_waiting()
  local state, pid = place(), nil
  task.race {
    function() use.run(world_, state, "debian", { suite = "bookworm" }, (listener())) end,
    function() pid = await_pid(directory) end,
  }
  equal({ files.read(directory .. "/cleared"), (world.proc.identity(pid)), left(state) }, { "\n", nil, {} })
end)

test("image build: when holos is killed, the recipe ends with all that it has started", function()
  local directory, world_ = arrange_waiting()
  local state = place()
  local holos <close> = assert(world.launch.prepare { program = host.executable(), session = true,
    argv = { "--state-dir", state.root, "images", "build", "debian", "--suite", "bookworm" },
    env = { "PATH=" .. world_.host.env "PATH", "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") } })
  assert(holos:go())
  local pid = await_pid(directory)
  local identity = assert(world.proc.identity(pid))
  local process <close> = assert(world.proc.open(pid, identity.start_time))
  local killed <close> = assert(world.proc.open(holos.pid, holos.start_time))
  ok(killed:signal("KILL"))
  task.within(30000, function() task.wait { process = process } end)
  equal(files.read(directory .. "/cleared"), "\n")
  ok(world.proc.reap(holos.pid))
  ok(#left(state) >= 2) -- its directory and its lock
  build.sweep(world, state)
  equal(left(state), {})
end)

test("images build: what cannot be is refused before anything is done", function()
  local directory = tmpdir()
  files.write(directory .. "/there.qcow2", "mine")
  local CASES = {
    { 64, "there is no recipe for \"debain\"\n  did you mean debian?", "debain" },
    { 64, "build which image?" },
    { 64, "let its name end in .qcow2", "debian", "-o", "x" },
    { 64, "leave --tag out", "debian", "-o", "x.qcow2", "--tag", "a:b" },
    { 64, "is no name for an image", "debian", "--tag", "../x" },
    { 64, "is a container image", "debian", "--tag", "postgres:16" },
    { 64, "is not the name of a suite", "debian", "--suite", "$(id)" },
    { 64, "is not the name of a package", "debian", "--package", "vim less" },
    { 64, '"trixie" is one argument too many\n  the suite is an option', "debian", "trixie" },
    { 1, "there is no such directory", "debian", "-o", "nowhere/x.qcow2" },
    { 3, "there.qcow2 is there already", "debian", "-o", "there.qcow2" },
  }
  for _, case in ipairs(CASES) do
    local result = call(directory, "build", table.unpack(case, 3))
    equal({ case[2], result.status, result.stdout }, { case[2], case[1], "" })
    ok(result.stderr:find(case[2], 1, true), result.stderr)
  end
  equal({ files.read(directory .. "/there.qcow2"), (fs.lstat(directory .. "/state/builds")) }, { "mine" })
end)

test("images: what belongs to another action is refused, and nothing is taken in without the name that was meant", function()
  local directory = tmpdir()
  files.write(directory .. "/x.qcow2", files.read(image()))
  for _, case in ipairs { { "--tag is for build only", "import", "x.qcow2", "--tag", "mine" },
    { "--suite is for build only", "--suite", "x" }, { "--force is for export only", "import", "x.qcow2", "--force" },
    { '"mine" is one argument too many', "ls", "mine" }, { '"mine" is one argument too many', "known", "mine" } } do
    local result = call(directory, table.unpack(case, 2))
    equal({ result.status, result.stdout, (fs.lstat(directory .. "/state/images")) }, { 64, "" })
    ok(result.stderr:find(case[1], 1, true), result.stderr)
  end
end)

test("images build: all tools that are missing are named at once, with the line that installs them", function()
  local directory = tmpdir()
  for _, program in ipairs { "apt-get", "dpkg-deb", "tar" } do files.write(directory .. "/bin/" .. program, "") end
  local result = run_tool({ "env", "PATH=" .. directory .. "/bin", host.executable(), "images", "build", "debian" },
    { directory = directory, env = { "HOLOS_STATE_DIR=" .. directory .. "/state",
      "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") } })
  equal(result.status, 1)
  for _, package in ipairs { "mmdebstrap", "mtools", "qemu-utils" } do
    ok(result.stderr:find(("\n  %s ("):format(package), 1, true), result.stderr)
    ok(result.stderr:match("\n[^\n]*install %-%-no%-install%-recommends[^\n]*"):find(package, 1, true), result.stderr)
  end
  ok(not result.stderr:find("\n  apt (", 1, true) and not result.stderr:find("\n  tar (", 1, true), result.stderr)
end)
