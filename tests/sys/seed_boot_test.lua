-- What a boot sets up, judged by shells: environment, configs, secrets, kernel parameters, resolver, the app.

local app = require "holos.plan.seed.app"
local boot = require "holos.plan.seed.boot"
local cloudinit = require "holos.plan.seed.cloudinit"
local environment = require "holos.plan.seed.environment"
local fake_guest = require "tests.support.fake_guest"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local json = require "sys.json"
local kernel = require "holos.plan.seed.kernel"
local names = require "holos.plan.seed.names"
local seed = require "holos.plan.seed"
local seed_spec = require "tests.support.seed_spec"
local table_ = require "holos.core.table"
local tool = require "tests.support.tool"

local SHELLS = files.environment("HOLOS_TESTS") == "all" and { "dash", "busybox", "bash" } or { "dash", "busybox" }

local function spec_with(changes, os)
  local spec = seed_spec.new(os or "plain", { console_login = "none", stop_grace_ms = 30000 })
  spec.cloud_init = { runcmd = {}, write_files = {}, packages = {}, bootcmd = {} }
  spec.mounts = {}
  for key, value in pairs(changes) do spec[key] = value end
  return spec
end

local function guest_with(shell)
  local guest = fake_guest.new(tmpdir(), tool.find(shell))
  guest:write("dev/console", "")
  guest:write("etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nowhere:/bin/false\n")
  return guest
end

local function stat_of(path) return run_tool({ "stat", "-c", "%a %U:%G", path }).stdout end

local function has(list, wanted)
  for _, line in ipairs(list) do
    if line:find(wanted, 1, true) then return true end
  end
  return false
end

-- A directory of the user nobody, who has put links into it. Gives a function that makes grants below it.
local function with_hostile_directory(guest)
  guest:write("etc/shadow", "root:x", 384)
  guest:write("source", "root:x")
  guest:write("srv/app/other/here", "")
  local script = [[cd "$1" && mkdir roots && ln -s ../../roots srv/app/roots && cd srv/app && ln -s ../../etc/shadow conf &&
    ln -s ../../etc/shadow conf.holos-new && ln -s ../../etc sub && ln -s ../../../etc/shadow other/link &&
    chown -hR nobody . && chown -h root roots]]
  equal(run_tool({ "sh", "-c", script, "sh", guest.root }).status, 0)
  return function(name)
    return { key = name, target = guest:path("srv/app/" .. name), uid = "nobody", gid = "0", mode = 416, digest = "c" }
  end
end

-- -- environment ------------------------------------------------------------------------------------------------------

for _, shell in ipairs(SHELLS) do
  test("the environment comes back from its file as it went in, through " .. shell, function()
    local variables, script = { PATH = "/usr/bin:/bin" }, {}
    local random_words, seed_text = seed_spec.random_words(100)
    for i, text in ipairs(table_.extend(random_words, seed_spec.NAUGHTY)) do
      local name = "V" .. i
      if not text:find("%z") and environment.is_plain(name, text) then
        variables[name] = text
        script[#script + 1] = ('printf %%s "$%s" >%s'):format(name, name)
      end
    end
    local directory = tmpdir()
    files.write(directory .. "/env", environment.text(variables))
    local argv = shell == "busybox" and { "busybox", "sh" } or { shell }
    local lines = ("set -a; . %s/env; set +a; cd %s\n"):format(directory, directory) .. table.concat(script, "\n")
    local result = run_tool({ argv[1], argv[2] or "-s", argv[2] and "-s" }, { stdin = lines })
    equal({ result.status, result.stderr }, { 0, "" })
    for name, text in pairs(variables) do
      if name ~= "PATH" then equal(fs.read(directory .. "/" .. name, { max_bytes = 1 << 20 }), text, seed_text .. ", " .. name) end
    end
    ok(#script > 30)
  end)

  test("an environment is there from the first boot on, changes with the next and goes with it, in " .. shell, function()
    local guest = guest_with(shell)
    guest:write("etc/profile", "# ours\nfor file in /etc/profile.d/*.sh; do . $file; done\n")
    guest:insert(spec_with { environment = { A = "one $x" } })
    guest:run "boot.sh"
    equal(guest:read "etc/holos/env", 'A="one \\$x"\n')
    equal(stat_of(guest:path "etc/holos/env"), "640 root:root\n")
    ok(guest:read("etc/profile.d/holos.sh"):find("etc/holos/env", 1, true))
    equal(guest:read "etc/environment.d/60-holos.conf", nil)
    guest:insert(spec_with { environment = { B = "two" } })
    guest:run "boot.sh"
    equal(guest:read "etc/holos/env", 'B="two"\n')
    guest:insert(spec_with {})
    guest:run "boot.sh"
    equal(guest:read "etc/holos/env", nil)
    equal(guest:read "etc/profile.d/holos.sh", nil)
    equal(guest:report()[1], "boot")
  end)

  test("where login shells read no profile.d, the profile itself gets one line, in " .. shell, function()
    local guest = guest_with(shell)
    guest:write("etc/profile", "export PATH\n")
    guest:insert(spec_with { environment = { A = "it's" } })
    guest:run "boot.sh"
    guest:run "boot.sh"
    local profile = guest:read "etc/profile"
    equal(select(2, profile:gsub("# holos", "")), 1)
    local shown = run_tool({ "sh", "-c", (". %s; printf %%s \"$A\""):format(guest:path "etc/profile") }, {})
    equal(shown.stdout, "it's")
  end)

  -- -- configs and secrets --------------------------------------------------------------------------------------------

  test("configs and secrets lie where they belong, as whom they belong, in " .. shell, function()
    local guest, source = guest_with(shell), tmpdir()
    files.write(source .. "/c", "config\0text\n")
    files.write(source .. "/s", "hunter2")
    guest:write("proc/mounts", ("holos-secrets %s ramfs rw 0 0\n"):format(guest:path "run/secrets"))
    guest:write("var/lib/holos/provisioned", "i-0123456789abcdef\n")
    local spec = spec_with {
      configs = { { key = "c", target = guest:path "etc/my app/conf", uid = "0", gid = "nogroup", mode = 416, digest = "c" } },
      secrets = { { key = "s", target = "/run/secrets/s", uid = "0", gid = "0", mode = 256, digest = "s" },
        { key = "s", target = guest:path "srv/key", uid = "nobody", gid = "0", mode = 256, digest = "s" } } }
    guest:insert(spec, { c = source .. "/c", s = source .. "/s" })
    for _ = 1, 2 do equal(guest:run("boot.sh").status, 0) end
    equal(guest:report(), { "boot", "ready", "provisioned i-0123456789abcdef", "boot", "ready",
      "provisioned i-0123456789abcdef" })
    equal(guest:read "etc/my app/conf", "config\0text\n")
    equal(guest:read "run/secrets/s", "hunter2")
    equal(stat_of(guest:path "run/secrets/s"), "400 root:root\n")
    equal(guest:read "srv/key", "")
    if host.uid() == 0 then
      equal(stat_of(guest:path "etc/my app/conf"), "640 root:nogroup\n")
      equal(stat_of(guest:path "run/secrets/.elsewhere/2"), "400 nobody:root\n")
    end
    ok(guest:read("called"):find(("mount -o bind %s %s\n"):format(guest:path "run/secrets/.elsewhere/2", guest:path "srv/key"),
      1, true))
    for _, name in ipairs { "run/holos/boot.log", "called", "var/log/holos-first.log" } do
      ok(not (guest:read(name) or ""):find("hunter2", 1, true), name)
    end
  end)

  test("links of an app's user lead root nowhere: configs, in " .. shell, function()
    if host.uid() ~= 0 then skip "only root can make links of somebody else's" end
    local guest = guest_with(shell)
    local config = with_hostile_directory(guest)
    guest:insert(spec_with { configs = { config "conf", config "other/link", config "sub/shadow", config "roots/shadow" } },
      { c = guest:path "source" })
    for _ = 1, 2 do guest:run "boot.sh" end
    equal(stat_of(guest:path "etc/shadow"), "600 root:root\n")
    equal(guest:read "etc/shadow", "root:x")
    equal(stat_of(guest:path "srv/app/conf"), "640 nobody:root\n")
    equal(fs.lstat(guest:path "srv/app/conf").type, "file")
    equal(guest:read "srv/app/other/link", "root:x")
    equal(guest:read "roots/shadow", "root:x")
    local told = guest:report()
    ok(has(told, "srv/app/sub is a link that root has not made") and has(told, "failed 0 1 config sub/shadow"))
    ok(not has(told, "config roots") and not has(told, "config conf") and not has(told, "config other"),
      table.concat(told, "\n"))
    equal(run_tool({ "find", guest.root, "-name", ".holos-*" }).stdout, "")
  end)

  test("links of an app's user lead root nowhere: secrets and mounts, in " .. shell, function()
    if host.uid() ~= 0 then skip "only root can make links of somebody else's" end
    local guest = guest_with(shell)
    local config = with_hostile_directory(guest)
    guest:write("proc/mounts", ("holos-secrets %s ramfs rw 0 0\n"):format(guest:path "run/secrets"))
    local spec = spec_with { secrets = { config "conf", config "sub/key" } }
    spec.mounts = { { kind = "tmpfs", target = guest:path "srv/app/sub/memory" },
      { kind = "volume", volume = "data", serial = "vol-data", target = guest:path "srv/app/sub" },
      { kind = "bind", tag = "share1", driver = "9p", target = guest:path "srv/app/sub/www" } }
    guest:add_disk("vdc", "vol-data", 1 << 20, { [0] = "x" })
    guest:insert(spec, { c = guest:path "source" })
    guest:run "boot.sh"
    local called, told = guest:read "called", guest:report()
    equal(select(2, called:gsub("mount", "")), 1, called)
    ok(called:find(("mount -o bind %s %s\n"):format(guest:path "run/secrets/.elsewhere/1", guest:path "srv/app/conf"), 1, true))
    equal(fs.lstat(guest:path "srv/app/conf").type, "file")
    for _, what in ipairs { "mount tmpfs", "mount volume data", "mount share", "secret sub/key" } do
      ok(has(told, "failed 0 1 " .. what), what)
    end
    equal(run_tool({ "ls", "-A", guest:path "etc" }).stdout:find "memory", nil)
  end)

  test("a secret does not count as delivered where something else is mounted, in " .. shell, function()
    local guest, source = guest_with(shell), tmpdir()
    files.write(source .. "/s", "hunter2")
    local function boot_with(mounts)
      guest:write("proc/mounts", mounts)
      guest:insert(spec_with { secrets = { { key = "s", target = guest:path "srv/key", uid = "0", gid = "0", mode = 256,
        digest = "s" } } }, { s = source .. "/s" })
      guest:run "boot.sh"
      return guest:report()
    end
    local ours = ("holos-secrets %s ramfs rw 0 0\n"):format(guest:path "run/secrets")
    local told = boot_with(ours .. ("/dev/vdc %s ext4 rw 0 0\n"):format(guest:path "srv/key"))
    ok(has(told, "srv/key is where /dev/vdc is mounted") and has(told, "failed 0 1 secret s"), table.concat(told, "\n"))
    equal(boot_with(ours .. ("holos-secrets %s ramfs rw 0 0\n"):format(guest:path "srv/key")), { "boot", "ready" })
    fs.remove_tree(guest:path "run/secrets")
    told = boot_with(("/dev/vdc %s ext4 rw 0 0\n"):format(guest:path "run/secrets"))
    ok(has(told, "run/secrets is where /dev/vdc is mounted"), table.concat(told, "\n"))
    equal(fs.lstat(guest:path "run/secrets"), nil)
  end)

  test("owners that come with packages are waited for, and missed afterwards, in " .. shell, function()
    local guest, source = guest_with(shell), tmpdir()
    files.write(source .. "/c", "x")
    local spec = spec_with { configs = { { key = "c", target = guest:path "etc/app", uid = "no-such-user", gid = "0", mode = 292,
      digest = "c" } } }
    guest:insert(spec, { c = source .. "/c" })
    guest:run "boot.sh"
    equal(guest:report(), { "boot", "ready" })
    equal(guest:read "etc/app", "x")
    guest:run "first.sh"
    local told = guest:report()
    equal({ told[2], told[3] }, { "failed 0 1 config c", "provisioned i-0123456789abcdef" })
    ok(told[1]:find("there is no user no-such-user", 1, true), told[1])
  end)

  test("without a place in memory no secret is written, in " .. shell, function()
    local guest, source = guest_with(shell), tmpdir()
    files.write(source .. "/s", "hunter2")
    guest:insert(spec_with { secrets = { { key = "s", target = "/run/secrets/s", uid = "0", gid = "0", mode = 256,
      digest = "s" } } }, { s = source .. "/s" })
    guest:run "boot.sh"
    equal(guest:read "run/secrets/s", nil)
    ok(has(guest:report(), "failed 0 1 secret s"))
    ok(guest:read("called"):find("mount -t ramfs -o mode=755 holos-secrets " .. guest:path "run/secrets", 1, true))
  end)

  test("a card whose new name is taken is up all the same, in " .. shell, function()
    local guest = guest_with(shell)
    guest:write("sys/class/net/eth1/address", "52:54:11:00:00:01\n")
    guest:insert(spec_with { nics = { { kind = "mcast", mac = "52:54:11:00:00:01", address = "10.5.0.3", prefix = 28,
      interface_name = "lan0" } } })
    guest:write("fails", "ip link set dev eth1 name lan0\n")
    guest:run "boot.sh"
    ok(has(guest:report(), "failed 0 1 card lan0"))
    ok(guest:read("called"):find("name lan0\nip link set dev eth1 up\n", 1, true), guest:read "called")
    guest:write("fails", "")
    guest:run "boot.sh"
    equal(guest:report(), { "boot", "ready" })
    ok(guest:read("called"):find("name lan0\nip link set dev lan0 up\n", 1, true), guest:read "called")
  end)

  -- -- kernel, resolver -----------------------------------------------------------------------------------------------

  test("kernel parameters are set; one that is not there is told, in " .. shell, function()
    local guest = guest_with(shell)
    guest:write("proc/sys/net/core/somaxconn", "128\n")
    guest:insert(spec_with { sysctls = { ["net.core.somaxconn"] = "1024 x", ["no.such"] = "1" }, shm_size_bytes = 1 << 20 })
    guest:run "boot.sh"
    equal(guest:read "proc/sys/net/core/somaxconn", "1024 x\n")
    equal(guest:report(), { "boot", "log the kernel has no parameter no/such", "failed 0 1 sysctl no.such", "ready" })
    ok(guest:read("called"):find("mount -t tmpfs -o mode=1777,nosuid,nodev,size=1048576 tmpfs", 1, true))
  end)

  test("parameters of modules: bootcmd loads them, and systemd sets them later, in " .. shell, function()
    for _, os in ipairs { "systemd", "plain" } do
      local guest = guest_with(shell)
      local spec = spec_with({ sysctls = { ["net.netfilter.nf_conntrack_max"] = "262144", ["net.missing"] = "1" } }, os)
      spec.cloud_init.bootcmd = { "cd " .. guest.root .. " && mkdir -p proc/sys/net/netfilter && cd proc/sys/net/netfilter"
        .. " && echo 1 >nf_conntrack_max" }
      guest:insert(spec)
      guest:run "boot.sh"
      equal(guest:read "proc/sys/net/netfilter/nf_conntrack_max", "262144\n")
      equal(guest:report(), os == "systemd" and { "boot", "log the kernel has no parameter net/missing so far", "ready" }
        or { "boot", "log the kernel has no parameter net/missing", "failed 0 1 sysctl net.missing", "ready" })
      equal(guest:read "run/sysctl.d/60-holos.conf",
        os == "systemd" and "net/missing = 1\nnet/netfilter/nf_conntrack_max = 262144\n" or nil)
    end
  end)

  test("servers and domains of ours win, and options are added to what DHCP gave, in " .. shell, function()
    local guest = guest_with(shell)
    guest:write("etc/resolv.conf", "nameserver 10.0.2.3\nsearch lan\n")
    guest:insert(spec_with { dns = { "9.9.9.9", "1.1.1.1" }, dns_options = { "rotate", "ndots:2" } })
    guest:run "boot.sh"
    equal(guest:read "etc/resolv.conf", "nameserver 9.9.9.9\nnameserver 1.1.1.1\noptions rotate ndots:2\nsearch lan\n")
    guest:write("etc/resolv.conf", "nameserver 10.0.2.3\nsearch lan\n")
    guest:insert(spec_with { dns_search = { "example.com" } })
    guest:run "boot.sh"
    equal(guest:read "etc/resolv.conf", "search example.com\nnameserver 10.0.2.3\n")
  end)

  test("settings of the resolver go with the file that asked for them, in " .. shell, function()
    local guest = guest_with(shell)
    local function boot_with(changes)
      guest:insert(spec_with(changes))
      guest:run "boot.sh"
      equal(guest:report(), { "boot", "ready" })
      return guest:read "etc/resolv.conf"
    end
    local original = "# the image's\nnameserver 10.0.2.3\nsearch lan\n"
    guest:write("etc/resolv.conf", original)
    equal(boot_with {}, original)
    for _ = 1, 2 do equal(boot_with { dns = { "9.9.9.9" }, dns_options = { "rotate" } },
      "nameserver 9.9.9.9\noptions rotate\nsearch lan\n") end
    equal(boot_with { dns_search = { "example.com" } }, "search example.com\nnameserver 10.0.2.3\n")
    for _ = 1, 2 do equal(boot_with {}, original) end
    boot_with { dns = { "9.9.9.9" } }
    guest:write("etc/resolv.conf", "nameserver 10.0.2.4\n")
    equal(boot_with {}, "nameserver 10.0.2.4\n")
    fs.remove(guest:path "etc/resolv.conf")
    equal(boot_with { dns = { "9.9.9.9" } }, "nameserver 9.9.9.9\n")
    equal(boot_with {}, nil)
    guest:write("run/elsewhere", "nameserver 10.0.2.5\n")
    assert(fs.symlink("../run/elsewhere", guest:path "etc/resolv.conf"))
    equal(boot_with { dns_search = { "lan" } }, "search lan\nnameserver 10.0.2.5\n")
    equal(fs.lstat(guest:path "etc/resolv.conf").type, "file")
    fs.remove(guest:path "run/elsewhere")
    equal(boot_with { dns_search = { "example.com" } }, "search example.com\nnameserver 10.0.2.5\n")
    guest:write("run/elsewhere", "nameserver 10.0.2.5\n")
    equal(boot_with {}, "nameserver 10.0.2.5\n")
    equal(fs.readlink(guest:path "etc/resolv.conf"), "../run/elsewhere")
    equal(guest:read "run/elsewhere", "nameserver 10.0.2.5\n")
  end)

  -- -- the app --------------------------------------------------------------------------------------------------------

  test("a plain guest's app starts when the first steps are done, then at every boot, as its user, in " .. shell, function()
    local guest = guest_with(shell)
    assert(fs.chmod(guest.root, 493))
    assert(fs.mkdir_all(guest:path "out", 511))
    assert(fs.chmod(guest:path "out", 511))
    run_tool { "mkfifo", "-m", "666", guest:path "out/ended" }
    local words = { "it's", "$HOME", "a\nb", "", "%", "; true" }
    local witness = [[for word; do printf '<%s>' "$word"; done >words; id -u >id; pwd >pwd; printf %s "$A|$HOME" >variable
      tr '\0' '\n' </proc/$$/environ | grep -c "^a.b=odd" >odd; ulimit -n >files; echo hello; echo >ended]]
    local spec = spec_with {
      environment = { A = "it's $x", holos_user = "root", user = "root", PATH = guest:path "bin" .. ":/bin:/nowhere",
        ["a.b"] = "odd" },
      app = { argv = { "sh", "-c", witness, "sh", table.unpack(words) }, working_dir = guest:path "out",
        user = host.uid() == 0 and "nobody" or "root", ulimits = { nofile = { soft = 100, hard = 200 } } } }
    spec.cloud_init.runcmd = { "test ! -e " .. guest:path "out/id" }
    guest:insert(spec)
    guest:run "boot.sh"
    equal(guest:read "out/id", nil)
    local function see_it_run(script)
      local result = guest:run(script)
      equal(run_tool({ "cat", guest:path "out/ended" }).stdout, "\n", result.stdout .. result.stderr)
      equal(guest:read "out/words", "<it's><$HOME><a\nb><><%><; true>")
      equal({ guest:read "out/pwd", guest:read "out/files" }, { guest:path "out" .. "\n", "100\n" })
      equal(guest:read "out/variable", host.uid() == 0 and "it's $x|/nowhere" or "it's $x|/root")
      equal(guest:read "out/odd", "1\n")
      equal(guest:read "out/id", host.uid() == 0 and "65534\n" or "0\n")
      ok(guest:read("dev/console"):find("hello\n", 1, true))
      fs.remove(guest:path "out/id")
    end
    see_it_run "first.sh"
    see_it_run "boot.sh"
    ok(has(guest:report(), "provisioned"))
  end)

  test("an app that cannot start is told with the reason, in " .. shell, function()
    local wrong = { ["there is no program no-such-program"] = { argv = { "no-such-program" } },
      ["there is no directory to run it in"] = { argv = { "true" }, working_dir = "/no/such" },
      ["there is no user no-such-user"] = { argv = { "true" }, user = "no-such-user" },
      ["the limit rttime can be set by systemd only"] = { argv = { "true" }, ulimits = { rttime = { soft = 1, hard = 1 } } } }
    for reason, wanted in pairs(wrong) do
      local guest = guest_with(shell)
      guest:insert(spec_with { app = wanted })
      guest:run "first.sh"
      local told = guest:report()
      ok(has(told, "log holos: app: " .. reason), reason .. ": " .. table.concat(told, "\n"))
      ok(has(told, "failed 0 1 app"))
    end
  end)
end

test("a guest with trouble starts no app: it might write where its volume is not mounted", function()
  local guest = guest_with "dash"
  guest:write("var/lib/holos/provisioned", "i-0123456789abcdef\n")
  guest:write("proc/mounts", "")
  local spec = spec_with { app = { argv = { "no-such-program" } } }
  spec.mounts = { { kind = "volume", volume = "data", serial = "vol-data", target = guest:path "srv", read_only = false } }
  guest:insert(spec)
  guest:run "boot.sh"
  local told = guest:report()
  ok(has(told, "failed 0 1 mount volume data") and not has(told, "app"), table.concat(told, "\n"))
  guest:write("proc/mounts", ("/dev/vdb %s ext4 rw 0 0\n"):format(guest:path "srv"))
  guest:run "boot.sh"
  ok(has(guest:report(), "failed 0 1 app"))
end)

test("guests with systemd and OpenRC are told to start the app as they do", function()
  for os, wanted in pairs { systemd = "systemctl start holos-app.service", openrc = "rc-service holos-app start" } do
    local guest = guest_with "dash"
    local spec = spec_with({ app = { argv = { "/bin/true" }, stop_signal = "SIGINT" } }, os)
    guest:insert(spec)
    guest:run "first.sh"
    ok(guest:read("called"):find(wanted .. "\n", 1, true), guest:read "called")
    guest:run "boot.sh"
    local early = os == "systemd" and "systemctl --no-block start holos-app.service" or wanted
    ok(guest:read("called"):find(early .. "\n", 1, true), guest:read "called")
  end
end)

-- Debian has OpenRC's own shell library, but no guest with it; the script is at least one for its interpreter's shell.
test("OpenRC's script sets what its functions read", function()
  local spec = spec_with({ app = { argv = { "/bin/true" }, stop_signal = "SIGINT" } }, "openrc")
  local text = seed_spec.by_name(app.files(spec))["holos/app.openrc"]
  local shown = run_tool({ "dash", "-c", text .. 'printf "%s|" "$description" "$command" "$command_args" "$retry" "$pidfile"' })
  equal(shown.stdout, "App of web-0 (holos)|/usr/bin/env|-i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    .. " sh /run/holos/seed/holos/app.sh run|SIGINT/25/KILL/5|/run/holos-app.pid|")
end)

test("what runs in the app's directory runs elsewhere where the login user may not enter it", function()
  local root = tmpdir()
  assert(fs.mkdir_all(root .. "/app", 493))
  local function directory_of(wanted)
    local prelude, directory = environment.prelude(spec_with { app = { argv = { "true" }, working_dir = wanted } })
    local result = run_tool({ "dash", "-c", "cd /; " .. prelude .. '"$@"', directory, "pwd" })
    equal({ result.status, result.stderr }, { 0, "" })
    return result.stdout
  end
  equal(directory_of(root .. "/app"), root .. "/app\n")
  equal(directory_of(root .. "/no such"), "/\n")
end)

test("with systemd the unit sets the limits, for a user by number too", function()
  local limits = { rttime = { soft = 1, hard = 1 }, sigpending = { soft = 10, hard = 10 } }
  local spec = spec_with({ app = { argv = { "/bin/true" }, user = "1000", ulimits = limits } }, "systemd")
  local made = seed_spec.by_name(app.files(spec))
  ok(not made["holos/app.sh"]:find("\n*limit rttime") and not made["holos/app.sh"]:find("\nlimit "), made["holos/app.sh"])
  ok(made["holos/app.service"]:find("\nLimitRTTIME=1:1\nLimitSIGPENDING=10:10\n", 1, true))
end)

-- -- what needs no shell ----------------------------------------------------------------------------------------------

test("parameters have paths as sysctl(8) reads them", function()
  local paths = { ["net.core.somaxconn"] = "net/core/somaxconn", plain = "plain",
    ["net/ipv4/conf/eth0.1/mtu"] = "net/ipv4/conf/eth0.1/mtu", ["net.ipv4.conf.eth0/1.mtu"] = "net/ipv4/conf/eth0.1/mtu" }
  for name, path in pairs(paths) do equal(kernel.path(name), path) end
end)

test("hosts: the full name comes first, the host and others by the names that the file gives", function()
  local spec = spec_with { hostname = "box", domainname = "example.com",
    extra_hosts = { { name = "gateway", address = "host-gateway" }, { name = "six", address = "2001:db8::1" } } }
  local others = { { address = "10.10.0.2", names = { "db-0", "db" } } }
  equal(names.hosts(spec, others), "# holos begin\n127.0.1.1 box.example.com box\n10.10.0.2 db-0 db\n10.0.2.2 gateway\n"
    .. "2001:db8::1 six\n# holos end\n")
  local config = cloudinit.config(spec_with({ hostname = "box", domainname = "example.com" }, "systemd"), seed_spec.KEYS)
  equal({ config.hostname, config.fqdn }, { "box", "box.example.com" })
end)

test("cards of guests with cloud-init get their names, and the one to the outside its servers", function()
  local spec = spec_with({ dns = { "9.9.9.9" }, dns_search = { "lan" }, nics = { { kind = "user", mac = "52:54:01:00:00:01" },
    { kind = "mcast", mac = "52:54:20:00:00:01", address = "10.5.0.3", prefix = 28, interface_name = "lan0" } } }, "systemd")
  local cards = json.decode(cloudinit.network_config(spec), {}).ethernets
  equal(cards.nic0, { match = { macaddress = "52:54:01:00:00:01" }, dhcp4 = true, ["dhcp4-overrides"] = { ["use-dns"] = false },
    nameservers = { addresses = { "9.9.9.9" }, search = { "lan" } } })
  equal(cards.nic1, { match = { macaddress = "52:54:20:00:00:01" }, dhcp4 = false, ["accept-ra"] = false, ["set-name"] = "lan0",
    addresses = { "10.5.0.3/28" } })
  spec.image.os = "plain"
  equal(seed_spec.by_name(seed.files(spec, seed_spec.KEYS, {}))["holos/network"],
    "52:54:01:00:00:01 dhcp\n52:54:20:00:00:01 10.5.0.3/28\n")
  ok(table.concat(boot.lines(spec), "\n"):find("holos_name_card 52:54:20:00:00:01 lan0", 1, true))
end)

test("memory that is mounted read-only says so", function()
  local spec = spec_with { mounts = { { kind = "tmpfs", target = "/srv/a", read_only = true },
    { kind = "tmpfs", target = "/srv/b", read_only = false, size_bytes = 4096 } } }
  local lines = table.concat(boot.lines(spec), "\n")
  ok(lines:find("/srv/a ro,nosuid,nodev,mode=1777\n", 1, true), lines)
  ok(lines:find("/srv/b nosuid,nodev,mode=1777,size=4096\n", 1, true), lines)
end)

test("a change of the boot part is no change of the first part", function()
  local before = seed.first_hash_input(spec_with {})
  local after = seed.first_hash_input(spec_with { environment = { A = "1" }, app = { argv = { "x" } }, sysctls = { a = "b" },
    configs = {}, secrets = {}, dns = { "9.9.9.9" }, hostname = "other", domainname = "d", shm_size_bytes = 1 })
  equal(after, before)
end)

test("a guest that runs is given the names of the others anew: our block alone is replaced", function()
  for _, shell in ipairs(SHELLS) do
    local guest, spec = guest_with(shell), spec_with {}
    guest:write("etc/hosts", "127.0.0.1 localhost\n10.0.0.1 mine\n# holos begin\n10.10.0.9 gone-0\n# holos end\n")
    local all = { { address = "10.10.0.2", names = { "db-0", "db" } }, { address = "10.10.0.3", names = { "web-1", "web" } } }
    guest:write("run/holos/seed/holos/update.sh", guest:adapt(names.update(spec, all)))
    local result = guest:run "update.sh"
    equal(result.status, 0, shell .. ": " .. result.stderr)
    equal(guest:read "etc/hosts", "127.0.0.1 localhost\n10.0.0.1 mine\n" .. names.hosts(spec, all), shell)
    ok(names.hosts(spec, all):find("10.10.0.3 web-1 web", 1, true), "the names are told")
  end
end)
