-- What instructions make: steps, variables, and what is said of the application.

local command = require "holos.dockerfile.instruction.command"
local evaluate = require "holos.dockerfile.evaluate"

local function recipe(text, o)
  local made, findings = evaluate.read("FROM debian:12\n" .. text, o)
  if made then return made end
  error(("%d: %s"):format(findings[1].line, findings[1].message))
end

local function variables(list)
  local values = {}
  for _, pair in ipairs(list) do values[#values + 1] = pair.name .. "=" .. pair.value end
  return table.concat(values, " ")
end

local PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

test("what the machine starts from", function()
  local from = recipe("").from
  equal(from, { text = "debian:12", line = 1 })
  local made = evaluate.read("ARG V=12 W=$V N=debian\nFROM --platform=linux/$TARGETARCH ${N}:$W AS Base\n", {
    args = { V = "13" }, architecture = "x86_64",
  })
  equal(made.from, { text = "debian:13", platform = "linux/amd64", line = 2, name = "base" })
end)

test("what ADD fetches: a checksum in capitals counts, --unpack is handed on, no password is told", function()
  local step = recipe("ADD --unpack=true --checksum=sha256:" .. ("AB"):rep(32) .. " https://me:pw@h.org/f.tgz /o/").steps[1]
  equal({ step.checksum, step.remotes }, { "sha256:" .. ("ab"):rep(32),
    { { kind = "url", url = "https://me:pw@h.org/f.tgz", shown = "https://h.org/f.tgz", name = "f.tgz", unpack = true } } })
end)

test("no title tells the password of an address, wherever the address stands in its line", function()
  local steps = recipe([[
ADD https://me:hunter2@h.org/f.tgz /o/
ADD ["https://me:p@hunter2@h.org/f.tgz", "https://hunter2@h.org/g", "/o/"]
ADD http://me:hun\
ter2@h.org?at=a@b /o/f
RUN <<EOF
curl https://me:hunter2@h.org/
EOF
ADD https://me:]] .. ("hunter2"):rep(20) .. "@h.org/f.tgz /o/").steps
  local titles = {}
  for i, step in ipairs(steps) do titles[i] = step.title end
  equal(titles, { "ADD https://h.org/f.tgz /o/", 'ADD ["https://h.org/f.tgz", "https://h.org/g", "/o/"]',
    "ADD http://h.org?at=a@b /o/f", "RUN <<EOF (curl https://h.org/)", "ADD https://h.org/f.tgz /o/" })
end)

test("nothing said", function()
  local made = recipe ""
  equal({ made.steps, made.env, made.workdir, made.shell, made.expose, made.volumes, made.labels, made.warnings },
    { {}, {}, "/", { "/bin/sh", "-c" }, {}, {}, {}, {} })
  equal({ made.user, made.cmd, made.entrypoint, made.healthcheck, made.stop_signal }, {})
end)

test("variables: those of the machine, and arguments that only steps see", function()
  local made = recipe([[
ARG A B=b C=$B HTTP_PROXY
ARG D=$B E=1 F=$E
RUN one
ENV A=env X="x y" Y=$B
RUN two
ENV X=1 Y=$X
RUN three]], { args = { C = "given", http_proxy = "p", HTTP_PROXY = "q" } })
  equal(variables(made.steps[1].env), PATH .. " B=b C=given HTTP_PROXY=q D=b E=1 F= http_proxy=p")
  equal(variables(made.steps[2].env), PATH .. " A=env X=x y Y=b B=b C=given HTTP_PROXY=q D=b E=1 F= http_proxy=p")
  equal(variables(made.steps[3].env), PATH .. " A=env X=1 Y=x y B=b C=given HTTP_PROXY=q D=b E=1 F= http_proxy=p")
  equal(variables(made.env), "A=env X=1 Y=x y")
end)

test("steps share their variables until one changes", function()
  local steps = recipe("RUN a\nRUN b\nENV A=1\nRUN c\n").steps
  ok(rawequal(steps[1].env, steps[2].env))
  ok(not rawequal(steps[2].env, steps[3].env))
end)

test("PATH of the machine can be made longer", function()
  equal(variables(recipe("ENV PATH=/opt/bin:$PATH\nRUN a").steps[1].env), "PATH=/opt/bin:" .. PATH:sub(6))
end)

test("arguments before FROM are seen when they are declared again", function()
  local made = evaluate.read("ARG V=1 W=2\nFROM debian:12\nRUN a\nARG V\nARG W=3\nARG TARGETARCH\nRUN b\n",
    { architecture = "aarch64" })
  equal(variables(made.steps[1].env), PATH)
  equal(variables(made.steps[2].env), PATH .. " V=1 W=3 TARGETARCH=arm64")
end)

test("steps are run as, in and by what was said before them", function()
  local steps = recipe([[
RUN  a  \
  b
USER app:users
WORKDIR /srv
WORKDIR app
SHELL ["/bin/bash", "-ec"]
RUN c
RUN ["d", "$E"] ]]).steps
  equal(steps[1], { kind = "run", line = 2, title = "RUN a b", shell = { "/bin/sh", "-c" }, script = "a    b",
    workdir = "/", network = "default", mounts = {}, env = steps[1].env })
  equal(steps[2], { kind = "workdir", line = 5, title = "WORKDIR /srv", path = "/srv", user = "app:users" })
  equal(steps[3].path, "/srv/app")
  equal({ steps[4].shell, steps[4].script, steps[4].user, steps[4].workdir },
    { { "/bin/bash", "-ec" }, "c", "app:users", "/srv/app" })
  equal({ steps[5].argv, steps[5].shell }, { { "d", "$E" } })
end)

test("heredocs of RUN: a script, a program, or a part of the line", function()
  local steps = recipe("RUN <<EOF\na $X\nb\nEOF\nRUN <<-'X'\n\t#!/usr/bin/python3\n\tprint(1)\n\tX\n"
    .. "RUN cat <<A <<B > x\n1\nA\n2\nB\nRUN <<C bash\n1\nC\n").steps
  equal({ steps[1].script, steps[1].title }, { "a $X\nb\n", "RUN <<EOF (a $X)" })
  equal({ steps[2].program, steps[2].script, steps[2].shell }, { "#!/usr/bin/python3\nprint(1)\n", nil, { "/bin/sh", "-c" } })
  equal(steps[3].script, "cat <<A <<B > x\n1\nA\n2\nB")
  equal(steps[4].script, "<<C bash\n1\nC")
end)

test("mounts of RUN", function()
  local step = recipe([[
ARG ID=pip
WORKDIR /w
RUN --mount=type=cache,id=$ID,target=cache/,mode=0700,uid=5 --mount=src=../conf,dst=/c \
  --mount=type=tmpfs,target=/t,size=1g --mount=type=secret,id=key,required --mount=type=secret,id=k,env=KEY \
  --mount="type=bind,\"source=a,b\",target=/ab,rw" --network=none x]]).steps[2]
  equal(step.network, "none")
  equal(step.mounts, {
    { type = "cache", id = "pip", target = "/w/cache", mode = 448, uid = 5, sharing = "shared" },
    { type = "bind", source = "conf", target = "/c", ro = true },
    { type = "tmpfs", target = "/t", size_bytes = 1 << 30 },
    { type = "secret", id = "key", target = "/run/secrets/key", required = true, mode = 256 },
    { type = "secret", id = "k", env = "KEY", mode = 256 },
    { type = "bind", source = "a,b", target = "/ab", rw = true, ro = false },
  })
end)

test("files: where from, where to, whose", function()
  local steps = recipe([[
ARG WHO=app
WORKDIR /srv
COPY --chown=$WHO:users --chmod=u=rwX,go=rX --link a /b ../../c* ./x/
COPY ["a b", "/y"]
COPY . .
COPY --parents --exclude=*.o --exclude=b/ ./a/./b/c d/ /z/
ADD --unpack=false --checksum=sha256:]] .. ("0"):rep(64) .. [[ https://h.org/d/f.tgz?x=1 /o/
ADD --keep-git-dir https://h.org/r.git#v1:sub f.tar /p/]]).steps
  equal(steps[2], { kind = "copy", line = 4, title = steps[2].title, sources = { "a", "b", "c*" }, inline = {}, remotes = {},
    exclude = {}, target = "/srv/x/", chown = "app:users", chmod = "u=rwX,go=rX" })
  equal({ steps[3].sources, steps[3].target, steps[4].sources, steps[4].target }, { { "a b" }, "/y", { "." }, "/srv/" })
  equal({ steps[5].sources, steps[5].exclude, steps[5].parents }, { { "a/./b/c", "d" }, { "*.o", "b/" }, true })
  equal({ steps[6].kind, steps[6].unpack, steps[6].checksum, steps[6].remotes }, { "add", false, "sha256:" .. ("0"):rep(64),
    { { kind = "url", url = "https://h.org/d/f.tgz?x=1", name = "f.tgz" } } })
  equal({ steps[7].sources, steps[7].keep_git_dir, steps[7].remotes }, { { "f.tar" }, true,
    { { kind = "git", url = "https://h.org/r.git", ref = "v1", subdir = "sub", name = "r" } } })
end)

test("files that stand in the file", function()
  local step = recipe("ENV A=x\nCOPY <<one <<'two' /d/\n$A \"$A\" \\$A\none\n$A\ntwo\n").steps[1]
  equal(step.inline, { { name = "one", content = 'x "x" $A\n' }, { name = "two", content = "$A\n" } })
end)

test("the application: entry point and command in all their forms", function()
  local function application(text) return command.application(recipe(text)) end
  equal(application "", nil)
  equal(application 'CMD ["a", "b"]', { "a", "b" })
  equal(application "CMD a b", { "/bin/sh", "-c", "a b" })
  equal(application 'ENTRYPOINT ["e", "f"]\nCMD ["a", "b"]', { "e", "f", "a", "b" })
  equal(application 'SHELL ["bash", "-c"]\nENTRYPOINT ["e"]\nCMD a b', { "e", "bash", "-c", "a b" })
  equal(application 'ENTRYPOINT e f\nCMD ["a"]', { "/bin/sh", "-c", "e f" })
  equal(application 'CMD ["a"]\nCMD []', nil)
  equal(recipe("CMD a\nCMD b").cmd, { shell = { "/bin/sh", "-c" }, script = "b", line = 3 })
end)

test("health, ports, volumes, labels, signal", function()
  local made = recipe([[
EXPOSE 80 90-95/UDP 80/tcp $NOTHING
EXPOSE 127.0.0.1:8080:81
VOLUME /data/ /x "/a/../b"
VOLUME ["/data", "/c d"]
LABEL a=1 "b c"="$HOME x"
MAINTAINER somebody
STOPSIGNAL quit
STOPSIGNAL RTMIN+3
HEALTHCHECK NONE
HEALTHCHECK --interval=1m30s --timeout=0s --retries=5 --start-period=500ms --start-interval=1s CMD a b]])
  equal(made.expose, { { port = 80, protocol = "tcp" }, { port = 90, to = 95, protocol = "udp" }, { port = 81, protocol = "tcp" } })
  equal(made.volumes, { "/data", "/x", "/b", "/c d" })
  equal(made.labels, { a = "1", ["b c"] = " x", maintainer = "somebody" })
  equal(made.stop_signal, "SIGRTMIN+3")
  equal(made.places, { expose = { 2, 2, 3 }, volumes = { 4, 4, 4, 5 }, stop_signal = 9, healthcheck = 11 })
  equal(made.healthcheck, { test = { "CMD-SHELL", "a b" }, interval_ms = 90000, retries = 5, start_period_ms = 500,
    start_interval_ms = 1000 })
  equal(recipe("HEALTHCHECK CMD a\nHEALTHCHECK NONE").healthcheck, { disable = true })
  equal(recipe('HEALTHCHECK CMD ["a", "b"]').healthcheck, { test = { "CMD", "a", "b" } })
  equal(recipe('HEALTHCHECK CMD a\nSHELL ["bash", "-c"]').healthcheck, { test = { "CMD", "bash", "-c", "a" } })
end)

test("a stage is wanted by its name or number", function()
  ok(evaluate.read("FROM a AS dev\n", { target = "DEV" }))
  ok(evaluate.read("FROM a\n", { target = "0" }))
  local _, findings = evaluate.read("FROM a AS dev\n", { target = "prod" })
  equal({ findings[1].line, findings[1].message }, { 1, 'target stage "prod" could not be found' })
end)

test("another escape character, lower case, variables of Windows", function()
  local made = evaluate.read("# escape=`\nfrom a\nenv A=`$B C:\\x\nrun a `\n b\n")
  equal({ made == nil }, { true }) -- "C:\x" is no NAME=value
  made = evaluate.read("# escape=`\nfrom a\nenv A=`$B\nrun a `\n b\n")
  equal({ variables(made.env), made.steps[1].script, made.steps[1].title }, { "A=$B", "a  b", "RUN a b" })
end)
