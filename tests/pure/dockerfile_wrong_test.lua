-- What is wrong with Dockerfiles, and what to write instead: each is refused by name, none crashes, none costs much.

local evaluate = require "holos.dockerfile.evaluate"
local lint = require "holos.dockerfile.lint"
local files = require "tests.support.files"
local mutate = require "tests.support.mutate"

local IS_FULL = files.environment "HOLOS_TESTS" == "all"

local function findings_of(text, o)
  local recipe, findings = evaluate.read(text, o)
  equal(recipe, nil, text)
  return findings
end

-- instruction after FROM → what is said, and a part of what to write instead (false: nothing)
local WRONG = {
  { "FOO bar", "unknown instruction: FOO", false },
  { "RNU bar", "unknown instruction: RNU", "RUN" },
  { "RUN\u{A0}bar", "unknown instruction: RUN\u{A0}bar", "no-break space" },
  { "FROM b", "a second FROM: builds of several stages are not available yet", "one stage" },
  { "FROM a b", "FROM requires either one or three arguments", "FROM debian:12 AS name" },
  { "FROM a AS 1b", 'invalid name for build stage: "1b"', "letter" },
  { "COPY --from=0 /a /b", "--from=0: builds of several stages are not available yet", "context" },
  { "COPY --form=0 /a /b", "unknown flag: --form", "--from" },
  { "COPY a", "COPY requires at least two arguments: what is copied, and where to", "COPY ." },
  { "COPY a b c", "with more than one source the target is a directory and ends with a slash: /c", "/c/" },
  { "COPY a <<EOF\nEOF", "COPY cannot accept a heredoc as a destination", "COPY <<EOF" },
  { "COPY <<a/b /c/\na/b", 'the heredoc\'s name "a/b" is no name of a file', "file's" },
  { "COPY $X /c/", "the source $X is empty", "." },
  { "COPY a $X", "the path $X is empty", "ARG NAME=" },
  { "RUN --mount=type=tmpfs,target=$X a", "the path $X is empty", "ARG NAME=" },
  { "COPY --chmod=rwx a b", "--chmod=rwx is no mode", "--chmod=755" },
  { "COPY --chown=a;b a b", "--chown=a;b is neither USER nor USER:GROUP", "www-data" },
  { "COPY --chown a b", "missing a value on flag: --chown", "--chown=" },
  { "COPY --link=maybe a b", "expecting boolean value for flag --link, not: maybe", "true" },
  { "COPY --chown=a --chown=b a b", "duplicate flag specified: --chown", false },
  { "COPY --checksum=x a b", "unknown flag: --checksum", "--chmod" },
  { "ADD --checksum=sha256:00 https://a/b /c", "--checksum=sha256:00 is no checksum", "64" },
  { "ADD --checksum=sha256:00 a /c", "--checksum is of one file from the network, or of one git repository", false },
  { "ADD git@github.com:a/b /c", "git@github.com:a/b: no SSH key reaches the steps of a machine", "https://" },
  { "ADD ftp://host/a /c", "ADD does not fetch by ftp://", "COPY it" },
  { "ADD https://me:pw@host/ /c/", "the address https://host/ ends with no name for the file", "target" },
  { "ADD https://me:pw@host/a.git /c", "the address of the repository https://host/a.git has a name or a password in it, which git "
    .. "would show to every process", "COPY" },
  { "ADD https://host/ /c/", "the address https://host/ ends with no name for the file", "target" },
  { "ADD --keep-git-dir a /c", "--keep-git-dir is for git repositories", "away" },
  { "RUN", "RUN requires at least one argument", "RUN" },
  { "RUN []", "RUN requires at least one argument", "RUN" },
  { 'RUN ["a\\u0000"]', "an argument has a NUL byte in it", false },
  { "RUN --mount=type=ssh x", "--mount=type=ssh: no SSH agent reaches the steps of a machine", "COPY it" },
  { "RUN --mount=type=cach,target=/a x", 'unsupported mount type "cach"', "cache" },
  { "RUN --mount=type=cache x", "--mount=type=cache needs a target", "target=" },
  { "RUN --mount=type=secret x", "--mount=type=secret needs an id", "id=" },
  { "RUN --mount=type=tmpfs,target=/t,mode=1 x", 'unexpected key "mode" for mount type "tmpfs"', false },
  { "RUN --mount=type=cache,target=/t,mode=9 x", '--mount: "9" is no value for mode', false },
  { "RUN --mount=target=/t,from=x x", "--mount=…,from=x: builds of several stages are not available yet", "from=" },
  { "RUN --mount=type=tmpfs,target=/ x", "--mount: the target / would hide the machine's system", false },
  { "RUN --mount=type=cache,target=/t,sharing=x x", "--mount: sharing=x is neither shared nor private nor locked", false },
  { "RUN --network=bridge x", 'unsupported network mode "bridge"', "none" },
  { "RUN --device=gpu x", "--device=gpu: devices are the machine's, not a step's", "devices:" },
  { "RUN --security=x x", 'security "x" is not valid', false },
  { "ENV", "ENV requires at least one argument", "ENV" },
  { "ENV 1A=b", '"1A" is no name of a variable', "letters" },
  { "ENV =b", "ENV names can not be blank", "ENV" },
  { "ENV A=${B", "${B: there is no closing } for ${B", "\\$" },
  { "ENV A=it's", "it's: there is no closing ' for 's", "\\'" },
  { "ENV A=b C", 'can\'t find = in "C": it must be of the form name=value', 'A="…"' },
  { "ENV A=${B:=c}", "${B:=c}: unsupported modifier (:=) in substitution", ":-" },
  { "ENV A=${B:?is wanted}", false, false },
  { 'ENV A="${B:?is wanted}"', '"${B:?is wanted}": B: is wanted', "ARG B" },
  { "ARG", "ARG requires at least one argument", "ARG" },
  { "LABEL --x a=b", "unknown flag: --x", "no flags" },
  { "SHELL /bin/bash", "SHELL requires the arguments to be in JSON form", "[" },
  { "SHELL []", "SHELL requires at least one argument", "[" },
  { "CMD", "CMD requires at least one argument", "[" },
  { "USER a b", "USER a b is neither USER nor USER:GROUP", "1000:1000" },
  { "USER", "USER requires exactly one argument", "USER www-data" },
  { "WORKDIR $NOTHING", "the path $NOTHING is empty", "ENV NAME=" },
  { "VOLUME data", "VOLUME data is no absolute path", "VOLUME /data" },
  { "VOLUME", "VOLUME requires at least one argument", "VOLUME /" },
  { "EXPOSE 0", "EXPOSE 0 is no port", "8080" },
  { "EXPOSE 90-80", "EXPOSE 90-80 is no port", "8080" },
  { "EXPOSE 80/icmp", "EXPOSE 80/icmp is no port", "udp" },
  { "EXPOSE http", "EXPOSE http is no port", "8080" },
  { "STOPSIGNAL SIGFOO", "STOPSIGNAL SIGFOO is no signal", "SIGTERM" },
  { "STOPSIGNAL 65", "STOPSIGNAL 65 is no signal", "SIGTERM" },
  { "HEALTHCHECK", "HEALTHCHECK requires at least one argument", "CMD" },
  { "HEALTHCHECK CMD", "missing command after HEALTHCHECK CMD", "CMD" },
  { "HEALTHCHECK curl x", 'unknown type "curl" in HEALTHCHECK', "HEALTHCHECK CMD curl x" },
  { "HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments", false },
  { "HEALTHCHECK --interval=5 CMD x", "--interval=5 is no duration", "30s" },
  { "HEALTHCHECK --interval=1us CMD x", "--interval=1us cannot be less than 1ms", false },
  { "HEALTHCHECK --retries=-1 CMD x", "--retries=-1 is no number of times", "3" },
  { "MAINTAINER", "MAINTAINER requires exactly one argument", "LABEL" },
  { "ONBUILD", "ONBUILD requires at least one argument", false },
  { "ONBUILD FROM a", "FROM isn't allowed as an ONBUILD trigger", false },
  { "ONBUILD FOO a", "unknown instruction: FOO", false },
}

for _, case in ipairs(WRONG) do
  local text, message, hint = table.unpack(case)
  test(text, function()
    local findings = findings_of("FROM debian:12\n" .. text .. "\n")
    if not message then return ok(findings[1].line == 2) end -- blanks end its word, as in BuildKit: half a substitution
    equal({ #findings, findings[1].line, findings[1].message }, { 1, 2, message })
    if not hint then return equal(findings[1].hint, nil) end
    ok((findings[1].hint or ""):find(hint, 1, true), "hint: " .. tostring(findings[1].hint))
  end)
end

test("FROM: what no machine starts from", function()
  local function first(text, o) return findings_of(text, o)[1].message end
  equal(first "FROM scratch", "FROM scratch: a machine starts from a disk image with a system on it")
  equal(first "FROM $X", "FROM $X names nothing: a variable of it is empty")
  equal(first "ARG V\nFROM debian:$V", 'FROM debian:$V names "debian:": a variable of it is empty')
  equal(first("FROM --platform=linux/arm64 a", { architecture = "x86_64" }), "--platform=linux/arm64: the machine is linux/amd64")
  equal(first("FROM --platform=windows/amd64 a"), "--platform=windows/amd64: machines run Linux")
  local function image(name) return name .. " is a container image", "FROM debian:12" end
  local findings = findings_of("ARG V=20\nFROM node:$V", { image = image })
  equal(findings, { { line = 2, message = "node:20 is a container image", hint = "FROM debian:12" } })
end)

test("what a file holds does nothing to a terminal", function()
  local findings = findings_of("FROM a\n\27[2J x\nUSER \27]0;x\7\nENV \27=\27\nCMD [1, \"\27\"]\n")
  equal(#findings, 3)
  for _, finding in ipairs(findings) do ok(not (finding.message .. (finding.hint or "")):find("[\27\7]")) end
  local recipe, ast = evaluate.read("from a\nRUN echo \27[2J\nEXPOSE \27:80\n")
  ok(not recipe.steps[1].title:find("\27"))
  for _, item in ipairs(lint.lint(ast, recipe)) do ok(not item.message:find("\27")) end
end)

test("before FROM, and without it", function()
  equal(findings_of("RUN a\nRUN b"),
    { { line = 1, message = "RUN before FROM: only ARG may stand there", hint = "FROM debian:12" } })
  equal(findings_of("ARG A")[1].message, "there is no FROM")
end)

test("what cannot be read and what cannot be done is said at once, by line", function()
  local lines = {}
  for position, finding in ipairs(findings_of "FROM scratch\nENV A\nCOPY x\nCMD [1]\nFOO\nRUN <<X\n") do
    lines[position] = finding.line
  end
  equal(lines, { 1, 2, 3, 4, 5, 6 })
end)

test("a file of nothing but mistakes has two hundred of them", function()
  equal(#findings_of("FROM a\n" .. ("EXPOSE" .. (" x"):rep(1000) .. "\n"):rep(100)), 200)
end)

test("scripts are as long as an argument may be, programs as long as they like", function()
  local long = ("#" .. ("x"):rep(60000) .. "\n"):rep(3)
  for _, start in ipairs { "RUN <<EOF\n", "RUN sh -s <<EOF\n" } do
    local finding = findings_of("FROM a\n" .. start .. long .. "EOF\n")[1]
    equal({ finding.line, finding.message }, { 2, "it is longer than 131071 bytes: no program can be given that" })
  end
  local text = ("x"):rep(60000) .. " \\\n"
  for _, start in ipairs { "CMD ", "HEALTHCHECK CMD ", "ENTRYPOINT " } do
    equal(#findings_of("FROM a\n" .. start .. text:rep(3) .. "\n"), 1)
  end
  ok(evaluate.read("FROM a\nRUN <<EOF\n#!/bin/sh\n" .. long .. "EOF\n"))
end)

test("variables may not grow without end", function()
  local double = { "FROM a", "ENV A0=xxxxxxxxxxxxxxxx" }
  for number = 1, 40 do double[#double + 1] = ("ENV A%d=$A%d$A%d"):format(number, number - 1, number - 1) end
  ok(findings_of(table.concat(double, "\n"))[1].message:find("longer than 131072 bytes", 1, true))
  local many = { "FROM a" }
  for number = 1, 1200 do many[#many + 1] = ("A%d=b"):format(number) end
  local message = "there are more than 1000 variables, or more than 1048576 bytes in them"
  equal(findings_of("FROM a\nENV " .. table.concat(many, " ", 2)), { { line = 2, message = message } })
  equal(findings_of("FROM a\nARG X=" .. ("x"):rep(60000) .. "\nENV " .. ("A=$X$X B=$X C=$X D=$X E=$X F=$X G=$X H=$X I=$X J=$X\n")
    .. "ENV K=$X L=$X M=$X N=$X O=$X P=$X Q=$X R=$X")[1].message, message)
end)

test("many steps with many variables share them", function()
  local text = { "FROM a\nENV" }
  for number = 1, 900 do text[1] = text[1] .. (" A%d=%s"):format(number, ("x"):rep(50)) end
  for number = 1, 400 do text[#text + 1] = ("ENV A1=%d\nRUN x"):format(number) end
  collectgarbage()
  local before = collectgarbage "count"
  local recipe = evaluate.read(table.concat(text, "\n"))
  collectgarbage()
  equal(#recipe.steps, 400)
  ok(collectgarbage "count" - before < 16384, "more than 16 MiB")
end)

local GOOD = [==[
# syntax=docker/dockerfile:1
# escape=\
ARG V=12
FROM --platform=linux/amd64 debian:${V:-13} AS base
ARG A=1 B="x y"
ENV C=${A:+z}${B#x*} D="$A 'q'" \
    # in between

    E=${A/1/2}
ENV LEGACY some value
SHELL ["/bin/bash", "-c"]
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --network=none apt-get update && \
    apt-get install -y x
RUN <<EOF
set -e
echo $A
EOF
RUN <<-'X' <<Y python3 > /out
	print(1)
	X
y
Y
WORKDIR /srv/app
COPY --chown=www-data:www-data --chmod=644 a* [b]c ./
COPY ["a b", "c"]
COPY --parents --exclude=*.o ./x/./y /z/
COPY <<a.txt <<"b.txt" /d/
$A
a.txt
$B
b.txt
ADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000000 https://example.org/x.tgz /opt/
ADD https://example.org/r.git#main:sub /r
EXPOSE 80 443/tcp 8000-8010/udp
VOLUME ["/data", "/x"]
USER app:app
HEALTHCHECK --interval=30s --retries=3 CMD ["curl", "-f", "http://localhost/"]
STOPSIGNAL SIGQUIT
LABEL a=b "c"='d'
ONBUILD RUN x
MAINTAINER me
ENTRYPOINT ["/entry"]
CMD ["a", "b\u00e9"]
]==]

test("damaged copies of a good file", function()
  local good, problems = evaluate.read(GOOD)
  equal(good == nil and problems, false)
  math.randomseed(#GOOD)
  for _ = 1, IS_FULL and 2000 or 150 do
    local damaged = mutate.text(GOOD)
    local recipe, findings = evaluate.read(damaged)
    if recipe then lint.lint(findings, recipe) end -- then the second is what was read
    if not recipe then
      ok(#findings > 0 and #findings < 300)
      for _, finding in ipairs(findings) do ok(math.type(finding.line) == "integer" and #finding.message > 0) end
    end
    local again, same = evaluate.read(damaged)
    equal({ recipe or findings }, { again or same })
  end
end)

local PIECES = {
  "FROM ", "a", "RUN ", "COPY ", "ADD ", "ENV ", "ARG ", "<<E", "\nE\n", "\n", " ", "\\", "`", "$", "${", "}", ":-", "#", "%", "/",
  "//", "'", '"', "[", "]", ",", "=", "--", "--mount=", "type=", "target=", "*", "?", "\0", "\xff", "é", "\r\n", "\t",
  "HEALTHCHECK CMD ", "ONBUILD ", "EXPOSE ", "LABEL ", "# escape=`\n", "# check=skip=all\n", "../", "1", "${A:-", "SHELL ",
}

test("texts of pieces in any order", function()
  math.randomseed(20)
  for _ = 1, IS_FULL and 10000 or 500 do
    local parts = { math.random(2) == 1 and "FROM a\n" or "" }
    for position = 2, math.random(40) do parts[position] = PIECES[math.random(#PIECES)] end
    local recipe, findings = evaluate.read(table.concat(parts))
    if recipe then lint.lint(findings, recipe) end
    ok(recipe or #findings > 0)
  end
end)

test("long lines of one piece, whatever it is", function()
  for _, piece in ipairs(PIECES) do
    for _, start in ipairs { "", "FROM a\nENV A=", "FROM a\nCOPY ", "FROM a\nRUN --mount=", "FROM a\nCMD [", "FROM a\nEXPOSE " } do
      local recipe, findings = evaluate.read(start .. piece:rep((IS_FULL and 60000 or 3000) // #piece))
      ok(recipe or #findings > 0)
    end
  end
end)
