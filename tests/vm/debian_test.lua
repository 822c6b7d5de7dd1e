-- A full Debian guest: what cloud-init, systemd and OpenSSH make of a seed. One boot takes minutes under emulation.
local files = require "tests.support.files"
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"
local tables = require "holos.core.table"

local BOOT_MS = 1500000

local STACK = [[
name: full
services:
  web:
    image: IMAGE
    image_os: systemd
    vm: {memory_mb: 512, uefi: UEFI}
    volumes: ["data:/var/lib/db", "./www:/srv/www:ro"]
    stop_grace_period: 2m
    console_login: autologin
    cloud_init:
      user: debian
      timezone: Europe/Berlin
      bootcmd: ["ls /var/lib/db /srv/www >>/run/early"]
      write_files:
        - {path: /srv/naughty, content: "it's\n日本 $HOME `id`\n"}
        - {path: /home/debian/mine, content: own, owner: "debian:debian", permissions: "0600"}
      packages: [openssh-server]
      runcmd:
        - cd /var/lib/db && WHO="me too"
        - echo "$WHO" > file
        - [touch, "/root/a b"]
volumes:
  data: {size: 256M}
]]

-- All questions in one session: a login costs many seconds.
local QUESTIONS = {
  early = "sort -u /run/early",
  naughty = "cat /srv/naughty",
  owner = "stat -c '%U %a' /home/debian/mine",
  volume = "cat /var/lib/db/file",
  share = "cat /srv/www/index.html",
  share_is_read_only = "sudo touch /srv/www/new 2>/dev/null || echo yes",
  root_command = "sudo ls /root",
  zone = "cat /etc/timezone",
  grown = "test $(stat -f -c '%b' /) -gt 4000000 && echo yes",
  names = "getent hosts web | cut -d ' ' -f 1",
  host_keys = "ls /etc/ssh | grep -c '^ssh_host.*key$'",
  seed_is_private = "ls /run/holos 2>/dev/null || echo yes",
  console = "systemctl is-active serial-getty@ttyS0; ps -o user= -t ttyS0 | grep -m 1 debian",
  cloud_init = "cloud-init status --wait | tr -d .",
  schema = "sudo cloud-init schema --system 2>&1 | tail -n 1",
  leftovers = "ls /var/lib/cloud/scripts/per-boot /var/lib/holos",
  firmware = "test -e /sys/firmware/efi && echo uefi || echo bios",
}

local ANSWERS = {
  early = "/srv/www: /var/lib/db: index.html", naughty = "it's 日本 $HOME `id`", owner = "debian 600", volume = "me too",
  share = "hello from the host", share_is_read_only = "yes", root_command = "a b", zone = "Europe/Berlin", grown = "yes",
  names = "10.10.0.2", host_keys = "1", seed_is_private = "yes",
  console = "active debian", cloud_init = "status: done",
  schema = "Valid cloud-config: system userdata", leftovers = "/var/lib/cloud/scripts/per-boot: /var/lib/holos: provisioned",
}

local function ask(stack)
  local lines = {}
  for name, question in pairs(QUESTIONS) do
    lines[#lines + 1] = ("echo '<%s>'; { %s; }; echo '</%s>'"):format(name, question, name)
  end
  local told = stack:expect({ "exec", "web-0", "--", "sh", "-c", table.concat(lines, "\n") }, 0, { timeout_ms = BOOT_MS })
  local answers = {}
  for name, answer in told.stdout:gmatch("<([%l_]+)>\n(.-)\n?</%1>") do
    answers[name] = answer:gsub("%s+", " "):match("^ ?(.-) ?$")
  end
  return answers
end

local function new(firmware)
  local stack = stack_.new { yaml = (STACK:gsub("UEFI", tostring(firmware == "uefi"))), image = stack_.image("debian") }
  assert(fs.mkdir_all(stack.directory .. "/www", 493))
  assert(fs.write_atomic(stack.directory .. "/www/index.html", "hello from the host\n", { mode = 420 }))
  return stack
end

local function compare(got, firmware)
  equal(got, tables.merge(ANSWERS, { firmware = firmware }))
end

local function only_when_all_is_asked_for()
  if files.environment("HOLOS_TESTS") == "all" then return end
  skip("only with HOLOS_TESTS=all: a boot takes minutes, and its packages come from the distribution's archive")
end

test("cloud-init makes of a seed what was asked for, and once only", function()
  only_when_all_is_asked_for()
  local stack <close> = new("bios")
  stack:expect({ "up" }, 0, { timeout_ms = BOOT_MS })
  compare(ask(stack), "bios")
  stack:expect { "stop" }
  stack:expect({ "start" }, 0, { timeout_ms = BOOT_MS })
  local again = ask(stack)
  equal({ again.volume, again.share, again.host_keys }, { "me too", "hello from the host", "1" })
end, { timeout_ms = 3 * BOOT_MS })

test("the same by UEFI", function()
  only_when_all_is_asked_for()
  local stack <close> = new("uefi")
  stack:expect({ "up" }, 0, { timeout_ms = BOOT_MS })
  compare(ask(stack), "uefi")
end, { timeout_ms = 3 * BOOT_MS })
