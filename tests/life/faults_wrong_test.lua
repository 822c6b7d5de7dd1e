-- Faults that a tool of this kind can have, and that cost nobody a disk, but much time; docs/internals.md lists them.
-- Each test is named after one and does what brings it about. The stand-in for QEMU is the machine.
local clock = require "sys.clock"
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local json = require "sys.json"
local stack_ = require "tests.support.stack"
local supervised = require "tests.support.supervised"
local table_ = require "holos.core.table"
local task = require "holos.core.task"
local typist = require "tests.support.typist"

local SHOP = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}
  api: {image: ./image.qcow2, image_os: plain, depends_on: [db], stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, depends_on: [api], ports: ["0:80", "0:53/udp"], stop_grace_period: 2s}
]]

local function started(yaml, settings)
  local stack = stack_.on_fake(yaml or SHOP, settings)
  stack:expect { "up" }
  return stack
end

--- Ends a process when the scope is left.
local function ended(child)
  return setmetatable({}, { __close = function()
    child:kill()
    task.shield(5000, io_wait.await, child, "try_wait")
  end })
end

local function instance_file(stack, name, file) return ("%s/instances/pair/%s/%s"):format(stack.state, name, file) end

-- Runs commands as a process that reaps nobody, and gets the orphans of all that it starts: as the first process of many a
-- container. Between two commands it kills the QEMU of db-0, which is a zombie from then on.
local NEVER_REAPS = [[
import ctypes, json, os, signal, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
holos, runtime = sys.argv[1:3]
def run(*words):
    done = subprocess.run([holos, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print("$", *words, done.returncode)
    print(done.stdout.decode(errors="replace"), end="")
run("up")
run("stop", "web")
pid = json.load(open(runtime))["pid"]
os.kill(pid, signal.SIGKILL)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
run("ps", "--format", "json")
run("down")
state = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0]
print("it was a zombie all the time:", state == "Z")
]]

test("B2: a QEMU that nobody reaps has ended: ps says so, stop and down do not wait for it", function()
  local stack <close> = stack_.on_fake((SHOP:gsub("stop_grace_period: 2s", "stop_grace_period: 1m")))
  local environment = stack:environment()
  local result = run_tool({ "python3", "-c", NEVER_REAPS, host.executable(), instance_file(stack, "db-0", "runtime.json") },
    { directory = stack.directory, env = environment, timeout_ms = 50000 })
  equal(result.stderr, "")
  local said = result.stdout
  ok(said:find("it was a zombie all the time: True", 1, true), said)
  for _, command in ipairs { "up", "stop web", "ps --format json", "down" } do
    ok(said:find("$ " .. command .. " 0\n", 1, true), said)
  end
  ok(said:find("web-0  powered off", 1, true) and not said:find("terminated", 1, true) and not said:find("killed", 1, true), said)
  for line in said:gmatch("(%b{})\n") do
    local row = assert(json.decode(line, {}))
    equal(row.running, row.name == "api-0", row.name)
  end
end)

-- What `run` makes is a project as any other; the command itself comes later.
test("B5: a project without a file in reach is stopped, started, looked at and taken down by its name", function()
  local stack <close> = started()
  assert(fs.remove(stack.directory .. "/holos.yaml"))
  local before = stack:expect({ "ps", "-p", "pair" }).stdout
  ok(before:find("db-0", 1, true), before)
  for _, names in ipairs { { "pair" }, { "-p", "pair" } } do
    stack:expect { "stop", table.unpack(names) }
    equal(#stack:pids(), 0)
    stack:expect { "start", table.unpack(names) }
    equal(#stack:pids(), 3)
  end
  stack:expect { "stop", "pair", "web" }
  equal(#stack:pids(), 2)
  stack:expect { "down", "pair" }
  equal(#stack:pids(), 0)
end)

test("B7: options behind other words are options, and what is none is refused", function()
  local stack <close> = started()
  stack:expect({ "stop", "web", "-f", "other.yaml" }, 2)
  stack:expect({ "stop", "web", "--tiemout", "1s" }, 64)
  equal(#stack:pids(), 3)
  stack:expect { "stop", "web", "-f", "holos.yaml", "--timeout=1s" }
  equal(#stack:pids(), 2)
  stack:expect { "up", "web", "--no-start" }
  equal(#stack:pids(), 2)
  local words = stack:run { "exec", "--no-wait", "db", "sh", "-p", "nothing", "--no-such-option" }
  equal(words.status, 125) -- the guest's own words: the stand-in has no sshd
end)

test("B15: while up waits, nobody who looks waits for its lock, nor is told of another trouble", function()
  local stack <close> = stack_.on_fake(SHOP, { "report=none" })
  local up <close> = stack:spawn { "up" }
  local _ended <close> = ended(up)
  stack:eventually("db-0 runs", function()
    return fs.stat(instance_file(stack, "db-0", "runtime.json")) and supervised.runtime(stack, "db-0").is_proven
  end)
  local function is_held() return stack:run({ "stop", "--no-wait" }).status == 5 end
  ok(is_held(), "nobody has the lock")
  task.within(30000, function()
    ok(stack:expect({ "logs", "db" }).stdout:find("db-0", 1, true))
    equal(stack:ps()["db-0"].running, true)
    stack:expect { "ls" }
    stack:expect { "networks", "ls" }
    ok(stack:expect({ "plan" }).stdout:find("to change", 1, true))
    ok(stack:expect({ "console", "db" }, 0, { stdin = "\29" }).stderr:find("detached", 1, true))
    local refused = stack:expect({ "exec", "--no-wait", "db", "true" }, 125)
    ok(refused.stderr:find("db-0", 1, true) and not refused.stderr:find("lock", 1, true), refused.stderr)
  end)
  ok(is_held(), "up has let go meanwhile")
end)

local CHECKED = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, ports: ["0:80"], stop_grace_period: 2s, healthcheck: {CHECK}}
]]
local QUICK = "interval: 100ms, timeout: 2s, retries: 1"

local function health_of(stack, wanted)
  stack:eventually("web-0 is " .. wanted, function() return stack:ps()["web-0"].status == wanted end)
end

test("B17: a check runs though nothing depends on it, after up and after start too, and ps shows what it says", function()
  local stack <close> = stack_.on_fake((CHECKED:gsub("CHECK", 'test: "tcp:80", ' .. QUICK)))
  stack:expect { "up", "-d" }
  health_of(stack, "healthy")
  stack:expect { "stop" }
  stack:expect { "start" }
  health_of(stack, "healthy")
  ok(stack:expect({ "ps" }).stdout:find("healthy", 1, true))
  stack:write((CHECKED:gsub("CHECK", 'test: ["HTTP", "80"], interval: 100ms, timeout: 150ms, retries: 1')))
  stack:expect { "up", "-d" } -- the stand-in answers nobody
  health_of(stack, "unhealthy")
end)

test("B17: [NONE] is no check, and neither is disable: true", function()
  for _, check in ipairs { 'test: ["NONE"]', 'test: "tcp:80", disable: true' } do
    local stack <close> = started((CHECKED:gsub("CHECK", check)))
    equal(stack:ps()["web-0"].status, "provisioned")
    equal(fs.stat(instance_file(stack, "web-0", "health.json")), nil)
  end
end)

-- The unit that brings projects back at boot comes with `install`; what it runs, the supervisor, is here.
for _, case in ipairs { { "powered off from within", { "web-0: exit_after_ms=400", "web-0: reason=guest-shutdown" } },
  { "crashed", { "web-0: exit_after_ms=400", "web-0: exit_code=1" } }, { "killed" } } do
  test("B18: a machine that is to run always comes back after it was " .. case[1], function()
    local stack <close> = started((SHOP:gsub("web: {", "web: {restart: always, ")))
    supervised.supervisor(stack)
    if case[2] then
      fake_qemu.set(stack.qemu, case[2])
      stack:expect { "stop", "web" }
      stack:expect { "start", "web" }
      fake_qemu.set(stack.qemu, {})
    end
    local pid = supervised.runtime(stack, "web-0").pid
    if not case[2] then supervised.kill(pid) end
    stack:eventually("web-0 runs again", function() return supervised.runs_anew(stack, "web-0", pid) end)
    equal(supervised.runtime(stack, "web-0").restarts.total, 1)
  end)
end

-- A service manager ends a start that takes long by SIGTERM (A11 has that), and gives a stop one time for all.
test("B19: machines that hear no power button are stopped side by side, within one grace", function()
  local stack <close> = started((SHOP:gsub("depends_on: %[%a+%], ", ""):gsub("web: {", "web: {replicas: 5, ")),
    { "powerdown=ignore" })
  stack:expect { "stop", "--timeout", "3s" }
  local first, last = math.huge, 0
  for _, file in ipairs(files.below(stack.state .. "/instances", "/runtime%.json$")) do
    local at_ms = fs.stat(file).mtime_ns // 1000000
    first, last = math.min(first, at_ms), math.max(last, at_ms)
  end
  equal(#supervised.events(stack, "instance.stopped"), 7)
  ok(last - first < 3000, ("the last ended %d ms after the first"):format(last - first))
end)

local function ports_of(stack, name)
  return table_.map(stack:ps()[name].ports, function(port) return ("%d→%d"):format(port.host, port.guest) end)
end

test("B22: host ports that nobody chose stay whatever starts the machine anew", function()
  local stack <close> = started((SHOP:gsub("web: {", "web: {restart: always, ")))
  local before, ssh = ports_of(stack, "web-0"), stack:ps()["web-0"].ssh_port
  supervised.supervisor(stack)
  local ways = {
    function() stack:expect { "stop" } stack:expect { "start" } end,
    function()
      local pid = supervised.runtime(stack, "web-0").pid
      supervised.kill(pid)
      stack:eventually("it is back", function() return supervised.runs_anew(stack, "web-0", pid) end)
    end,
    function() stack:expect { "up", "--force-recreate", "web" } end,
    function() stack:expect { "down" } stack:expect { "trash", "restore", "pair" } stack:expect { "start", "-p", "pair" } end,
  }
  for number, way in ipairs(ways) do
    way()
    equal({ ports_of(stack, "web-0"), stack:ps()["web-0"].ssh_port }, { before, ssh }, "way " .. number)
  end
end)

test("B23: nobody's address moves when others come and go, and who starts later knows the names of now", function()
  local stack <close> = started()
  local function addresses()
    local list = {}
    for name, row in pairs(stack:ps()) do list[name] = row.address end
    return list
  end
  local before = addresses()
  stack:write((SHOP:gsub("services:\n", "services:\n  aaa: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s}\n")))
  stack:expect { "up" }
  stack:expect { "scale", "web=3" }
  local now = addresses()
  for name, address in pairs(before) do equal(now[name], address, name) end
  equal(#table_.keys(now), 6)
  ok(not files.read(instance_file(stack, "db-0", "seed.iso")):find("aaa-0", 1, true))
  stack:expect { "stop", "db" }
  stack:expect { "start", "db" }
  local seed = files.read(instance_file(stack, "db-0", "seed.iso"))
  ok(seed:find(now["aaa-0"] .. " aaa-0", 1, true) and seed:find(now["web-2"] .. " web-2", 1, true))
end)

for _, verb in ipairs { "stop", "down" } do
  test("B26: " .. verb .. " ends those who depend on others before these", function()
    local stack <close> = started(nil, { "web-0: shutdown_ms=900", "api-0: shutdown_ms=400" })
    stack:expect { verb }
    equal(table_.map(supervised.events(stack, "instance.stopped"), function(event) return event.instance end),
      { "web-0", "api-0", "db-0" })
  end)
end

local MISTAKES = [[
name: pair
services:
  db: {image: ./nothing.qcow2, replicas: many, ports: ["99999:80"]}
  web: {image: ./image.qcow2, depends_on: [dv], vm: {memory_mb: -1}, colour: red}
  api: {image: ./image.qcow2, volumes: ["data:/data"]}
]]
local SAID = { "services.db.image", "services.db.replicas", "services.db.ports[1]", "services.web.depends_on",
  "services.web.vm.memory_mb", "services.web.colour", "services.api.volumes[1]" }
-- What only those know who wrote it.
local INTERNALS = { "%.lua", "stack traceback", "attempt to", "nil value", "table: 0x", "sys%.", "strconv", "errno" }

test("B27: all mistakes are told, each with its place, in the language of the file, and every time the same", function()
  local stack <close> = stack_.on_fake(MISTAKES)
  local first = stack:expect({ "validate" }, 2).stderr
  for _, path in ipairs(SAID) do
    ok(first:find("holos%.yaml:%d+:%d+: " .. path:gsub("%p", "%%%0")), path .. " is not in\n" .. first)
  end
  for _, pattern in ipairs(INTERNALS) do ok(not first:find(pattern), pattern .. " is in\n" .. first) end
  for _ = 1, 3 do equal(stack:expect({ "validate" }, 2).stderr, first) end
  for _, verb in ipairs { "plan", "up" } do ok(stack:expect({ verb }, 2).stderr:find("services.web.colour", 1, true)) end
end)

test("B27: what is wrong with the host or the state is told in words, too", function()
  local stack <close> = started()
  local cases = { { "logs", "nobody" }, { "stop", "-p", "nothing" }, { "exec", "nobody" }, { "trash", "restore", "nothing" } }
  assert(fs.write_atomic(stack.state .. "/projects/damaged.json", '{"schema": 1}', { mode = 384 }))
  cases[#cases + 1] = { "down", "-p", "damaged" }
  for _, words in ipairs(cases) do
    local refused = stack:run(words)
    ok(refused.status ~= 0 and refused.stderr:find("^holos: "), refused.stderr)
    for _, pattern in ipairs(INTERNALS) do ok(not refused.stderr:find(pattern), pattern .. " is in\n" .. refused.stderr) end
  end
end)

local SECRET = [[
name: pair
services:
  db: {image: ./image.qcow2, image_os: plain, volumes: ["data:/data", "/scratch"], secrets: [word], stop_grace_period: 2s}
  web: {image: ./image.qcow2, image_os: plain, replicas: 2, ports: ["0:80"], restart: always, stop_grace_period: 2s}
volumes: {data: {size: 64M}}
secrets: {word: {file: ./word}}
]]

--- What is in the state directory, without what all projects share.
local function left_in_state(stack)
  local found = run_tool({ "find", stack.state, "-mindepth", "2", "-not", "-path", "*/probes/*", "-printf", "%P\n" }).stdout
  local list = {}
  for line in found:gmatch("[^\n]+") do list[#list + 1] = line end
  table.sort(list)
  return list
end

-- Keys stay: somebody may have copied a disk away, and comes in with nothing else. Events are what happened.
test("B28: of a project that is gone nothing is left but its keys and its events", function()
  local stack <close> = stack_.on_fake(SECRET)
  files.write(stack.directory .. "/word", "hunter2")
  stack:expect { "up" }
  stack:expect { "scale", "web=1" }
  stack:expect { "up", "--force-recreate", "web" }
  stack:expect { "down" }
  stack:expect { "up" }
  stack:expect { "down", "-v", "--purge" }
  stack:expect { "trash", "empty", "--yes" }
  local kept
  stack:eventually("its supervisor has gone", function()
    kept = table_.filter(left_in_state(stack), function(path) return not path:find("^ssh/pair") end)
    return #stack:supervisors() == 0 and not table.concat(kept, " "):find("supervisor", 1, true)
  end)
  equal(kept, { "events/pair.jsonl" })
  for _, file in ipairs(files.below(stack.state, ".")) do ok(not files.read(file):find("hunter2", 1, true), file) end
end)

test("B28: what is over of the trash goes with the next command of any project, and is foreseen by plan", function()
  local stack <close> = stack_.on_fake(SECRET)
  files.write(stack.directory .. "/word", "hunter2")
  stack:expect { "up", "-d" }
  stack:expect { "down", "-v" }
  local batch = stack.state .. "/trash/pair/" .. fs.list(stack.state .. "/trash/pair")[1].name
  run_tool { "touch", "-d", "8 days ago", batch }
  local other <close> = stack_.on_fake((SHOP:gsub("name: pair", "name: other")))
  other.state, other.qemu = stack.state, stack.qemu
  ok(other:expect({ "plan" }).stderr:find("of pair (db-0 web-0 web-1 data), older than 7 days", 1, true))
  ok(fs.stat(batch))
  local held <close> = assert(require("sys.lock").open(stack.state .. "/locks/pair.lock"))
  assert(held:try_take())
  other:expect { "up", "-d" }
  ok(fs.stat(batch), "somebody works on pair")
  held:release()
  if host.uid() == 0 and run_tool({ "chattr", "+i", batch .. "/record.json" }).status == 0 then
    local told = other:run({ "up", "-d" })
    run_tool { "chattr", "-i", batch .. "/record.json" }
    ok(told.status == 0 and told.stderr:find("not permitted", 1, true), told.stderr)
    run_tool { "touch", "-d", "8 days ago", batch } -- it has changed, so it is as new
  end
  ok(other:expect({ "up", "-d" }).stderr:find("trash: deleting", 1, true))
  for _, path in ipairs { "/trash/pair", "/locks/pair.lock" } do ok(not fs.lstat(stack.state .. path), path) end
  other:expect { "down" }
end)

local LOGGED = [[
name: pair
services:
  web: {image: ./image.qcow2, image_os: plain, stop_grace_period: 2s, logging: {options: {max-size: SIZE, max-file: 2}}}
]]

local function console(stack, text) assert(fs.append(instance_file(stack, "web-0", "console.log"), text, { mode = 384 })) end

test("B29: a console that says much has one backup and is cut at its limit", function()
  local stack <close> = started((LOGGED:gsub("SIZE", "16k")))
  supervised.supervisor(stack)
  for round = 1, 3 do
    console(stack, ("round %d\n"):format(round):rep(4000))
    stack:eventually("it is cut", function() return fs.stat(instance_file(stack, "web-0", "console.log")).size_bytes < 16384 end)
  end
  local kept = files.below(stack.state .. "/instances/pair/web-0", "console%.log")
  equal(table_.map(kept, function(file) return file:match("[^/]+$") end), { "console.log", "console.log.1" })
end)

test("B29: logs of any size are read in little memory, -n gives as many lines as it says, long ones too", function()
  local stack <close> = started((LOGGED:gsub("SIZE", "1g")))
  local line = ("x"):rep(3000) .. "\n"
  for block = 1, 32 do console(stack, ("block %d\n"):format(block) .. line:rep(350)) end -- 32 MiB
  local limited = { "prlimit", "--as=" .. (48 << 20), "--", host.executable() }
  -- Sanitizers map terabytes before anything runs: such a holos cannot be limited.
  local tried = run_tool { limited[1], limited[2], limited[3], limited[4], "version" }
  if tried.stderr:find("Sanitizer", 1, true) then limited = { host.executable() } end
  local function logs(...)
    local argv = { table.unpack(limited) }
    table_.extend(argv, { "logs", "web", "--source", "console", "--no-prefix", ... })
    return run_tool(argv, { directory = stack.directory, env = stack:environment() })
  end
  local tail = logs("-n", "700")
  equal({ tail.status, tail.stderr, select(2, tail.stdout:gsub("\n", "")) }, { 0, "", 700 })
  ok(tail.stdout:find("\nblock 32\n", 1, true) and not tail.stdout:find("\nblock 30\n", 1, true))
  local all = logs()
  equal({ all.status, all.stderr, select(2, all.stdout:gsub("\nblock ", "")) }, { 0, "", 32 })
  equal(logs("-n", "0").stdout, "")
end)

test("B29: --since shows what came since then, and nothing that came long before", function()
  local stack <close> = started((LOGGED:gsub("SIZE", "1g")))
  supervised.supervisor(stack)
  local times = instance_file(stack, "web-0", "console.times")
  console(stack, "early\n")
  local early_bytes = fs.stat(instance_file(stack, "web-0", "console.log")).size_bytes
  local at_ms, bytes
  stack:eventually("the supervisor has seen what came later", function()
    console(stack, "late\n")
    at_ms, bytes = (files.read(times) or ""):match("(%d+) (%d+)\n$")
    return bytes and math.tointeger(bytes) >= early_bytes
  end)
  local moment = clock.iso(math.tointeger(at_ms)):gsub("Z$", (".%03dZ"):format(at_ms % 1000))
  local function since(when) return stack:expect({ "logs", "web", "--source=console", "--no-prefix", "--since", when }).stdout end
  equal(since(moment):gsub("late\n", ""), "")
  ok(since(moment):find("late", 1, true) and since("1h"):find("early\nlate\n", 1, true))
  equal(since("2040-01-01"), "")
  equal(stack:run({ "logs", "web", "--since", "yesterday" }).status, 64)
end)

test("B29: logs -f goes on as lines come, and what a guest sends to a terminal is shown, not obeyed", function()
  local stack <close> = started((LOGGED:gsub("SIZE", "1g")))
  console(stack, "\27[2Jcleared\n")
  local shown = typist.run({ "logs", "web", "--source", "console", "-f" }, { "cleared", "\\x03" },
    { directory = stack.directory, env = stack:environment() })
  ok(shown:find("\\x1b[2Jcleared", 1, true) and not shown:find("\27", 1, true), shown)
  local lines = stack.directory .. "/lines"
  local output <close> = assert(fs.open(lines, { write = true, create = true, mode = 384 }))
  local follower <close> = assert(require("sys.launch").prepare { program = host.executable(), argv = { "logs", "web", "-f" },
    env = stack:environment(), directory = stack.directory, session = true, stdout = output })
  assert(follower:go())
  local _ended <close> = ended(follower)
  stack:eventually("it has begun", function() return files.read(lines):find("cleared", 1, true) end)
  console(stack, "one more\n")
  stack:eventually("the line comes", function() return files.read(lines):find("one more\n", 1, true) end)
end)
