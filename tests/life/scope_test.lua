-- The scope of a project, by the systemd of this machine as the first process of a namespace of its own: what a login starts
-- is where its logout ends nothing, and the end of the scope powers the guests off.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local qcow2 = require "sys.qcow2"
local tool = require "tests.support.tool"

local UNIT = [[
[Unit]
DefaultDependencies=no
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
Environment=HOLOS_STATE_DIR=/out/state HOLOS_QEMU_SYSTEM=/out/fake-qemu HOME=/root PATH=/out:/usr/bin:/usr/sbin
WorkingDirectory=/out
ExecStart=/bin/sh -e /out/script
]]

local YAML = [[
name: pair
services:
  db: {image: image.qcow2, image_os: plain, ready: running, vm: {accel: tcg}, stop_grace_period: 10s}
  web: {image: image.qcow2, image_os: plain, ready: running, vm: {accel: tcg}, stop_grace_period: 10s, depends_on: [db],
    pre_stop: [{command: sync}]}
]]

-- `login N words` runs words as the login N of root would; `groups` shows where QEMUs and supervisors are, in order.
local FUNCTIONS = [[
login() {
    n=$1
    shift
    systemd-run --quiet --scope --unit="session-$n" --slice=user-0.slice "$@"
}
groups() {
    for process in $(pgrep -x 'fake-qemu|holos'); do
        echo "$(cat /proc/$process/comm) $(grep -oE '[^/]*\.(scope|service)$' /proc/$process/cgroup | sort -u | tr '\n' ' ')"
    done | sort
}
await() { # words that succeed one day, within 50 s: how many looks that is depends on what they start
    read -r now _ </proc/uptime
    deadline=$((${now%.*} + 50))
    until "$@"; do
        read -r now _ </proc/uptime
        [ "${now%.*}" -lt "$deadline" ] || { echo "in vain: $*"; groups; tail -n 5 state/events/*.jsonl; exit 1; }
    done
}
await_end() { await eval '! systemctl --quiet is-active holos-pair.scope'; }
]]

local RUNNABLE, OPEN = tonumber("755", 8), tonumber("644", 8)

--- Runs a shell script as a unit of a systemd of its own; gives what it wrote to files, by name.
local function run(script)
  local directory = tmpdir()
  local out = directory .. "/out"
  assert(fs.mkdir_all(out, RUNNABLE))
  if not fs.stat(fake_qemu.program()) then skip("make fake-qemu has not been run") end
  assert(fs.copy(host.executable(), out .. "/holos", { mode = RUNNABLE }))
  assert(fs.copy(fake_qemu.program(), out .. "/fake-qemu", { mode = RUNNABLE }))
  assert(qcow2.create(out .. "/image.qcow2", { size_bytes = 1 << 20, mode = OPEN }))
  files.write(out .. "/holos.yaml", YAML)
  files.write(out .. "/script", FUNCTIONS .. script)
  files.write(directory .. "/units/witness.service", UNIT)
  files.write(directory .. "/units/user-0.slice", "[Unit]\nDefaultDependencies=no\n") -- as logind keeps it
  local result = tool.run({ files.directory .. "/support/run-systemd", directory }, { timeout_ms = 60000 })
  if result.status == 77 then skip "no systemd can be started here: that needs root and control groups" end
  local read = setmetatable({}, { __index = function(_, name) return fs.read(out .. "/" .. name, { max_bytes = 1 << 20 }) end })
  equal(result.status, 0, ("%s%s\n%s"):format(result.stdout, result.stderr, read.said or ""))
  return read
end

local function in_group(group, machines)
  return ("fake-qemu %s \n"):format(group):rep(machines) .. ("holos %s \n"):format(group)
end

test("what a login starts is in the scope of the project, also what comes later; its end is no pulled plug", function()
  local out = run [[
    exec >/out/said 2>&1
    login 11 holos validate -f holos.yaml >validate; login 12 holos doctor >doctor || :; holos doctor >>doctor || :
    login 13 holos plan >plan; login 14 holos up --dry-run >dry
    login 1 holos up -d; groups >up; login 15 holos plan >after
    systemctl show holos-pair.scope -p KillSignal -p Slice -p CollectMode -p DelegateControllers -p TimeoutStopUSec >unit
    login 2 holos scale web=2; groups >scaled
    pkill -KILL -x holos; login 3 holos ps; await eval "groups | grep -q 'holos holos-pair'"; groups >supervised
    systemctl stop holos-pair.scope; groups >stopped
    login 4 holos ps >ps; cp state/events/pair.jsonl events
    systemctl show holos-pair.scope -p LoadState >gone
    login 5 holos up -d; groups >again
    holos down; await_end; groups >down
    systemctl show holos-pair.scope -p LoadState >>gone
  ]]
  ok(out.validate:find("joins +holos%-pair%.scope"), out.validate)
  for _, shown in ipairs { out.plan, out.dry } do
    ok(shown:find("· holos%-pair%.scope +scope of the system's systemd, with all that is started, to outlive this login"), shown)
  end
  equal(out.after, "0 to add, 0 to change, 0 to remove.\n")
  ok(out.doctor:find("logout +instances outlive it: a scope of the system's systemd"), out.doctor)
  ok(out.doctor:find("logout +no logout ends what is started here"), out.doctor)
  equal(out.up, in_group("holos-pair.scope", 2), out.said)
  equal(out.unit,
    "TimeoutStopUSec=5min\nSlice=machine.slice\nDelegateControllers=\nKillSignal=23\nCollectMode=inactive-or-failed\n")
  equal(out.scaled, in_group("holos-pair.scope", 3), out.said)
  equal(out.supervised, in_group("holos-pair.scope", 3), out.said)
  equal({ out.stopped, out.down, out.gone }, { "", "", "LoadState=not-found\nLoadState=not-found\n" })
  equal(out.again, in_group("holos-pair.scope", 2), out.said)
  equal(select(2, out.ps:gsub("exited %(stopped with its scope%)", "")), 3, out.ps)
  ok(out.events:find('"web-0: pre_stop was left out: ', 1, true), out.events)
  local _, last = out.events:find('"supervisor.leaving".*"instance":"web%-%d"')
  ok(last and out.events:find('"instance":"db-0"', last, true), out.events)
  ok(not out.said:find("warning: instances", 1, true), out.said)
end)

test("what a unit starts stays with the unit; HOLOS_SCOPE=0 leaves all where it is", function()
  local out = run [[
    exec >/out/said 2>&1
    holos up -d; groups >unit
    holos down; await eval '! pgrep -x holos'
    login 1 env HOLOS_SCOPE=0 holos up -d; groups >off
    holos down; await eval '! pgrep -x holos'
  ]]
  equal(out.unit, in_group("witness.service", 2), out.said)
  equal(out.off, in_group("session-1.scope", 2), out.said)
end)

test("a scope that is just ending, or its slice, is in nobody's way", function()
  local out = run [[
    exec >/out/said 2>&1
    i=0
    while [ $i -lt 5 ]; do
        i=$((i + 1))
        login $i holos up -d; groups >>up
        holos down; [ $i -lt 4 ] || await_end
    done
  ]]
  equal({ select(2, out.up:gsub("fake%-qemu holos%-pair%.scope \n", "")), select(2, out.up:gsub("fake%-qemu", "")) },
    { 10, 10 }, out.said)
end)

test("where no manager can be reached the login is warned of once, and all is started", function()
  local out = run [[
    exec >/out/said 2>&1
    login 1 sh -c 'mv /run/systemd/private /run/systemd/hidden; holos up -d' 2>up; groups >unit
    holos down; await eval '! pgrep -x holos'
    mv /run/systemd/hidden /run/systemd/private
  ]]
  equal(out.unit, in_group("session-1.scope", 2), out.said)
  equal(select(2, out.up:gsub("could not get a systemd scope of their own", "")), 1, out.up)
end)

-- `up` of a login puts machines into the project's scope while the project's supervisor is in a unit.
local STANDBY = [[
    exec >/out/said 2>&1
    systemd-run --quiet --unit=all --setenv=HOLOS_STATE_DIR=/out/state --setenv=HOLOS_QEMU_SYSTEM=/out/fake-qemu \
        --setenv=PATH=$PATH --setenv=HOME=/root holos supervise --all
    await pgrep -x holos
    await test -d state/projects
    login 1 holos up -d
    await eval "groups | grep -q 'holos holos-pair'"
]]

test("a project whose supervisor is a unit's has one that stands by in its scope, and powers the guests off", function()
  local out = run(STANDBY .. [[
    groups >up
    systemctl stop holos-pair.scope; groups >stopped
    cp state/events/pair.jsonl events
    login 2 holos up -d; await eval "groups | grep -q 'holos holos-pair'"
    login 3 holos down; await_end; groups >down; ls state/locks >locks
    systemctl stop all
  ]])
  equal(out.up, ("fake-qemu holos-pair.scope \n"):rep(2) .. "holos all.service \nholos holos-pair.scope \n", out.said)
  equal({ out.stopped, out.down }, { "holos all.service \n", "holos all.service \n" }, out.said)
  equal({ select(2, out.events:gsub('"supervisor.leaving"', "")), select(2, out.events:gsub('"how":"powered off"', "")) }, { 1, 2 },
    out.events)
  ok(not out.locks:find("standby", 1, true), out.locks)
end)

test("who stands by takes over from a unit that ends, and makes room for it again", function()
  local out = run(STANDBY .. [[
    systemctl stop all
    await eval "grep -q ' of project pair' state/locks/pair.supervisor && groups | grep -q 'holos holos-pair'"
    login 2 holos ps; groups >alone
    holos down; await_end; groups >down
  ]])
  equal(out.alone, in_group("holos-pair.scope", 2), out.said)
  equal(out.down, "", out.said)
end)

test("supervise --all of a login ends with its scope, and with it what is in that", function()
  local out = run [[
    exec >/out/said 2>&1
    systemd-run --quiet --scope --unit=session-1 --slice=user-0.slice holos supervise --all &
    await systemctl --quiet is-active holos.scope
    login 2 holos up -d; groups >up
    systemctl stop holos.scope; groups >stopped
    systemctl show holos.scope -p LoadState >gone
    holos down; await_end; groups >down
  ]]
  ok(out.up:find("holos holos.scope", 1, true), out.up)
  ok(not out.stopped:find("holos holos.scope", 1, true), out.stopped)
  equal({ select(2, out.stopped:gsub("fake%-qemu holos%-pair", "")), out.gone, out.down }, { 2, "LoadState=not-found\n", "" },
    out.said)
end)

test("a time to end that no longer suffices is told of", function()
  local out = run [[
    exec >/out/said 2>&1
    login 1 holos up -d
    sed -i 's/stop_grace_period: 10s/stop_grace_period: 20m/' holos.yaml
    holos up -d 2>raised
    holos down; await_end
    login 2 holos up -d 2>anew
    sed -i 's/stop_grace_period: 20m/stop_grace_period: 10s/' holos.yaml
    holos up -d; holos down; await_end
  ]]
  ok(out.raised:find("holos-pair.scope was started to end within 5 min, and guests may take 42 min", 1, true), out.raised)
  ok(not out.anew:find("was started to end", 1, true), out.anew)
end)
