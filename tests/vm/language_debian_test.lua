-- What the compose language asks for, on a full Debian guest: cloud-init, systemd, sudo. A boot takes minutes.
local files = require "tests.support.files"
local table_ = require "holos.core.table"
local stack_ = require "tests.support.stack"

local BOOT_MS = 1500000

local STACK = [[
name: lang
services:
  app:
    image: IMAGE
    image_os: systemd
    vm: {memory_mb: 512}
    stop_grace_period: 2m
    cloud_init: {user: debian, runcmd: ["useradd -r late"]}
    hostname: box
    domainname: example.com
    networks: {front: {interface_name: lan7}}
    environment: {GREETING: "it's `id` 100%", discovery.type: single, LINES: "a\nb"}
    configs: [{source: conf, target: /etc/app/conf, uid: late, gid: www-data, mode: 0640}]
    secrets: [pin, {source: pin, target: /etc/app/pin, uid: late}]
    command: ["/bin/bash", "-c", "id >who; pwd >where; wc -c </etc/app/pin >pin; exec sleep 100000"]
    user: late
    group_add: [dialout]
    working_dir: /tmp
    ulimits: {nofile: {soft: 100, hard: 200}}
    pids_limit: 50
    stop_signal: SIGINT
    dns: 9.9.9.9
    dns_search: lan
    dns_opt: [rotate]
    sysctls: {net.core.somaxconn: 777}
    shm_size: 32m
    tmpfs: "/srv/tmp:size=1m"
    post_start:
      - {command: [sh, -c, 'id -Gn >/tmp/hooked-late; pwd >>/tmp/hooked-late; echo "$$GREETING$$MORE" >>/tmp/hooked-late'],
         environment: {MORE: "!"}}
      - {command: "sh -c 'id -un >/tmp/hooked-root'", user: root, working_dir: /root}
networks:
  front: {ipam: {config: [{subnet: 10.5.0.0/24}]}}
configs:
  conf: {content: "answer = 42\n"}
secrets:
  pin: {file: ./pin}
]]

-- In one session: a login costs many seconds.
local QUESTIONS = {
  cards = "ip -o -4 addr show dev lan7 | awk '{ print $4 }'", names = "hostname; hostname -f; getent hosts app | cut -d ' ' -f 1",
  resolver = "grep -c -e '^options rotate' -e '^search lan' /etc/resolv.conf; resolvectl dns | grep -o 9.9.9.9",
  kernel = "cat /proc/sys/net/core/somaxconn /run/sysctl.d/60-holos.conf; df -k /dev/shm /srv/tmp | awk 'NR > 1 { print $2 }'",
  environment = 'echo "$GREETING|$LINES"; stat -c "%a %G" /etc/holos/env', login = "bash -lc 'echo \"$GREETING\"'",
  sessions = "systemctl --user show-environment | grep -c GREETING",
  config = "sudo stat -c '%a %U %G' /etc/app/conf; sudo cat /etc/app/conf",
  secret = "sudo stat -c '%a %U' /run/secrets/pin /etc/app/pin; sudo cat /run/secrets/pin; "
    .. "cat /etc/app/pin 2>/dev/null || echo refused",
  app = "cat /tmp/who /tmp/where /tmp/pin; systemctl show holos-app -p TasksMax -p KillSignal -p ActiveState",
  limits = "sudo awk '/open files/ { print $4, $5 }' /proc/$(systemctl show -p MainPID --value holos-app)/limits",
  odd = "sudo cat /proc/$(systemctl show -p MainPID --value holos-app)/environ | tr '\\0' '\\n' | grep -c discovery.type=single",
  hooks = "cat /tmp/hooked-*", unit = "test -e /etc/systemd/system/holos-app.service || echo nothing stays",
  cloud_init = "cloud-init status --wait | tr -d .",
}

local ANSWERS = {
  cards = "10.5.0.2/24", names = "box box.example.com 10.5.0.2", resolver = "2 9.9.9.9",
  kernel = "777 net/core/somaxconn = 777 32768 1024", environment = "it's `id` 100%|a b 640 debian", login = "it's `id` 100%",
  sessions = "1", config = "440 late www-data answer = 42", secret = "400 root 400 late SECRETrefused",
  app = "uid=N(late) gid=N(late) groups=N(late),20(dialout) /tmp 20 TasksMax=50 KillSignal=2 ActiveState=active",
  hooks = "late /tmp it's `id` 100%! root", limits = "100 200", odd = "1", unit = "nothing stays", cloud_init = "status: done",
}
local SECRET = "hunter2-of-this-test"

-- The app starts when the guest says that it is provisioned; its file is there some time later.
local AWAIT_APP = "tries=600; until [ -s /tmp/pin ] || [ $tries = 0 ]; do sleep 0.1; tries=$((tries - 1)); done"

local function ask(stack)
  local lines = { AWAIT_APP }
  for name, question in pairs(QUESTIONS) do
    lines[#lines + 1] = ("echo '<%s>'; { %s; }; echo '</%s>'"):format(name, question, name)
  end
  local told = stack:expect({ "exec", "app-0", "--", "bash", "-c", table.concat(lines, "\n") }, 0, { timeout_ms = BOOT_MS })
  local answers = {}
  for name, answer in told.stdout:gmatch("<([%l_]+)>\n(.-)\n?</%1>") do
    answer = answer:gsub("%s+", " "):match("^ ?(.-) ?$")
    answers[name] = answer:gsub("([ug]id=)%d+", "%1N"):gsub("groups=%d+", "groups=N"):gsub((SECRET:gsub("%-", "%%-")), "SECRET")
  end
  return answers
end

local function compare(got, wanted)
  local different = {}
  for name, answer in table_.sorted_pairs(wanted) do
    if got[name] ~= answer then different[#different + 1] = ("%s: got %q, want %q"):format(name, got[name] or "nothing", answer) end
  end
  ok(#different == 0, table.concat(different, "\n"))
end

test("a guest with systemd has what the file asks for; networks and environment change with a restart, the disk stays", function()
  if files.environment("HOLOS_TESTS") ~= "all" then skip("only with HOLOS_TESTS=all: a boot takes minutes") end
  local stack <close> = stack_.new { yaml = STACK, image = stack_.image("debian") }
  files.write(stack.directory .. "/pin", SECRET)
  stack:expect({ "up" }, 0, { timeout_ms = BOOT_MS })
  compare(ask(stack), ANSWERS)
  stack:expect { "stop" }
  equal(run_tool({ "grep", "-c", SECRET, stack.state .. "/instances/lang/app-0/root.qcow2" }).stdout, "0\n")
  stack:write((STACK:gsub("it's", "it was"):gsub("10%.5%.0%.0", "10.6.0.0")))
  stack:expect({ "up" }, 0, { timeout_ms = BOOT_MS })
  compare(ask(stack), { cards = "10.6.0.2/24", names = "box box.example.com 10.6.0.2", app = ANSWERS.app,
    environment = "it was `id` 100%|a b 640 debian", config = ANSWERS.config, secret = ANSWERS.secret })
end, { timeout_ms = 3 * BOOT_MS })
