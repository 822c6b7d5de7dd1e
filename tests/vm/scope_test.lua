-- Logouts and the end of a host, real ones: holos in a full Debian guest, on the stand-in for QEMU, run by root and by a user
-- from logins by SSH. Whatever logind is told about logouts, machines live as long as docs/supervisor.md says.
local fake_qemu = require "tests.support.fake_qemu"
local fs = require "sys.fs"
local full_guest = require "tests.support.full_guest"
local host = require "sys.host"
local qcow2 = require "sys.qcow2"
local stack_ = require "tests.support.stack"

-- Nobody is logged in at its console.
local HOST = [[
name: host
services:
  web:
    image: IMAGE
    image_os: systemd
    vm: {memory_mb: 512}
    volumes: ["./www:/srv/www:ro"]
    cloud_init: {user: debian}
]]

local YAML = [[
name: pair
services:
  web: {image: image.qcow2, image_os: plain, replicas: 2, ready: running, vm: {accel: tcg, memory_mb: 64}, stop_grace_period: 10s}
]]

-- What every login begins with. `machines` shows where QEMUs and supervisors of a user are, by unit.
local LOGIN = [[
export PATH=/srv/www:$PATH HOLOS_QEMU_SYSTEM=/srv/www/fake-qemu
cd /srv/www
as_root() { sudo env PATH="$PATH" HOLOS_QEMU_SYSTEM="$HOLOS_QEMU_SYSTEM" "$@"; }
machines() {
    for process in $(pgrep -x 'fake-qemu|holos'); do
        echo "$(cat /proc/$process/comm) $(sed 's,.*/,,; s,session-.*,session,' /proc/$process/cgroup)"
    done | sort | uniq -c | tr -s ' '
}
# Tells the console once the user's manager has ended: it is stopped before who is before it.
tell_the_end() {
    sudo systemd-run --quiet --remain-after-exit --property=BindsTo=user@1000.service --property=Before=user@1000.service \
        --property=ExecStop='/bin/sh -c "echo the manager has ended >/dev/console"' true
}
policy() {
    sudo mkdir -p /etc/systemd/logind.conf.d
    printf '[Login]\nKillUserProcesses=%s\nUserStopDelaySec=0\n' "$1" | sudo tee /etc/systemd/logind.conf.d/kill.conf >/dev/null
    sudo systemctl restart systemd-logind
}
]]

local RUNNABLE, OPEN = tonumber("755", 8), tonumber("644", 8)

local function new_host()
  if not fs.stat(fake_qemu.program()) then skip("make fake-qemu has not been run") end
  local stack = stack_.new { yaml = HOST, image = stack_.image("debian") }
  local www = stack.directory .. "/www"
  assert(fs.mkdir_all(www, RUNNABLE))
  assert(fs.copy(host.executable(), www .. "/holos", { mode = RUNNABLE }))
  assert(fs.copy(fake_qemu.program(), www .. "/fake-qemu", { mode = RUNNABLE }))
  assert(qcow2.create(www .. "/image.qcow2", { size_bytes = 1 << 20, mode = OPEN }))
  assert(fs.write_atomic(www .. "/holos.yaml", YAML, { mode = OPEN }))
  return stack
end

--- Logs in, runs a script, logs out; what it wrote, and a warning of `up` in it.
local function login(stack, script)
  local told = full_guest.wait_for(stack, { "exec", "web-0", "--", "bash", "-ec", LOGIN .. script }).stdout
  return told, told:match("warning: [^\n]*login[^\n]*") or told:match("warning: [^\n]*logout[^\n]*")
end

local function in_unit(unit) return (" 2 fake-qemu %s\n 1 holos %s\n"):format(unit, unit) end

local UP, DOWN = "holos up -d 2>&1; echo =; machines", "machines; holos down --purge >&2"

-- What is there at the end of the login that started it, and in the next one.
local function started(stack, up)
  local told, warning = login(stack, up)
  return told:match("=\n(.*)$"), warning
end

local function where_logind_leaves_all_alone(stack)
  login(stack, "policy no")
  local before, warning = started(stack, UP)
  equal({ before, warning }, { in_unit "session", nil })
  equal((login(stack, DOWN)), in_unit "session")
end

-- Without its supervisor's help they would be ended with the user's manager as by a pulled plug.
local function until_the_last_logout(stack)
  login(stack, "policy yes")
  local before, warning = started(stack, "tell_the_end; " .. UP)
  equal(before, in_unit "holos-pair.scope")
  ok(warning and warning:find("last logout of debian; .*sudo loginctl enable%-linger debian"), warning)
  stack:eventually("the user's manager ends", function()
    local console = fs.read(stack.state .. "/instances/host/web-0/console.log", { max_bytes = 64 << 20 })
    return console and console:find("the manager has ended", 1, true)
  end, full_guest.BOOT_MS)
  local after = login(stack, "machines; holos ps; tail -n 3 ~/.local/state/holos/events/pair.jsonl; holos down --purge >&2")
  ok(not after:find("fake-qemu holos", 1, true), after)
  equal(select(2, after:gsub("exited %(stopped with its scope%)", "")), 2, after)
  ok(after:find("systemd ends the scope", 1, true), after)
  -- And this is what is spared them:
  started(stack, "HOLOS_SCOPE=0 " .. UP)
  after = login(stack, "holos ps; holos down --purge >&2")
  ok(not after:find("with its scope", 1, true) and select(2, after:gsub("exited", "")) == 2, after)
end

local function who_lingers(stack)
  login(stack, "sudo loginctl enable-linger debian")
  local before, warning = started(stack, UP)
  equal({ before, warning }, { in_unit "holos-pair.scope", nil })
  equal(login(stack, "machines"), in_unit "holos-pair.scope")
  local more = login(stack, "holos scale web=3 >&2; machines")
  equal(more, (in_unit("holos-pair.scope"):gsub("2 fake", "3 fake")))
  local gone = login(stack, [[holos down --purge >&2
    while systemctl --user --quiet is-active holos-pair.scope; do :; done
    machines; systemctl --user show -p LoadState holos-pair.scope]])
  equal(gone, "LoadState=not-found\n")
end

-- Without the manager's own socket, so by the system's bus.
local function by_sudo(stack)
  login(stack, "sudo mv /run/systemd/private /run/systemd/hidden")
  local before, warning = started(stack, "as_root holos up -d 2>&1; echo =; machines")
  login(stack, "sudo mv /run/systemd/hidden /run/systemd/private")
  equal({ before, warning }, { in_unit "holos-pair.scope", nil })
  equal(login(stack, "machines; cat /proc/$(pgrep -x -n fake-qemu)/cgroup"),
    in_unit "holos-pair.scope" .. "0::/machine.slice/holos-pair.scope\n")
end

-- Root's project and a user's, both running when the host is rebooted.
local function the_host_goes_down(stack)
  login(stack, "holos up -d 2>&1; machines")
  local boot = login(stack, "cat /proc/sys/kernel/random/boot_id; sudo systemctl reboot")
  stack:eventually("the guest reboots", function()
    local told = stack:run({ "exec", "web-0", "--", "cat", "/proc/sys/kernel/random/boot_id" }, { timeout_ms = full_guest.BOOT_MS })
    return told.status == 0 and told.stdout ~= boot
  end, full_guest.BOOT_MS)
  local ends = login(stack, "sudo tail -n 3 /var/lib/holos/events/pair.jsonl; tail -n 3 ~/.local/state/holos/events/pair.jsonl")
  equal({ select(2, ends:gsub("systemd ends the scope", "")), select(2, ends:gsub('"how":"powered off"', "")) }, { 2, 4 }, ends)
end

test("logouts and reboots of a Debian host: root, who lingers and who does not, with and without KillUserProcesses", function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = new_host()
  full_guest.wait_for(stack, { "up" })
  where_logind_leaves_all_alone(stack)
  until_the_last_logout(stack)
  who_lingers(stack)
  by_sudo(stack)
  the_host_goes_down(stack)
end, { timeout_ms = 3 * full_guest.BOOT_MS })
