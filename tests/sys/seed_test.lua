-- Seeds judged by those who read them: shells run the scripts, Python's YAML and mail parsers read the user-data.

local cloudinit = require "holos.plan.seed.cloudinit"
local fake_guest = require "tests.support.fake_guest"
local fs = require "sys.fs"
local hash = require "sys.hash"
local host = require "sys.host"
local mime = require "holos.plan.seed.mime"
local seed = require "holos.plan.seed"
local seed_spec = require "tests.support.seed_spec"
local tool = require "tests.support.tool"

local KEYS = seed_spec.KEYS
local MIB = 1 << 20

local SHELLS = { { name = "dash", argv = { "dash" } }, { name = "busybox", argv = { "busybox", "sh" } },
  { name = "bash", argv = { "bash", "--posix" } } }

-- busybox and bash behave as sh when they are called sh.
local function guest_with(shell)
  return fake_guest.new(tmpdir(), tool.find(shell.argv[1]))
end

local function commands(runcmd, changes)
  local spec = seed_spec.new("plain", { mounts = {}, console_login = "none" })
  spec.cloud_init = { runcmd = runcmd, write_files = {}, packages = {}, bootcmd = {} }
  for key, value in pairs(changes or {}) do spec.cloud_init[key] = value end
  return spec
end

local function with_volume(guest, read_only)
  local spec = commands { "true" }
  spec.mounts = { { kind = "volume", volume = "data", serial = "vol-data", target = guest:path "srv/my data",
    read_only = read_only or false } }
  return spec
end

for _, shell in ipairs(SHELLS) do
  test("every script of every seed is a shell script for " .. shell.name, function()
    for _, os in ipairs { "systemd", "openrc", "plain" } do
      for _, file in ipairs(seed.files(seed_spec.new(os), KEYS, seed_spec.HOSTS)) do
        if file.name:find("%.sh$") then
          local argv = { table.unpack(shell.argv) }
          argv[#argv + 1] = "-n"
          local result = run_tool(argv, { stdin = file.data })
          equal({ result.status, result.stderr }, { 0, "" }, file.name)
        end
      end
    end
  end)

  test("steps share directory and variables, run once, and are told in " .. shell.name, function()
    local guest = guest_with(shell)
    guest:insert(commands { "cd " .. guest.root .. " && WHO='it is me'", 'printf "%s" "$WHO" >out', "exit 0",
      "true; echo done >>out" })
    equal(guest:run("first.sh").status, 0)
    equal(guest:read "out", "it is medone\n")
    local told = guest:report()
    ok(told[1]:find("^step 1 4 cd "), told[1])
    equal({ table.unpack(told, 2) }, { 'step 2 4 printf "%s" "$WHO" >out', "step 3 4 exit 0",
      "step 4 4 true; echo done >>out", "provisioned i-0123456789abcdef" })
    equal(guest:run("first.sh").status, 0)
    equal(guest:report(), {})
    equal(guest:read "var/lib/holos/variables", nil)
  end)

  test("the step that fails is told with its log, and is where the next boot goes on, in " .. shell.name, function()
    local guest = guest_with(shell)
    local flag, count = guest:path "flag", guest:path "count"
    guest:insert(commands { "KEPT=1; echo once >>" .. count,
      ("echo one; echo two >&2; [ -e %s ] || exit 7"):format(flag), "[ $KEPT = 1 ]" })
    equal(guest:run("first.sh").status, 1)
    local told = guest:report()
    equal({ told[3], told[4], told[5]:match("^failed 2 7 "), #told }, { "log one", "log two", "failed 2 7 ", 5 })
    guest:write("flag", "")
    equal(guest:run("first.sh").status, 0)
    told = guest:report()
    equal({ told[1]:match("^step 2 3 "), told[2], told[3] }, { "step 2 3 ", "step 3 3 [ $KEPT = 1 ]",
      "provisioned i-0123456789abcdef" })
    equal(guest:read "count", "once\n")
  end)

  test("a step that is no shell, or ends the shell, is a step that failed, in " .. shell.name, function()
    for _, command in ipairs { "if", "set -e; false; true", "return 3", "nosuchprogram", "/bin/kill -9 $$" } do
      local guest = guest_with(shell)
      guest:insert(commands { command, "echo not reached" })
      equal(guest:run("first.sh").status, 1, command)
      local told = guest:report()
      ok(told[#told]:find("^failed 1 %d+ "), command .. ": " .. told[#told])
    end
  end)

  test("what a step leaves running holds nobody up in " .. shell.name, function()
    local guest = guest_with(shell)
    guest:insert(commands({ "sleep 3 & echo started" }, { bootcmd = { "sleep 3 & echo early" } }))
    equal(guest:run("boot.sh").status, 0)
    equal(guest:run("first.sh").status, 0)
    equal(guest:report(), { "boot", "ready", "step 1 1 sleep 3 & echo started", "provisioned i-0123456789abcdef" })
  end)

  test("naughty bytes arrive as they are: arguments and files, through " .. shell.name, function()
    local guest = guest_with(shell)
    local words, files = { "sh", "-c", 'for word; do printf %s "$word" >a$((i += 1)); done', "sh" }, {}
    local arguments = {}
    for i, text in ipairs(seed_spec.NAUGHTY) do
      if not text:find("%z") then arguments[#arguments + 1] = text end
      files[i] = { path = guest:path("files/it's " .. i), content = text, permissions = "0640",
        owner = host.uid() .. ":0" }
    end
    table.move(arguments, 1, #arguments, #words + 1, words)
    guest:insert(commands({ "cd " .. guest.root .. "; i=0", words }, { write_files = files }))
    local result = guest:run("first.sh")
    equal(result.status, 0, result.stdout:sub(-400))
    for i, text in ipairs(arguments) do equal(guest:read("a" .. i), text, "argument " .. i) end
    for i, text in ipairs(seed_spec.NAUGHTY) do equal(guest:read("files/it's " .. i), text, "file " .. i) end
    equal(run_tool({ "stat", "-c", "%a", guest:path "files/it's 1" }).stdout, "640\n")
  end)

  test("hosts keep what is not ours, boot after boot, in " .. shell.name, function()
    local guest = guest_with(shell)
    guest:insert(commands {})
    guest:write("etc/hosts", "::1 localhost\n192.0.2.1 mine\n")
    for _ = 1, 2 do
      guest:run "boot.sh"
      equal(guest:read "etc/hosts", "::1 localhost\n192.0.2.1 mine\n# holos begin\n10.10.0.2 db-0 db\n"
        .. "10.10.0.3 web-0 web\n# holos end\n")
    end
    guest:write("etc/hosts", "1.1.1.1 a\n# holos begin\nnot ours\n")
    guest:run "boot.sh"
    ok(guest:read("etc/hosts"):find("^1.1.1.1 a\n# holos begin\nnot ours\n127.0.0.1 localhost\n"))
  end)

  test("a blank volume is formatted once, with " .. shell.name, function()
    local guest = guest_with(shell)
    guest:insert(with_volume(guest))
    guest:add_disk("vdc", "vol-other", 4 * MIB)
    guest:add_disk("vdd", "vol-data", 8 * MIB + 512)
    assert(fs.mkdir_all(guest:path "srv/my data/lost+found", 493))
    guest:run "boot.sh"
    equal(guest:report(), { "boot", "ready" })
    ok(guest:read("called"):find(("mount -o rw %s/dev/vdd %s/srv/my data\n"):format(guest.root, guest.root), 1, true))
    equal(run_tool({ "e2fsck", "-fn", guest:path "dev/vdd" }).status, 0)
    local before = hash.sha256(guest:read "dev/vdd")
    guest:run "boot.sh"
    equal(hash.sha256(guest:read "dev/vdd"), before)
    equal(hash.sha256(guest:read "dev/vdc"), hash.sha256(("\0"):rep(4 * MIB)))
  end)

  test("a volume at several places is mounted once, and its places are parts of that, with " .. shell.name, function()
    local guest = guest_with(shell)
    local whole = guest:path "run/holos/volumes/vol-data"
    local function mount(target, more)
      local made = { kind = "volume", volume = "data", serial = "vol-data", target = guest:path(target) }
      for key, value in pairs(more) do made[key] = value end
      return made
    end
    local spec = commands { "true" }
    spec.mounts = { mount("srv/ro", { read_only = true }), mount("srv/rw", { read_only = false }),
      mount("srv/part", { read_only = false, subpath = "a/b" }) }
    guest:add_disk("vdd", "vol-data", 8 * MIB)
    assert(fs.mkdir_all(whole .. "/lost+found", 493))
    guest:insert(spec)
    guest:run "boot.sh"
    ok(guest:read("called"):find(("mount -o rw %s %s\n"):format(guest:path "dev/vdd", whole), 1, true), guest:read "called")
    ok(not guest:read("called"):find("bind", 1, true))
    equal(run_tool({ "e2fsck", "-fn", guest:path "dev/vdd" }).status, 0)
    ok(guest:report()[2]:find("the volume vol-data is not mounted", 1, true))
    guest:write("called", "")
    guest:write("proc/mounts", ("%s %s ext4 rw 0 0\n"):format(guest:path "dev/vdd", whole))
    guest:run "boot.sh"
    equal(guest:report(), { "boot", "ready" })
    local places = ("mount -o bind W R/ro\nmount -o remount,bind,ro R/ro\nmount -o bind W R/rw\nmount -o bind W/a/b R/part\n")
      :gsub("[WR]", { W = whole, R = guest:path "srv" })
    equal(guest:read("called"):match("mount .*\nmount [^\n]*\n"), places)
    ok(fs.stat(whole .. "/a/b").type == "directory")
  end)

  test("a volume that is only read is mounted so, at several places too, with " .. shell.name, function()
    local guest = guest_with(shell)
    local spec = with_volume(guest, true)
    spec.mounts[2] = { kind = "volume", volume = "data", serial = "vol-data", target = "/b", read_only = true, subpath = "x" }
    guest:add_disk("vdd", "vol-data", MIB, { [0] = "x" })
    guest:insert(spec)
    guest:run "boot.sh"
    local called = guest:read "called"
    ok(called:find(("mount -o ro %s "):format(guest:path "dev/vdd"), 1, true) and not called:find("-o rw", 1, true), called)
  end)

  test("nothing that holds a byte is ever formatted, with " .. shell.name, function()
    local size = 3 * MIB
    local marks = { [0] = "\1", [510] = "\85\170", [4086] = "SWAPSPACE2", [MIB - 1] = "x", [size - MIB] = "y",
      [size - 8192] = "\252N+\169", [size - 1] = "\1" }
    for offset, text in pairs(marks) do
      local guest = guest_with(shell)
      guest:insert(with_volume(guest))
      guest:add_disk("vdc", "vol-data", size, { [offset] = text })
      local before = hash.sha256(guest:read "dev/vdc")
      guest:run "boot.sh"
      equal(hash.sha256(guest:read "dev/vdc"), before, offset)
    end
  end)
end

test("a disk that cannot be read to its end is not blank", function()
  local guest = guest_with(SHELLS[1])
  guest:insert(with_volume(guest))
  guest:add_disk("vdc", "vol-data", MIB)
  guest:write("sys/block/vdc/size", "16384\n")
  guest:run "boot.sh"
  equal(hash.sha256(guest:read "dev/vdc"), hash.sha256(("\0"):rep(MIB)))
end)

test("a volume that is missing is told, and keeps the first steps from starting until it is there", function()
  local guest = guest_with(SHELLS[1])
  guest:insert(with_volume(guest, true))
  equal(guest:run("boot.sh").status, 0)
  equal(guest:report(), { "boot", "log no disk has the serial number vol-data", "failed 0 1 mount volume data",
    "ready" })
  equal(guest:run("first.sh").status, 1)
  guest:add_disk("vdc", "vol-data", MIB)
  guest:run "boot.sh"
  equal(guest:run("first.sh").status, 0)
  equal(guest:report(), { "boot", "ready", "step 1 1 true", "provisioned i-0123456789abcdef" })
  guest:run "boot.sh"
  equal(guest:report(), { "boot", "ready", "provisioned i-0123456789abcdef" })
end)

test("a guest without a report port does everything all the same", function()
  local guest = guest_with(SHELLS[1])
  guest:insert(commands { "echo x >" .. guest:path "out" })
  fs.remove(guest:path "dev/vport1p1")
  equal(guest:run("first.sh").status, 0)
  equal(guest:read "out", "x\n")
  equal(guest:read "dev/vport1p1", nil)
end)

test("cloud-init guests get their first steps at every boot until they are done", function()
  local guest = guest_with(SHELLS[1])
  local spec = seed_spec.new("systemd", { mounts = {}, console_login = "none" })
  spec.cloud_init = { runcmd = { "true" }, packages = { "dash", "awk", "no-such-package=1" }, bootcmd = {} }
  guest:insert(spec)
  guest:run "boot.sh"
  ok(guest:read("var/lib/cloud/scripts/per-boot/holos"):find("first.sh", 1, true))
  equal(guest:run("first.sh").status, 1)
  local told = guest:report()
  equal({ told[#told - 1], told[#told] }, { "log not installed: no-such-package", "failed 1 100 packages" })
  spec.cloud_init.packages = {}
  guest:insert(spec)
  equal(guest:run("first.sh").status, 0)
  equal(guest:read "var/lib/cloud/scripts/per-boot/holos", nil)
end)

-- -- user-data --------------------------------------------------------------------------------------------------------

-- What Python's readers make of user-data: the contents of write_files, in hexadecimal.
local READ_YAML = [[
import sys, yaml, base64, email
text = sys.stdin.buffer.read()
parts = [text]
if text.startswith(b"Content-Type:"):
    message = email.message_from_bytes(text)
    parts = [part.get_payload(decode=True) for part in message.walk() if part.get_content_maintype() != "multipart"]
for part in parts:
    config = yaml.safe_load(part)
    for file in config.get("write_files", []):
        content = base64.b64decode(file["content"]) if file.get("encoding") else file["content"].encode("utf-8")
        print(content.hex())
    print("bootcmd", len(config.get("bootcmd", [])))
]]

local function hexadecimal(text)
  return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

test("naughty bytes pass through user-data, as one file and as a part of several", function()
  local files, wanted = {}, {}
  for i, text in ipairs(seed_spec.NAUGHTY) do
    files[i] = { path = "/f" .. i, content = text }
    wanted[i] = hexadecimal(text) .. "\n"
  end
  local spec = seed_spec.new("systemd", { cloud_init = { write_files = files } })
  local result = run_tool({ "python3", "-c", READ_YAML }, { stdin = cloudinit.user_data(spec, KEYS) })
  equal(result.stderr, "")
  ok(result.stdout == table.concat(wanted) .. "bootcmd 1\n", "single")
  spec.cloud_init.user_data = "#cloud-config\nwrite_files: [{path: /x, content: é日\u{1f98a}}]\n# =====holos-0=====\n"
  result = run_tool({ "python3", "-c", READ_YAML }, { stdin = cloudinit.user_data(spec, KEYS) })
  equal(result.stderr, "")
  wanted[#wanted + 1] = "bootcmd 1\n" .. hexadecimal("é日\u{1f98a}") .. "\nbootcmd 0\n"
  ok(result.stdout == table.concat(wanted), "with a part")
end)

test("a part that is MIME already, and one that holds our boundary, stay whole", function()
  local theirs = 'Content-Type: multipart/mixed; boundary="b"\nMIME-Version: 1.0\n\n--b\n'
    .. "Content-Type: text/x-shellscript\n\n#!/bin/sh\necho =====holos-0=====\n--b--\n"
  local result = run_tool({ "python3", "-c", [[
import sys, email
message = email.message_from_bytes(sys.stdin.buffer.read())
for part in message.walk():
    print(part.get_content_type(), len(part.get_payload(decode=True) or b""), part.defects)
]] }, { stdin = mime.message { "#cloud-config\n{}\n", theirs } })
  equal(result.stderr, "")
  equal(result.stdout, "multipart/mixed 0 []\ntext/cloud-config 17 []\nmultipart/mixed 0 []\n"
    .. "text/x-shellscript 32 []\n")
end)

test("the network and the meta-data are YAML of what was meant", function()
  local spec = seed_spec.new("openrc")
  local read = { "python3", "-c", "import sys, yaml; print(yaml.safe_load(sys.stdin))" }
  equal(run_tool(read, { stdin = cloudinit.network_config(spec) }).stdout,
    "{'ethernets': {'nic0': {'dhcp4': True, 'match': {'macaddress': '52:54:01:00:00:01'}, 'set-name': 'eth0'}, "
    .. "'nic1': {'accept-ra': False, 'addresses': ['10.10.0.3/24'], 'dhcp4': False, 'match': {'macaddress': '52:54:11:00:00:01'}, "
    .. "'set-name': 'eth1'}}, 'version': 2}\n")
  for _, name in ipairs { "web-0", "123", "on", "1.5", "null" } do
    spec.hostname = name
    equal(run_tool(read, { stdin = cloudinit.meta_data(spec) }).stdout,
      ("{'instance-id': 'i-0123456789abcdef', 'local-hostname': '%s'}\n"):format(name))
  end
end)
