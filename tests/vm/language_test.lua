-- What the compose language asks for, seen on real guests: networks, environment, configs, secrets, the app, mounts,
-- direct kernel boot, CD-ROMs.
local files = require "tests.support.files"
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"
local task = require "holos.core.task"
local tool = require "tests.support.tool"

local SECRET = "hunter2-of-this-test"
local PATIENCE_MS = 120000

local STACK = [[
name: lang
services:
  app:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    hostname: box.example.com
    networks:
      front: {aliases: [www], interface_name: lan7, priority: 9}
      back: {ipv4_address: 10.5.0.9}
    environment: {GREETING: "it's `id` 100%", EMPTY: ""}
    configs:
      - {source: conf, target: /etc/app/conf, mode: 0640}
    secrets:
      - pin
      - {source: pin, target: /etc/app/pin, uid: nobody}
    command: [sh, -c, "id >who; env | grep ^GREETING >said; ulimit -n >files; echo the app has started; exec sleep 100000"]
    user: nobody
    working_dir: /tmp
    ulimits: {nofile: {soft: 100, hard: 200}}
    dns: 9.9.9.9
    dns_opt: [rotate]
    extra_hosts: ["gateway=host-gateway"]
    sysctls: {net.core.somaxconn: 777}
    shm_size: 32m
    tmpfs: "/srv/tmp:size=1m"
    volumes:
      - data:/etc/acpi
      - /srv/scratch
      - {type: volume, source: parts, target: /srv/part, volume: {subpath: a/b}}
      - parts:/srv/whole:ro
      - {type: bind, source: ./made, target: /srv/made, bind: {create_host_path: true}}
    ports: ["18400-18420:80", "0:5353/udp"]
  db:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    container_name: the-db
    networks: {back: {aliases: [postgres]}}
networks:
  front: {}
  back: {internal: true, ipam: {config: [{subnet: 10.5.0.0/24}]}}
configs:
  conf: {content: "answer = 42\n"}
secrets:
  pin: {file: ./pin}
volumes:
  data: {size: 64M}
  parts: {size: 64M}
]]

-- A stack on the tiny guest; skips while the loader takes keys for ones without an effect.
local function new(yaml)
  local stack = stack_.new { yaml = yaml, image = stack_.image("tiny") }
  files.write(stack.directory .. "/pin", SECRET)
  local seen = stack:run { "plan" }
  if (seen.stdout .. seen.stderr):find("not available yet", 1, true) then skip "the loader does not know all of it yet" end
  return stack
end

-- Asked in one session, as logging in takes its time: name -> a line for the guest's shell.
local function ask(stack, instance, questions)
  local lines = {}
  for name, question in pairs(questions) do
    lines[#lines + 1] = ("echo '<%s>'; { %s; } 2>&1; echo '</%s>'"):format(name, question, name)
  end
  local told, answers = stack:expect({ "exec", instance, "--", "sh", "-c", table.concat(lines, "\n") }).stdout, {}
  for name, answer in told:gmatch("<([%l_]+)>\n(.-)\n?</%1>") do answers[name] = answer:gsub("%s+", " ") end
  return answers
end

local function compare(got, wanted)
  for name, answer in pairs(wanted) do equal(got[name], answer, name) end
end

-- Sends a datagram to a port of this machine.
local function send(port)
  local script = "import socket,sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', int(sys.argv[1])))"
  equal(run_tool({ "python3", "-c", script, tostring(port) }).status, 0)
end

-- The app starts when a guest says that it is provisioned: what it says comes some time later. The console of every boot is in
-- the log, so who waits for that of the second boot waits for the text to be there twice.
local function until_said(stack, project, instance, text, times)
  local directory = ("%s/instances/%s/%s"):format(stack.state, project, instance)
  local watch <close> = assert(fs.watch())
  assert(watch:add(directory .. "/console.log", { "modify" }))
  task.within(PATIENCE_MS, function()
    while select(2, fs.read(directory .. "/console.log", { max_bytes = 1 << 20 }):gsub(text, "")) < (times or 1) do
      task.wait { fd = watch:fileno(), dir = "r" }
      while watch:try_next() do end
    end
  end)
end

local DATAGRAMS = "awk '/^Udp:/ { if (n++) print $3 }' /proc/net/snmp" -- to ports that nobody listens on

test("two guests in two networks, one of them with everything", function()
  local stack <close> = new(STACK)
  stack:expect { "up" }
  local rows = stack:ps()
  equal({ rows["app-0"].status, rows["the-db"].status }, { "provisioned", "provisioned" })
  until_said(stack, "lang", "app-0", "the app has started")

  compare(ask(stack, "app", {
    names = "sed -n '/holos begin/,/holos end/p' /etc/hosts", name = "hostname", resolver = "cat /etc/resolv.conf",
    cards = "ip -o -4 addr | awk '{ print $2, $4 }'", parameter = "cat /proc/sys/net/core/somaxconn",
    environment = 'echo "$GREETING|$EMPTY"; pwd', who = "cat /tmp/who", said = "cat /tmp/said /tmp/files",
    config = "stat -c '%a %U' /etc/app/conf; cat /etc/app/conf", secrets = "stat -c '%a %U' /run/secrets/pin /etc/app/pin",
    secret = "cat /run/secrets/pin /etc/app/pin", memory = "grep -e secrets -e /etc/app /proc/mounts | cut -d ' ' -f 3",
    sizes = "df -k /dev/shm /srv/tmp | awk 'NR > 1 { print $2 }'", filled = "ls /etc/acpi; grep -c ' /etc/acpi ext4 ' /proc/mounts",
    part = "touch /srv/part/x && ls /srv/whole/a/b && touch /srv/whole/y 2>/dev/null || echo refused",
    scratch = "grep -c ' /srv/scratch ext4 ' /proc/mounts", made = "touch /srv/made/here && echo yes || echo no",
    others = "ping -c 3 -w 10 postgres >/dev/null && ping -c 3 -w 10 the-db >/dev/null && echo reached",
    forbidden = "su -s /bin/sh nobody -c 'cat /run/secrets/pin' 2>/dev/null || echo refused",
  }), {
    names = "# holos begin 127.0.1.1 box.example.com box 10.10.0.2 app-0 app www 10.5.0.2 the-db db-0 db postgres "
      .. "10.0.2.2 gateway # holos end",
    name = "box", resolver = "nameserver 9.9.9.9 options rotate",
    cards = "lo 127.0.0.1/8 eth0 10.0.2.15/24 lan7 10.10.0.2/24 eth2 10.5.0.9/24",
    parameter = "777", environment = "it's `id` 100%| /tmp", who = "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)",
    said = "GREETING=it's `id` 100% 100", config = "440 root answer = 42",
    secrets = "400 root 400 nobody", secret = SECRET .. SECRET, memory = "ramfs ramfs", sizes = "32768 1024",
    filled = "PWRF 1", part = "x refused", scratch = "1", others = "reached", forbidden = "refused",
  })
  ok(fs.stat(stack.directory .. "/made").type == "directory")

  compare(ask(stack, "the-db", {
    names = "sed -n '/holos begin/,/holos end/p' /etc/hosts", others = "ping -c 3 -w 10 app >/dev/null && echo reached",
    out = "timeout 3 nc 10.0.2.2 22 </dev/null 2>/dev/null || echo closed",
  }), { names = "# holos begin 10.5.0.9 app-0 app 10.5.0.2 the-db db-0 db postgres # holos end",
    others = "reached", out = "closed" })

  -- a port out of the range, a udp port
  local ports = rows["app-0"].ports
  ok(ports[1].host >= 18400 and ports[1].host <= 18420)
  local before = tonumber(ask(stack, "app", { count = DATAGRAMS }).count)
  send(ports[2].host)
  equal(tonumber(ask(stack, "app", { count = DATAGRAMS }).count), before + 1)
  ok(stack:expect { "logs", "app" }.stdout:find("the app has started", 1, true))
  equal(stack:expect({ "exec", "app", "--", "sh", "-c", "exit 7" }, 7).stdout, "")

  -- no trace of the secret but where it has to be
  stack:expect { "stop" }
  local found = run_tool({ "grep", "-rl", SECRET, stack.state }).stdout
  for path in found:gmatch("[^\n]+") do
    ok(path:find("/seed.iso$") or path:find("/projects/lang/secrets/%x+$"), path)
    equal(fs.stat(path).mode & 511, 384, path)
  end
  equal(select(2, found:gsub("\n", "")), 2)

  -- another environment and another secret: the next start has them, the disk is the same
  stack:write((STACK:gsub("it's", "it was")))
  files.write(stack.directory .. "/pin", "another")
  local plan = stack:expect({ "plan" }).stdout
  ok(plan:find("GREETING changed", 1, true) and plan:find("pin (/etc/app/pin) changed", 1, true), plan)
  ok(not plan:find("another", 1, true) and not plan:find("it was", 1, true), plan)
  stack:expect { "up" }
  until_said(stack, "lang", "app-0", "the app has started", 2)
  compare(ask(stack, "app", { said = "cat /tmp/said", environment = 'echo "$GREETING"', secret = "cat /run/secrets/pin" }),
    { said = "GREETING=it was `id` 100%", environment = "it was `id` 100%", secret = "another" })
  equal(stack:ps()["app-0"].ports[1].host, ports[1].host)
  equal(run_tool({ "grep", "-rl", SECRET, stack.state .. "/projects" }).stdout, "")
end, { timeout_ms = 600000 })

-- The kernel and the initial RAM disk of the tiny guest's boot partition, and a CD-ROM, beside the file.
local function put_machine_parts(stack)
  local script = [[cd "$1" && qemu-img convert -O raw "$2" disk
    mcopy -i disk@@1M ::vmlinuz kernel && mcopy -i disk@@1M ::initrd initrd
    rm disk; mkdir cd && echo tools >cd/readme && xorriso -as mkisofs -quiet -V TOOLS -o tools.iso cd 2>/dev/null; chmod 755 .]]
  local result = run_tool({ "sh", "-c", script, "sh", stack.directory, stack.image }, { timeout_ms = 120000 })
  equal(result.status, 0, result.stderr)
end

-- For what comes later than the command that asked for it has returned: a shell's loop until CONDITION holds, a minute at most.
local function await(condition)
  return ("tries=600; until %s || [ $tries = 0 ]; do usleep 100000; tries=$((tries - 1)); done; "):format(condition)
end

test("a kernel of the host is started directly, a CD-ROM can be read, the clock is what was asked for", function()
  local tools = { "qemu-img", "mcopy", "xorriso" }
  for _, name in ipairs(tools) do
    if not tool.find(name) then skip(name .. " is not here") end
  end
  local stack <close> = new [[
name: direct
services:
  vm:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    ready: provisioned
    boot:
      kernel: ./kernel
      initrd: ./initrd
      cmdline: "root=LABEL=tiny-root console=ttyS0,115200 mitigations=off audit=0 apparmor=0 random.trust_cpu=on our.word=1, 2"
    cdrom: ./tools.iso
    rtc: "2031-05-06T07:08:09"
    user: "65534:65534"
    command: sleep 100000
]]
  put_machine_parts(stack)
  stack:expect { "up" }
  compare(ask(stack, "vm", { cmdline = "grep -o 'our.word=.*' /proc/cmdline", date = "date +%F",
    cdrom = "modprobe sr_mod; " .. await "[ -b /dev/sr0 ]"
      .. "mkdir -p /mnt; mount -t iso9660 -o ro /dev/sr0 /mnt && cat /mnt/readme",
    who = await "pidof sleep >/dev/null" .. "grep -h -e ^Uid -e ^Gid /proc/$(pidof sleep)/status | cut -f 2" }),
    { cmdline = "our.word=1, 2", date = "2031-05-06", cdrom = "tools", who = "65534 65534" })
end, { timeout_ms = 300000 })

test("without a network a guest is watched by its report and its console; firmware of one's own starts it", function()
  local bios = "/usr/share/seabios/bios-256k.bin"
  if not fs.stat(bios) then skip(bios .. " is not here") end
  local stack <close> = new([[
name: alone
services:
  vm:
    image: IMAGE
    image_os: plain
    vm: {memory_mb: 256}
    stop_grace_period: 20s
    network_mode: none
    boot: {firmware: ]] .. bios .. [[}
    command: [echo, nobody hears me]
]])
  stack:expect { "up" }
  equal(stack:ps()["vm-0"].status, "provisioned")
  until_said(stack, "alone", "vm-0", "nobody hears me")
  ok(stack:expect { "logs" }.stdout:find("nobody hears me", 1, true))
  ok(stack:expect({ "exec", "vm", "true" }, 125).stderr:find("network_mode: none", 1, true))
  equal(stack:expect { "up" }.stderr:find("up to date", 1, true) ~= nil, true)
  stack:expect { "stop" }
  equal(#stack:pids(), 0)
end, { timeout_ms = 300000 })
