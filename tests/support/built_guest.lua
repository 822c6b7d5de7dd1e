--- One Dockerfile with every instruction, for real guests: what it is made of, what a guest that was built by it is asked, and what
--- it has to answer.

local files = require "tests.support.files"
local fs = require "sys.fs"
local stack_ = require "tests.support.stack"

local M = {}

local EXECUTABLE = tonumber("755", 8)

local STACK = [[
name: built
services:
  app:
    image: IMAGE
    image_os: GUEST
    vm: {memory_mb: MEMORY}
    stop_grace_period: 2m
    build: {context: ./app, dockerfile: build/Dockerfile, args: {PASSWORD, SIZE: "2"}, target: whole}
]]

local DOCKERFILE = [==[
# syntax=docker/dockerfile:1
# escape=`
ARG BASE=debian:12
FROM ${BASE} AS Whole
MAINTAINER anna@example.com
LABEL tier="web" note='it''s'
ARG SIZE=1 PASSWORD
ARG UNSET=default-${SIZE}
ENV COLOUR="deep blue" PATH=/opt/tools:$PATH
ENV NESTED=${COLOUR:-none}/${MISSING:+x}${SIZE}
WORKDIR /srv/app
RUN ADDUSER app && `
    # a remark within
    echo "$UNSET" >/srv/unset
COPY --chown=app:app --chmod=u=rwX,go=rX conf conf/
COPY [ "a file", "other file", "/srv/texts/" ]
COPY --parents src/./lib/*.[ch] /srv/parents/
COPY --exclude=**/*.o --exclude=up src /srv/src
COPY --chmod=0755 tools/hello /opt/tools/
COPY src /srv/links
COPY <<one <<"two" /srv/inline/
colour: $COLOUR
one
colour: $COLOUR
two
ADD packed.tar.gz /srv/unpacked/
ADD --unpack=false packed.tar.gz /srv/packed
RUN hello >/srv/hello && cd /tmp && umask 077 && VARIABLE=lost
RUN printf '%s|' "$PWD" "$(umask)" "$VARIABLE" "$COLOUR" "$NESTED" "$SIZE" >/srv/fresh
USER app
WORKDIR inner
RUN id -un >who; echo "$HOME" >>who; pwd >>who; printf %s "$PASSWORD" >word; `
    cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -c -F -f word >>who; wc -c <word >>who; rm word
RUN ["sh", "-c", "printf '%s,' \"$@\" >exec", "sh", "$COLOUR", "a  b"]
USER root
RUN --mount=type=cache,target=/var/cache/kept echo first >>/var/cache/kept/log
RUN --mount=type=cache,target=/var/cache/kept --mount=type=tmpfs,target=/scratch `
    cat /var/cache/kept/log >/srv/cached; grep -c ' /scratch tmpfs ' /proc/mounts >>/srv/cached
RUN --mount=type=bind,source=conf,target=/mnt/conf,rw touch /mnt/conf/new && ls /mnt/conf >/srv/bound
RUN --network=none grep -c : /proc/net/dev >/srv/cards
SHELL ["THE_SHELL", "-ec"]
RUN <<EOF
false || :
x=in-one-shell
echo "$x $0" >/srv/script
EOF
RUN <<EOF
#!/bin/sh
echo "a program $COLOUR" >/srv/program
EOF
VOLUME /srv/data
COPY conf/one /srv/data/
EXPOSE 8080 9000/udp
STOPSIGNAL SIGTERM
USER app
HEALTHCHECK --interval=2s --timeout=60s --start-period=5m CMD test "$COLOUR" = "deep blue" -a -e /tmp/started
ENTRYPOINT ["sh", "-c", "id -un >/tmp/started; pwd >>/tmp/started; echo $COLOUR $0 >>/tmp/started; exec sleep 100000"]
CMD ["started by the Dockerfile"]
]==]

-- Debian's busybox has no adduser.
local BY_HAND = [[sh -c 'echo "$0:x:1234:1234::/home/$0:/bin/sh" >>/etc/passwd; echo "$0:x:1234:" >>/etc/group']]

-- What differs between kinds of guests.
local KINDS = {
  plain = { GUEST = "plain", MEMORY = "256", ADDUSER = BY_HAND, THE_SHELL = "/bin/ash" },
  systemd = { GUEST = "systemd", MEMORY = "512", ADDUSER = "useradd -m -s /bin/sh", THE_SHELL = "/bin/bash" },
}

local function filled(text, kind)
  return (text:gsub("[%u_]+", KINDS[kind]))
end

local function write_context(directory)
  local texts = { [".dockerignore"] = "# not these\nbuild\n**/secret*\n!src/lib/secret.h\n", ["a file"] = "A", ["other file"] = "O",
    ["conf/one"] = "1", ["conf/deep/two"] = "2", ["conf/secret.key"] = "k", ["src/lib/a.c"] = "c", ["src/lib/a.o"] = "o",
    ["src/lib/secret.h"] = "h", ["src/main.c"] = "m", ["tools/hello"] = "#!/bin/sh\necho hello from $0\n" }
  for name, text in pairs(texts) do files.write(directory .. "/" .. name, text) end
  assert(fs.chmod(directory .. "/conf/one", EXECUTABLE))
  assert(fs.symlink("lib/a.c", directory .. "/src/up"))
  local work = tmpdir()
  files.write(work .. "/in/file", "packed")
  equal(run_tool({ "tar", "-C", work, "--owner=u:5", "--group=g:6", "--mode=640", "-czf", directory .. "/packed.tar.gz",
    "in/file" }).status, 0)
end

--- A stack of one machine that is built.
---@param kind "plain"|"systemd"
---@param image "tiny"|"debian"
function M.stack(kind, image)
  local stack = stack_.new { yaml = filled(STACK, kind), image = stack_.image(image),
    env = { "PASSWORD=geheim-of-this-test" } }
  write_context(stack.directory .. "/app")
  M.write(stack, kind, DOCKERFILE)
  return stack
end

--- Rewrites the Dockerfile.
function M.write(stack, kind, text)
  files.write(stack.directory .. "/app/build/Dockerfile", filled(text, kind))
end

--- The Dockerfile with something behind its steps.
function M.with(more) return DOCKERFILE .. more end

local function looks(names) return ("for f in %s; do stat -c '%%n %%a %%U:%%G' $f; done"):format(names) end

local QUESTIONS = {
  unset = "cat /srv/unset", hello = "cat /srv/hello", fresh = "cat /srv/fresh",
  conf = "cd /srv/app && find conf | sort && cat conf/one; " .. looks "/srv/app /srv/app/conf /srv/app/conf/deep /srv/app/conf/one",
  texts = "ls /srv/texts | tr '\\n' ,; " .. looks "/srv/texts", parents = "cd /srv/parents && find . -type f | sort",
  src = "cd /srv/src && find . | sort", links = "readlink /srv/links/up; ls /srv/links/lib | tr '\\n' ,",
  tools = looks "/opt/tools/hello", inline = "cat /srv/inline/one /srv/inline/two; " .. looks "/srv/inline/one",
  unpacked = "cat /srv/unpacked/in/file; stat -c '%a %u:%g' /srv/unpacked/in/file; tar -tzf /srv/packed",
  who = "cat /srv/app/inner/who; " .. looks "/srv/app/inner /srv/app/inner/who", exec = "cat /srv/app/inner/exec",
  cached = "cat /srv/cached; ls -d /var/cache/kept /scratch 2>/dev/null", bound = "cat /srv/bound; ls -d /mnt/conf 2>/dev/null",
  cards = "cat /srv/cards", script = "cat /srv/script", program = "cat /srv/program",
  data = "grep -c ' /srv/data ext4 ' /proc/mounts; cat /srv/data/one",
  app = "cat /tmp/started", environment = [[echo "$COLOUR|$NESTED|$SIZE|${PATH%%:*}"]],
  leftovers = "ls -A /var/lib/holos",
}

--- What each question has to be answered; `shell` is the name of SHELL's.
local function answers(shell)
  return {
    unset = "default-2", hello = "hello from /opt/tools/hello", fresh = "/srv/app|0022||deep blue|deep blue/2|2|",
    conf = "conf conf/deep conf/deep/two conf/one 1/srv/app 755 root:root /srv/app/conf 755 app:app /srv/app/conf/deep 755 app:app "
      .. "/srv/app/conf/one 755 app:app",
    texts = "a file,other file,/srv/texts 755 root:root", parents = "./lib/a.c ./lib/secret.h",
    src = ". ./lib ./lib/a.c ./lib/secret.h ./main.c", links = "lib/a.c a.c,a.o,secret.h,",
    tools = "/opt/tools/hello 755 root:root",
    inline = "colour: deep blue colour: $COLOUR /srv/inline/one 644 root:root", unpacked = "packed640 5:6 in/file",
    who = "app /home/app /srv/app/inner 0 19 /srv/app/inner 755 app:app /srv/app/inner/who 644 app:app", exec = "$COLOUR,a  b,",
    cached = "first 1", bound = "deep new one", cards = "1", script = "in-one-shell " .. shell, program = "a program deep blue",
    data = "1 1", app = "app /srv/app/inner deep blue started by the Dockerfile",
    environment = "deep blue|deep blue/2||/opt/tools", leftovers = "provisioned volumes",
  }
end

--- Asks all of it in one session, and compares.
---@param kind "plain"|"systemd"
---@param timeout_ms integer?
function M.compare(stack, kind, timeout_ms)
  local root = kind == "plain" and "" or "sudo "
  local lines = { "tries=600; until [ -s /tmp/started ] || [ $tries = 0 ]; do sleep 0.1; tries=$((tries - 1)); done" }
  for name, question in pairs(QUESTIONS) do
    local runs = name == "environment" and question or ("%ssh -c '%s'"):format(root, (question:gsub("'", [['\'']])))
    lines[#lines + 1] = ("echo '<%s>'; { %s; } 2>&1; echo '</%s>'"):format(name, runs, name)
  end
  local told = stack:expect({ "exec", "app-0", "--", "sh", "-c", table.concat(lines, "\n") }, 0, { timeout_ms = timeout_ms })
  local got, different = {}, {}
  for name, answer in told.stdout:gmatch("<([%l_]+)>\n(.-)\n?</%1>") do got[name] = answer:gsub("\n", " ") end
  for name, answer in pairs(answers(KINDS[kind].THE_SHELL)) do
    if got[name] ~= answer then different[#different + 1] = ("%s: got %q, want %q"):format(name, got[name] or "nothing", answer) end
  end
  ok(#different == 0, table.concat(different, "\n"))
end

return M
