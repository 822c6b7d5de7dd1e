--- The full Debian guest in a stack: what it is told to do, what it is asked, and what it has to answer.

local files = require "tests.support.files"
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"
local tables = require "holos.core.table"

local M = {}

--- What a boot may take: more than a minute under emulation on an idle machine, several on a busy one.
M.BOOT_MS = 1500000

M.PAGE = "hello from the host\n"

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
MORE
    cloud_init:
      user: debian
      timezone: Europe/Berlin
      bootcmd: ["ls /var/lib/db /srv/www >>/run/early"]
      write_files:
        - {path: /srv/naughty, content: "it's\n日本 $$HOME `id`\n"}
        - {path: /home/debian/mine, content: own, owner: "debian:debian", permissions: "0600"}
      packages: [PACKAGES]
      runcmd: RUNCMD
REST
volumes:
  data: {size: 256M}
]]

local RUNCMD = [=[[cd /var/lib/db && WHO="me too", 'echo "$$WHO" > file', [touch, "/root/a b"]]]=]

-- All questions in one session: a login costs seconds.
local QUESTIONS = {
  early = "sort -u /run/early",
  naughty = "cat /srv/naughty",
  owner = "stat -c '%U %a' /home/debian/mine",
  volume = "cat /var/lib/db/file",
  share = "cat /srv/www/index.html",
  share_is_read_only = [[sudo mount -o remount,rw /srv/www; sudo touch /srv/www/new ||
    sudo chmod 600 /srv/www/index.html || echo yes]],
  root_command = "sudo ls /root",
  zone = "cat /etc/timezone",
  grown = "test $(stat -f -c '%b' /) -gt 4000000 && echo yes",
  names = "getent hosts web | cut -d ' ' -f 1",
  host_keys = "ls /etc/ssh | grep -c '^ssh_host.*key$'",
  seed_is_private = "ls /run/holos 2>/dev/null || echo yes",
  console = [[systemctl is-active serial-getty@ttyS0
    tries=600; until ps -o user= -t ttyS0 | grep -m 1 debian || [ $tries = 0 ]; do sleep 0.1; tries=$((tries - 1)); done]],
  cloud_init = "cloud-init status --wait | tr -d .",
  leftovers = "ls /var/lib/cloud/scripts/per-boot /var/lib/holos",
  firmware = "test -e /sys/firmware/efi && echo uefi || echo bios",
}

local ANSWERS = {
  early = "/srv/www: /var/lib/db: index.html", naughty = "it's 日本 $HOME `id`", owner = "debian 600", volume = "me too",
  share = "hello from the host", share_is_read_only = "yes", root_command = "a b", zone = "Europe/Berlin", grown = "yes",
  names = "10.10.0.2", host_keys = "1", seed_is_private = "yes", console = "active debian", cloud_init = "status: done",
  leftovers = "/var/lib/cloud/scripts/per-boot: /var/lib/holos: provisioned volumes", firmware = "bios",
}

--- The compose text.
---@param options {uefi: boolean?, packages: string?, runcmd: string?, more: string?, rest: string?}  `packages` and `runcmd` are
--- YAML's flow style; `more` is lines for the service, `rest` for the other services
function M.yaml(options)
  return (STACK:gsub("%u%u%u%u+", { UEFI = tostring(options.uefi or false), PACKAGES = options.packages or "",
    RUNCMD = options.runcmd or RUNCMD, MORE = options.more or "", REST = options.rest or "" }))
end

--- A stack of which the service `web` is the full guest; skips where its image cannot be built.
---@param options table  as of yaml()
function M.new(options)
  local stack = stack_.new { yaml = M.yaml(options), image = stack_.image("debian") }
  assert(fs.mkdir_all(stack.directory .. "/www", tonumber("755", 8)))
  assert(fs.write_atomic(stack.directory .. "/www/index.html", M.PAGE, { mode = tonumber("644", 8) }))
  return stack
end

--- Runs a command that waits for boots.
function M.wait_for(stack, words, status)
  return stack:expect(words, status, { timeout_ms = M.BOOT_MS })
end

--- What web-0 answers to questions, blanks and line ends as single blanks.
---@param questions table<string, string>  shell commands by name
---@return table<string, string>
function M.ask(stack, questions)
  local lines = {}
  for name, question in tables.sorted_pairs(questions) do
    lines[#lines + 1] = ("echo '<%s>'; { %s; } 2>/dev/null; echo '</%s>'"):format(name, question, name)
  end
  local told = M.wait_for(stack, { "exec", "web-0", "--", "sh", "-c", table.concat(lines, "\n") })
  local answers = {}
  for name, answer in told.stdout:gmatch("<([%l_]+)>\n(.-)\n?</%1>") do
    answers[name] = answer:gsub("%s+", " "):match("^ ?(.-) ?$")
  end
  return answers
end

--- Asks everything about the first boot and compares; `answers` are those that are not the usual ones.
function M.check(stack, answers)
  equal(M.ask(stack, QUESTIONS), tables.merge(ANSWERS, answers or {}))
  local page = stack.directory .. "/www/index.html"
  equal({ fs.read(page, { max_bytes = 100 }), fs.stat(page).mode & 511, #fs.list(stack.directory .. "/www") },
    { M.PAGE, tonumber("644", 8), 1 })
end

function M.only_when_all_is_asked_for()
  if files.environment("HOLOS_TESTS") == "all" then return end
  skip("only with HOLOS_TESTS=all: each boot takes minutes under emulation")
end

return M
