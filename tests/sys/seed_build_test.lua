-- The steps of a Dockerfile, run by shells on this machine in a directory that stands for a guest: what COPY, ADD, WORKDIR and
-- RUN leave there.

local build = require "holos.run.build"
local evaluate = require "holos.dockerfile.evaluate"
local fake_guest = require "tests.support.fake_guest"
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local pack = require "holos.run.context.pack"
local seed_spec = require "tests.support.seed_spec"
local tool = require "tests.support.tool"
local world = require "holos.run.world"

if host.uid() ~= 0 then return test("the steps of a Dockerfile", function() skip "owners and users take root" end) end

local SHELLS = files.environment "HOLOS_TESTS" == "all" and { "dash", "busybox", "bash" } or { "dash", "busybox" }

--- A guest where `text` is the Dockerfile, "ROOT" in it the guest's directory, and these files are the context.
local function guest_with(shell, text, context)
  local guest, directory = fake_guest.new(tmpdir(), tool.find(shell)), tmpdir()
  assert(fs.chmod(guest.root, 493))
  for name, content in pairs(context or {}) do
    local target = content:match("^→ (.*)$")
    assert(fs.mkdir_all((directory .. "/" .. name):match("^(.*)/"), 493))
    if target then assert(fs.symlink(target, directory .. "/" .. name)) else files.write(directory .. "/" .. name, content) end
    if not target then assert(fs.chmod(directory .. "/" .. name, name:find("%.sh$") and 493 or 420)) end
  end
  guest:write("etc/passwd", "root:x:0:0::/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\n")
  guest.context = directory
  guest.spec = seed_spec.new("plain", { mounts = {}, cloud_init = { runcmd = { "echo last >>" .. guest:path "order" },
    write_files = {}, packages = {}, bootcmd = {} } })
  function guest:take(dockerfile)
    local recipe, problems = evaluate.read("FROM x\n" .. dockerfile:gsub("ROOT", self.root), {})
    ok(recipe, problems and problems[1] and problems[1].message)
    local made, findings = build.look(world, { context = self.context, shown = "Dockerfile", recipe = recipe })
    ok(made, findings[1] and findings[1].message)
    self.spec.build = { digest = made.digest, context = made.context, steps = made.steps }
    fs.remove(self:path "run/holos/context/context.tar")
    assert(fs.mkdir_all(self:path "run/holos/context", 448))
    pack.write_archive(world, made, self:path "run/holos/context/context.tar")
    self:insert(self.spec)
  end
  guest:take(text)
  return guest
end

local function provisioned(guest, status)
  local result = guest:run "first.sh"
  if result.status ~= (status or 0) then error(result.stdout .. result.stderr, 2) end
  return result.stdout
end

-- "640 1:1 file text", "777 0:0 symbolic link target"
local function looks(guest, name)
  local place = guest:path(name)
  local shown = tool.run({ "stat", "-c", "%a %u:%g %F", place }).stdout:gsub("\n$", ""):gsub("regular empty file", "regular file")
  if shown:find "symbolic link" then return shown .. " " .. fs.readlink(place) end
  return shown:gsub("regular file", "file") .. (shown:find "file" and " " .. files.read(place) or "")
end

for _, shell in ipairs(SHELLS) do
  local function it(title, fn) test(("%s: %s"):format(shell, title), fn) end

  it("directories are merged, files replaced, links kept and never followed at the end; what was there stays", function()
    local guest = guest_with(shell, "COPY src ROOT/srv/app/\nCOPY one.txt two.sh ROOT/srv/app/sub/\n"
      .. "COPY --chown=1 one.txt ROOT/srv/new",
      { ["src/a"] = "A", ["src/sub/b"] = "B", ["src/link"] = "→ sub/b", ["src/.dot"] = "D", ["one.txt"] = "1", ["two.sh"] = "2" })
    guest:write("srv/app/old", "stays")
    guest:write("srv/app/sub/b", "is replaced")
    assert(fs.chmod(guest:path "srv/app", 448))
    guest:write("elsewhere", "must stay")
    assert(fs.symlink(guest:path "elsewhere", guest:path "srv/app/a"))
    provisioned(guest)
    equal(looks(guest, "srv/app"), "700 0:0 directory")
    equal(looks(guest, "srv/app/a"), "644 0:0 file A")
    equal({ guest:read "elsewhere", guest:read "srv/app/old" }, { "must stay", "stays" })
    equal(looks(guest, "srv/app/sub/b"), "644 0:0 file B")
    equal(looks(guest, "srv/app/link"), "777 0:0 symbolic link sub/b")
    equal(looks(guest, "srv/app/.dot"), "644 0:0 file D")
    equal({ looks(guest, "srv/app/sub/one.txt"), looks(guest, "srv/app/sub/two.sh") }, { "644 0:0 file 1", "755 0:0 file 2" })
    equal(looks(guest, "srv/new"), "644 1:1 file 1")
    equal(fs.lstat(guest:path "srv/app/a").mtime_ns, 0)
    equal((fs.lstat(guest:path "var/lib/holos/stage")), nil)
    equal(guest:read "order", "last\n")
  end)

  it("a file goes into a directory that is there, and takes the name of one that is not", function()
    local guest = guest_with(shell, "COPY a ROOT/there\nCOPY a ROOT/deep/er/b\nCOPY <<x ROOT/text\n$A 'q'\nx\nCOPY a ROOT/far/",
      { a = "A" })
    assert(fs.mkdir_all(guest:path "there", 493))
    provisioned(guest)
    equal({ looks(guest, "there/a"), looks(guest, "deep/er/b"), looks(guest, "deep/er") },
      { "644 0:0 file A", "644 0:0 file A", "755 0:0 directory" })
    equal({ looks(guest, "text"), looks(guest, "far/a") }, { "644 0:0 file  'q'\n", "644 0:0 file A" })
  end)

  it("owners are names and numbers of the guest, modes octal or said in words; what was there keeps its own", function()
    local guest = guest_with(shell, "COPY --chown=daemon:games --chmod=u=rwX,go= src ROOT/a\n"
      .. "COPY --chown=7 --chmod=4711 f ROOT/b/\n" .. "COPY --chown=daemon f ROOT/c/f",
      { ["src/d/x"] = "X", ["src/s.sh"] = "S", f = "F" })
    guest:write("b/old", "x")
    provisioned(guest)
    local games = tool.run({ "sh", "-c", "getent group games | cut -d: -f3" }).stdout:gsub("\n", "")
    equal({ looks(guest, "a"), looks(guest, "a/d"), looks(guest, "a/d/x"), looks(guest, "a/s.sh") },
      { "755 1:" .. games .. " directory", "700 1:" .. games .. " directory",
        "600 1:" .. games .. " file X", "700 1:" .. games .. " file S" })
    equal({ looks(guest, "b"), looks(guest, "b/f"), looks(guest, "b/old") },
      { "755 0:0 directory", "4711 7:7 file F", "755 0:0 file x" })
    equal({ looks(guest, "c"), looks(guest, "c/f") }, { "755 0:0 directory", "644 1:1 file F" })
  end)

  it("a directory does not take a file's place, nor a file a directory's, nor anything a link's to a directory", function()
    for _, case in ipairs {
      { "COPY d ROOT/t", "t/x", "file", "cannot copy to non-directory: ROOT/t/x" },
      { "COPY d ROOT/t", "t/x", "link", "cannot copy to non-directory: ROOT/t/x" },
      { "COPY f ROOT/t/", "t/f/y", "file", "cannot replace the directory ROOT/t/f by a file" },
      { "COPY d ROOT/t/x", "t/x", "file", "ROOT/t/x is no directory" },
      { "COPY --chown=nosuch f ROOT/t/", nil, nil, "there is no user nosuch" },
    } do
      local guest = guest_with(shell, case[1], { ["d/x/y"] = "Y", f = "F" })
      if case[3] == "file" then guest:write(case[2], "before") end
      if case[3] == "link" then
        assert(fs.mkdir_all(guest:path "t", 493))
        assert(fs.symlink("/", guest:path(case[2])))
      end
      local said, wanted = provisioned(guest, 1), case[4]:gsub("ROOT", guest.root)
      ok(said:find(wanted, 1, true), wanted .. "\n" .. said)
      if case[3] == "file" then equal(guest:read(case[2]), "before") end
      equal((fs.lstat(guest:path "order")), nil)
    end
  end)

  it("ADD unpacks archives, with the owners in them, and takes what is only compressed as it is", function()
    local guest = guest_with(shell, "WORKDIR ROOT/t")
    local work = tmpdir()
    files.write(work .. "/in/file", "F")
    run_tool { "tar", "-C", work, "--owner=u:5", "--group=g:6", "-czf", guest.context .. "/a.tar.gz", "in" }
    run_tool { "sh", "-c", ("gzip -c %s/in/file >%s/text.gz"):format(work, guest.context) }
    guest:take("ADD a.tar.gz text.gz ROOT/t/\nADD --unpack=false a.tar.gz ROOT/whole")
    provisioned(guest)
    ok(looks(guest, "t/in/file"):find "5:6 file F", looks(guest, "t/in/file"))
    equal(fs.lstat(guest:path "t/text.gz").size_bytes, fs.lstat(guest.context .. "/text.gz").size_bytes)
    equal(fs.lstat(guest:path "whole").size_bytes, fs.lstat(guest.context .. "/a.tar.gz").size_bytes)
    files.write(guest.context .. "/bad.gz", "\x1f\x8bno archive at all")
    guest:take "ADD bad.gz ROOT/t/"
    fs.remove(guest:path "var/lib/holos/provisioned")
    fs.remove(guest:path "var/lib/holos/steps")
    ok(provisioned(guest, 1):find("bad.gz cannot be unpacked", 1, true))
  end)

  it("what is only compressed is a file like any other: with its target's name, owner and mode", function()
    local guest = guest_with(shell, "WORKDIR ROOT/t")
    run_tool { "sh", "-c", ("echo dump | gzip -c >%s/dump.sql.gz"):format(guest.context) }
    guest:take "ADD --chown=7:8 --chmod=640 dump.sql.gz ROOT/t/dump.gz\nADD --chown=7 dump.sql.gz ROOT/new/"
    provisioned(guest)
    equal(looks(guest, "t/dump.gz"):match("^(.-) file"), "640 7:8")
    equal(looks(guest, "new/dump.sql.gz"):match("^(.-) file"), "644 7:7")
    equal(looks(guest, "new"), "755 7:7 directory")
  end)

  it("ADD --unpack of an address unpacks what is an archive, whatever it is called, and leaves alone what is none", function()
    local guest = guest_with(shell, "WORKDIR ROOT/t")
    local work = tmpdir()
    files.write(work .. "/in/file", "F")
    for name, option in pairs { plain = "-cf", gz = "-czf" } do
      run_tool { "tar", "-C", work, option, work .. "/" .. name, "in" }
    end
    files.write(work .. "/text", "T")
    guest:write("bin/curl", ('#!/bin/sh\nurl=$(cat)\nurl=${url%%%%\\"}\n'
      .. 'while [ "$1" != -o ]; do shift; done\ncat %s/"${url##*/}" >"$2"\n'):format(work))
    guest:take("ADD --unpack=true https://e.org/plain ROOT/a\nADD --unpack=true https://e.org/gz https://e.org/text ROOT/b/\n"
      .. "ADD https://e.org/gz ROOT/c")
    provisioned(guest)
    equal({ guest:read "a/in/file", guest:read "b/in/file", looks(guest, "b/text") }, { "F", "F", "600 0:0 file T" })
    equal(fs.lstat(guest:path "c").size_bytes, fs.lstat(work .. "/gz").size_bytes)
  end)

  it("RUN --mount=type=bind finds files whose names begin with a dot", function()
    local guest = guest_with(shell, "RUN --mount=type=bind,source=.npmrc,target=ROOT/rc true\n"
      .. "RUN --mount=type=bind,source=plain,target=ROOT/p true", { [".npmrc"] = "N", plain = "P" })
    provisioned(guest)
    local called = guest:read "called"
    for target, name in pairs { rc = ".npmrc", p = "plain" } do
      local wanted = ("mount -o bind %s/var/lib/holos/bound.1/f/%s %s\n"):format(guest.root, name, guest:path(target))
      ok(called:find(wanted, 1, true), called)
    end
    ok(not called:find("*", 1, true), called)
  end)

  -- busybox's shell takes busybox's own start-stop-daemon, which knows neither.
  if shell ~= "busybox" then it("a group that is named is the only one, and a number without a name is in group 0", function()
    local guest = guest_with(shell, "RUN mkdir -m 777 ROOT/w\nUSER daemon:games\nRUN id -g >ROOT/w/named; id -G >>ROOT/w/named\n"
      .. "USER 54321\nRUN echo $(id -u) $(id -g) $(id -G) >ROOT/w/number\nUSER daemon\nRUN id -G >ROOT/w/own")
    provisioned(guest)
    local games = tool.run({ "sh", "-c", "getent group games | cut -d: -f3" }).stdout
    equal(guest:read "w/named", games .. games)
    equal({ guest:read "w/number", guest:read "w/own" }, { "54321 0 0\n", tool.run({ "id", "-G", "daemon" }).stdout })
  end) end

  it("RUN --network=none has a loopback that is up, and nothing else", function()
    local guest = guest_with(shell, "RUN --network=none grep -c : /proc/net/dev >ROOT/devices\nRUN true")
    provisioned(guest)
    equal({ guest:read "devices", select(2, guest:read("called"):gsub("ip link set lo up\n", "")) }, { "1\n", 1 })
    guest:write("fails", "ip link set lo up\n")
    guest.spec.instance_id = "i-2"
    guest:insert(guest.spec)
    ok(provisioned(guest, 1):find("the loopback cannot be brought up", 1, true))
  end)

  it("each RUN has its own shell, directory, user and variables, and hands none of them on", function()
    local guest = guest_with(shell, [==[
RUN mkdir -m 777 ROOT/w && A=1 && cd / && umask 077
RUN echo "$A-$(pwd)-$(umask)-$HOME-$PATH" >ROOT/w/one
ARG KEY=s3
ENV A="it's \$A" B=two
WORKDIR ROOT/w/deep/er
USER daemon
RUN echo "$A|$B|$KEY|$(pwd)|$(id -un)|$HOME" >ROOT/w/two
RUN ["sh", "-c", "printf '%s|' \"$@\" >ROOT/w/three", "x", "a b", "$A", "'"]
USER daemon:games
RUN id -gn >ROOT/w/four; cat /proc/$$/cmdline /proc/$PPID/cmdline | grep -c "s""3" >>ROOT/w/four || :
SHELL ["/bin/bash", "-c"]
USER 0
RUN [[ $B == t* ]] && echo "bash in $PWD $KEY" >ROOT/w/five
RUN <<EOF
#!/bin/sh
echo "${0##*/}" "$B" >ROOT/w/six
EOF
RUN <<EOF
set -u
B=other
echo "$B $(env | grep -c holos_)" >ROOT/w/seven
EOF
]==])
    provisioned(guest)
    equal((guest:read("w/one"):gsub("-" .. guest.root:gsub("%-", "%%-") .. "/bin:", "-")),
      "-/-0022-/root-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n")
    equal(guest:read "w/two", ("it's $A|two|s3|%s|daemon|/usr/sbin\n"):format(guest:path "w/deep/er"))
    equal({ looks(guest, "w/deep"), looks(guest, "w/two"):match("^%S+ %S+") }, { "755 0:0 directory", "644 1:1" })
    equal(guest:read "w/three", "a b|$A|'|")
    equal(guest:read "w/four", "games\n0\n")
    equal(guest:read "w/five", ("bash in %s s3\n"):format(guest:path "w/deep/er"))
    equal({ guest:read "w/six", guest:read "w/seven" }, { "run two\n", "other 0\n" })
  end)

  it("a step that fails is told with its number and status, and nothing after it is done; it is gone on with there", function()
    local guest = guest_with(shell, "RUN echo one >>ROOT/log\nRUN echo no such luck; [ -e ROOT/flag ] || exit 42\n"
      .. "COPY f ROOT/f", { f = "F" })
    local said = provisioned(guest, 1)
    ok(said:find("step 2 failed with status 42", 1, true) and said:find("no such luck", 1, true), said)
    local told = guest:report()
    equal({ told[1], told[#told] },
      { "step 1 4 RUN echo one >>" .. guest:path "log", "failed 2 42 " .. told[2]:match("^step 2 4 (.*)") })
    for _, name in ipairs { "f", "order" } do equal((fs.lstat(guest:path(name))), nil) end
    guest:write("flag", "")
    provisioned(guest)
    equal({ guest:read "log", guest:read "f", guest:read "order" }, { "one\n", "F", "last\n" })
  end)

  it("a user that is not there fails the step", function()
    local guest = guest_with(shell, "USER nosuch\nRUN echo >ROOT/never")
    ok(provisioned(guest, 1):find("there is no user nosuch", 1, true))
    equal((fs.lstat(guest:path "never")), nil)
    guest = guest_with(shell, "WORKDIR ROOT/mine\nUSER daemon\nWORKDIR ROOT/mine/his")
    provisioned(guest)
    equal({ looks(guest, "mine"), looks(guest, "mine/his") }, { "755 0:0 directory", "755 1:1 directory" })
  end)
end

test("ADD fetches by what the guest has, holds the file against its checksum, and says what is missing", function()
  local guest = guest_with("dash", "ADD https://example.org/a/file.bin?x ROOT/t/\nADD https://example.org/b ROOT/u/name")
  guest:write("bin/curl", "#!/bin/sh\nIFS='\"' read -r _ url _\nwhile [ \"$1\" != -o ]; do shift; done\n"
    .. "printf '%s' \"$url\" >\"$2\"\n")
  provisioned(guest)
  equal({ looks(guest, "t/file.bin"), looks(guest, "u/name") },
    { "600 0:0 file https://example.org/a/file.bin?x", "600 0:0 file https://example.org/b" })
  local sum = require "sys.hash".sha256 "https://example.org/c"
  for position, wanted in ipairs { sum, ("0"):rep(64) } do
    local status = position - 1
    guest:take(("ADD --checksum=sha256:%s https://example.org/c ROOT/%s"):format(wanted, wanted))
    guest.spec.instance_id = "i-" .. wanted:sub(1, 16)
    guest:insert(guest.spec)
    local said = provisioned(guest, status)
    equal(fs.lstat(guest:path(wanted)) ~= nil, status == 0)
    if status == 1 then ok(said:find("the checksum is sha256:" .. sum .. ", and not sha256:000", 1, true), said) end
  end
  guest:write("bin/curl", "#!/bin/sh\necho no such host >&2\nexit 6\n")
  ok(provisioned(guest, 1):find("no such host", 1, true))
end)

test("an address with a password goes to nobody's list of processes and to no message; who sends nothing is given up", function()
  local guest = guest_with("dash", "ARG T=s3cret\nADD https://user:$T@example.org/a\\\"b?x ROOT/t/")
  guest:write("bin/curl", ('#!/bin/sh\necho "$*" >%s/words\ncat >%s/given\n'):format(guest.root, guest.root)
    .. 'while [ "$1" != -o ]; do shift; done\necho A >"$2"\n')
  provisioned(guest)
  equal(guest:read "given", 'url = "https://user:s3cret@example.org/a%22b?x"\n')
  local words = guest:read "words"
  ok(words:find("--connect-timeout 30 --speed-limit 1 --speed-time 60", 1, true) and not words:find "s3cret", words)
  local shared = "run/holos/seed/holos/build.sh"
  guest.spec.instance_id = "i-2"
  guest:insert(guest.spec)
  guest:write(shared, guest:read(shared) .. '\ncommand() { [ "$2" != curl ]; }\n')
  local said = provisioned(guest, 1)
  ok(said:find("fetching https://example.org/a%22b?x with a password takes curl", 1, true) and not said:find "s3cret", said)
end)

test("ADD takes the files of a git repository, of a branch and of a directory in it", function()
  if not tool.find "git" then skip "there is no git here" end
  local work = tmpdir()
  files.write(work .. "/sub/file", "of main")
  local function git(...) equal(tool.run({ "git", "-C", work, "-c", "user.name=a", "-c", "user.email=a@b", ... }).status, 0) end
  git("init", "-q", "-b", "main")
  git("add", "-A")
  git("commit", "-qm", "one")
  git("checkout", "-qb", "other")
  files.write(work .. "/sub/file", "of other")
  git("commit", "-qam", "two")
  local guest = guest_with("dash", "WORKDIR ROOT/all")
  local function step(target, fields)
    return { kind = "add", title = "ADD", target = guest:path(target), is_directory = true, keep_git_dir = fields.keep,
      remotes = { { kind = "git", url = "file://" .. work, ref = fields.ref, subdir = fields.subdir } } }
  end
  guest.spec.build.steps = { step("all", { ref = "main" }), step("part", { ref = "other", subdir = "sub" }),
    step("kept", { keep = true }) }
  guest:insert(guest.spec)
  provisioned(guest)
  equal({ guest:read "all/sub/file", guest:read "part/file" }, { "of main", "of other" })
  equal({ fs.lstat(guest:path "all/.git") ~= nil, fs.lstat(guest:path "kept/.git") ~= nil }, { false, true })
  guest.spec.build.steps[1].checksum, guest.spec.instance_id = ("0"):rep(40), "i-2"
  guest:insert(guest.spec)
  ok(provisioned(guest, 1):find("and not 0000", 1, true))
end)

test("names and contents that break careless quoting come through", function()
  local context, lines = {}, {}
  for position, text in ipairs(seed_spec.NAUGHTY) do context[("f%02d"):format(position)] = text end
  context["it's $HOME `x` \\ \"q\" \n*"] = "odd"
  local guest = guest_with("dash", "COPY . ROOT/all/", context)
  for position, text in ipairs(seed_spec.NAUGHTY) do
    if utf8.len(text) and not text:find("%z") and #text < 1000 then
      table.insert(guest.spec.build.steps, { kind = "run", title = "RUN", workdir = "/",
        env = { { name = "TEXT", value = text } },
        argv = { "sh", "-c", 'printf "%s" "$TEXT$1" >"$0"', guest:path("t" .. position), text } })
      lines[position] = text .. text
    end
  end
  guest:insert(guest.spec)
  provisioned(guest)
  for name, text in pairs(context) do equal(guest:read("all/" .. name), text, name) end
  for position, text in pairs(lines) do equal(guest:read("t" .. position), text, "text " .. position) end
end)
