-- Services that are built from a Dockerfile, from the file to the machine's disks and record.
local fake_qemu = require "tests.support.fake_qemu"
local files = require "tests.support.files"
local fs = require "sys.fs"
local json = require "sys.json"
local stack_ = require "tests.support.stack"
local table_ = require "holos.core.table"
local tool = require "tests.support.tool"

local YAML = [[
name: shop
services:
  web:
    image: ./image.qcow2
    image_os: plain
    ready: running
    stop_grace_period: 2s
    build: {context: ./app, args: {GREETING: hello}}
]]

local DOCKERFILE = [[
FROM debian:12
ARG GREETING
ENV COLOUR=blue
WORKDIR /srv/app
COPY . .
# a remark
RUN echo "$GREETING" >greeting
USER daemon
EXPOSE 8080/udp
LABEL tier=web
HEALTHCHECK --interval=7s --retries=2 CMD test -e greeting
STOPSIGNAL SIGINT
CMD ["./serve", "--port", "8080"]
]]

local function stack_with(dockerfile, yaml)
  local stack = stack_.on_fake(yaml or YAML)
  files.write(stack.directory .. "/app/Dockerfile", dockerfile or DOCKERFILE)
  files.write(stack.directory .. "/app/serve", "#!/bin/sh\n")
  return stack
end

local function record_of(stack) return assert(json.decode(files.read(stack.state .. "/projects/shop.json"), {})) end
local function spec_of(stack) return record_of(stack).instances["web-0"].spec end
local function contexts(stack) return fs.list(stack.state .. "/projects/shop/secrets") or {} end
local function is_settled(stack) return stack:run({ "plan", "--exit-code" }).status == 0 end

test("what the Dockerfile says of the app is the service's where the file says nothing", function()
  local stack <close> = stack_with()
  stack:expect { "up" }
  local spec = spec_of(stack)
  equal({ spec.app.argv, spec.app.user, spec.app.working_dir, spec.app.stop_signal },
    { { "./serve", "--port", "8080" }, "daemon", "/srv/app", "SIGINT" })
  equal({ spec.healthcheck.test, spec.healthcheck.interval_ms, spec.healthcheck.retries, spec.healthcheck.timeout_ms },
    { { "CMD-SHELL", "test -e greeting" }, 7000, 2, 5000 })
  equal({ spec.environment, spec.labels }, { { COLOUR = "blue" }, { tier = "web" } })
  equal(#spec.build.steps, 3)
  ok(is_settled(stack))
  stack:write(YAML .. "    command: [other]\n    environment: {COLOUR: red}\n    healthcheck: {interval: 9s}\n    user: root\n")
  stack:expect { "up" }
  spec = spec_of(stack)
  equal({ spec.app.argv, spec.app.user, spec.environment.COLOUR, spec.healthcheck.interval_ms, spec.healthcheck.retries },
    { { "other" }, "root", "red", 9000, 2 })
  stack:write(YAML .. "    entrypoint: [mine]\n")
  stack:expect { "up" }
  equal(spec_of(stack).app.argv, { "mine" })
end)

test("a step that is another one, or takes other files along, is a question; remarks, times and lines are not", function()
  local stack <close> = stack_with()
  local planned = stack:expect({ "plan" }).stdout
  ok(planned:find("provisioned by app/Dockerfile, 3 steps, copies 2 files, ", 1, true), planned)
  local told = stack:expect({ "validate" }).stdout
  ok(told:find("creates  copies of 2 files, %d+ %a+ +a disk for what the Dockerfile copies, read%-only, for web"), told)
  ok(told:find("runs +3 steps of app/Dockerfile +in the guest when its disk is new, for web"), told)
  stack:expect { "up" }
  local before = spec_of(stack)
  files.write(stack.directory .. "/app/Dockerfile", "# one more line\n" .. DOCKERFILE:gsub("# a remark\n", ""))
  assert(fs.write_atomic(stack.directory .. "/app/.dockerignore", "Dockerfile*\n.dockerignore\n", { mode = 420 }))
  local function asked()
    local out = stack:expect({ "up" }, 3)
    return out.stdout .. out.stderr
  end
  local said = asked()
  ok(said:find("build step 2 of 3: COPY . . (Dockerfile removed)", 1, true), said)
  stack:expect { "up", "--reprovision" }
  ok(is_settled(stack))
  ok(spec_of(stack).instance_id ~= before.instance_id)
  files.write(stack.directory .. "/app/Dockerfile", DOCKERFILE)
  ok(is_settled(stack), "a remark and a line of its own")
  files.write(stack.directory .. "/app/serve", "#!/bin/sh\nexec true\n")
  said = asked()
  ok(said:find("build step 2 of 3: COPY . . (serve changed)", 1, true), said)
  stack:expect { "up", "--keep" }
  ok(is_settled(stack))
  equal(#contexts(stack), 1)
  files.write(stack.directory .. "/app/Dockerfile", (DOCKERFILE:gsub("COLOUR=blue", "COLOUR=red")))
  local other = stack:run { "plan" }
  ok((other.stdout .. other.stderr):find("build step 3 of 3: RUN echo \"$GREETING\" >greeting (its variables COLOUR)", 1, true),
    other.stdout .. other.stderr)
  files.write(stack.directory .. "/app/Dockerfile", DOCKERFILE .. "RUN true\n")
  local more = stack:run { "plan" }
  ok((more.stdout .. more.stderr):find("build 3 steps → step 4: RUN true", 1, true), more.stdout .. more.stderr)
end)

test("plan names the files that have changed; a record keeps marks of some hundred, else of directories, and no more", function()
  local stack <close> = stack_with("FROM debian:12\nCOPY src/ /app/\nRUN --mount=type=bind,source=src/a,target=/a cat /a\n"
    .. "COPY <<A /b\nx\nA\n")
  local function write(name, content) files.write(stack.directory .. "/app/src/" .. name, content) end
  local function planned()
    local out = stack:run { "plan" }
    return (out.stdout .. out.stderr):match("build (step[^\n]-%))[^\n)]*\n") or out.stdout .. out.stderr
  end
  for name in ("a b c d e f"):gmatch "%a" do write(name, name) end
  stack:expect { "up" }
  equal(spec_of(stack).build.steps[1].files["src/a"] ~= nil, true)
  write("b", "other")
  equal(planned(), "step 1 of 3: COPY src/ /app/ (src/b changed)")
  write("new\27[31m", "n")
  assert(fs.chmod(stack.directory .. "/app/src/c", 448))
  assert(fs.remove(stack.directory .. "/app/src/d"))
  equal(planned(), "step 1 of 3: COPY src/ /app/ (src/b changed, src/c changed, src/d removed, 1 more)")
  assert(fs.remove(stack.directory .. "/app/src/b"))
  assert(fs.remove(stack.directory .. "/app/src/c"))
  ok(planned():find("%(src/b removed, src/c removed, src/d removed, 1 more%)"), planned())
  write("a", "other")
  local both = stack:run { "up", "--dry-run" }
  ok((both.stdout .. both.stderr):find("src/c removed, 2 more), and what 1 more step copies", 1, true), both.stdout .. both.stderr)
  for i = 1, 300 do write("lib/" .. i, "") end
  stack:expect { "up", "--reprovision" }
  equal({ table.unpack(table_.keys(spec_of(stack).build.steps[1].files), 2, 4) }, { "src/e", "src/f", "src/lib/" })
  write("lib/7", "seven")
  ok(not stack:run({ "plan" }).stderr:find("\27", 1, true))
  equal(planned(), "step 1 of 3: COPY src/ /app/ (src/lib/ changed)")
  for i = 1, 300 do write(tostring(i), "") end
  equal(planned(), "step 1 of 3: COPY src/ /app/ (src/ changed)")
end)

test("what does not fit on the context's disk is refused before it is read, with its largest files", function()
  local stack <close> = stack_with()
  for name, size_bytes in pairs { ["app/big"] = 3 << 30, ["app/less"] = 2 << 30 } do
    files.write(stack.directory .. "/" .. name, "")
    assert(fs.truncate(stack.directory .. "/" .. name, size_bytes))
  end
  local said = stack:expect({ "up" }, 1).stderr
  ok(said:find("what its steps take along is 5.0 GiB, and less than 4 GiB fit", 1, true), said)
  ok(said:find("big (3.0 GiB), less (2.0 GiB)", 1, true) and said:find(".dockerignore", 1, true), said)
  equal(contexts(stack), {})
end)

test("a step that has failed is told with the ways on, by an up that changes nothing, too", function()
  local stack <close> = stack_with((DOCKERFILE:gsub("HEALTHCHECK[^\n]*", "HEALTHCHECK NONE")),
    (YAML:gsub("    ready: running\n", "")))
  fake_qemu.set(stack.qemu, { "web-0: report=failed" })
  for _ = 1, 2 do
    local said = stack:expect({ "up" }, 4).stderr
    ok(said:find("`holos restart web-0` goes on with that step; `holos up --reprovision=web-0` runs", 1, true), said)
  end
  fake_qemu.set(stack.qemu, {})
  stack:expect { "restart", "web-0" }
  stack:expect { "up" }
end)

test("the context is a disk of the machine, kept once, and goes when nobody names it", function()
  local stack <close> = stack_with(nil, YAML .. "    replicas: 2\n")
  stack:expect { "up" }
  local kept = contexts(stack)
  equal({ #kept, kept[1].name }, { 1, spec_of(stack).build.context .. ".iso" })
  local iso = stack.state .. "/projects/shop/secrets/" .. kept[1].name
  equal(fs.stat(iso).mode, 384)
  ok(tool.run({ "xorriso", "-indev", iso, "-find", "/" }).stdout:find("'/context.tar'", 1, true))
  ok(stack:expect({ "args", "web-0" }).stdout:find("virtio-blk-pci,id=context-disk,drive=context,serial=context", 1, true))
  stack:expect { "stop" }
  stack:expect { "start", "-p", "shop" }
  stack:expect { "state", "backup", stack.directory .. "/copy" }
  equal((fs.lstat(stack.directory .. "/copy/projects/shop/secrets/" .. kept[1].name)), nil)
  assert(fs.remove_tree(stack.directory .. "/app"))
  stack:expect { "restart", "-p", "shop" }
  stack:expect { "down", "-p", "shop" }
  equal(contexts(stack), {})
  stack:expect { "trash", "restore", "shop" }
  equal(contexts(stack)[1].name, kept[1].name)
  stack:expect { "start", "-p", "shop" }
end)

test("what is wrong with a Dockerfile, or missing in its context, is said with its line before anything is done", function()
  local stack <close> = stack_with "FROM debian:12\nCOPY nothing /x\nADD none.tar /y\n"
  local said = stack:expect({ "up" }, 1).stderr
  for _, wanted in ipairs { 'app/Dockerfile:2: "nothing" is not in the context', 'app/Dockerfile:3: "none.tar" is not in' } do
    ok(said:find(wanted, 1, true), said)
    local checked = stack:expect({ "validate", "--quiet" }, 2).stderr
    ok(checked:find("web: " .. wanted, 1, true), checked)
  end
  files.write(stack.directory .. "/app/Dockerfile", "FROM debian:12\nRUM true\nRUN --mount=type=secret,id=x true\nFROM two\n")
  said = stack:expect({ "up" }, 2).stderr
  ok(said:find("app/Dockerfile:2:1: services.web.build: unknown instruction: RUM", 1, true), said)
  ok(said:find("app/Dockerfile:3:1: services.web.build: --mount=type=secret is not available yet", 1, true), said)
  stack:write((YAML:gsub("    image: [^\n]*\n", "")))
  files.write(stack.directory .. "/app/Dockerfile", "FROM node:20\n")
  said = stack:expect({ "validate" }, 2).stderr
  ok(said:find("app/Dockerfile:1:1: services.web.build: \"node:20\" is a container image", 1, true), said)
  ok(said:find("FROM debian:12\n%s*RUN apt%-get update && apt%-get install %-y nodejs\n"), said)
  ok(not said:find("image: debian", 1, true), said)
  files.write(stack.directory .. "/app/Dockerfile", "FROM ./x.qcow2\nVOLUME /data\nVOLUME /\nCMD [\"a\"]\n")
  said = stack:expect({ "validate" }, 2).stderr
  ok(said:find("app/Dockerfile:3:1: services.web.volumes[2]", 1, true), said)
  equal(fs.lstat(stack.state .. "/projects/shop.json"), nil)
end)

test("FROM names the image where the service does not, seen from the context; a file alone is enough", function()
  local stack <close> = stack_with("FROM ../image.qcow2\nRUN true\n", (YAML:gsub("    image: [^\n]*\n", "")))
  stack:expect { "up" }
  equal(spec_of(stack).image.path, stack.directory .. "/image.qcow2")
  stack:write((YAML:gsub("    build: .*$", "    dockerfile: ./app/Dockerfile\n")))
  ok(is_settled(stack))
  stack:write((YAML:gsub("    build: .*$", '    build: {dockerfile_inline: "FROM ./image.qcow2\\nRUN true\\n"}\n')))
  ok(is_settled(stack), "the same steps")
end)

test("arguments without a value take it from the project's environment, or keep their default", function()
  local stack <close> = stack_with("FROM x\nARG NAMED=a OTHER=b\nRUN true\n", (YAML:gsub("{GREETING: hello}", "{NAMED, OTHER}")))
  stack.env = { "NAMED=from the shell" }
  local data = assert(json.decode(stack:expect({ "build", "--print", "--format", "json" }).stdout, {}))
  equal({ data.steps[1].env[2], data.steps[1].env[3] }, { { name = "NAMED", value = "from the shell" },
    { name = "OTHER", value = "b" } })
end)

test("neither lists of steps nor refusals tell the password of an address", function()
  local stack <close> = stack_with("FROM debian:12\nADD https://me:hunter2@h.org/f.tgz /o/\n")
  for _, format in ipairs { "table", "json" } do
    local shown = stack:expect({ "build", "--print", "--format", format }).stdout
    ok(shown:find("https://h.org/f.tgz", 1, true) and not shown:find("hunter2", 1, true), shown)
  end
  local shown = stack:expect({ "up", "--dry-run" })
  ok(not (shown.stdout .. shown.stderr):find("hunter2", 1, true), shown.stdout .. shown.stderr)
  files.write(stack.directory .. "/app/Dockerfile", "FROM debian:12\nADD ssh://me:hunter2@h.org/f.git /o/\n")
  shown = stack:expect({ "build", "--print" }, 2).stderr
  ok(shown:find("ssh://h.org/f.git: no SSH key", 1, true), shown)
end)

test("build --print shows the steps and what they take along; --check what could be better", function()
  local stack <close> = stack_with(DOCKERFILE .. "MAINTAINER anna\n")
  local shown = stack:expect({ "build", "--print" }).stdout
  for _, wanted in ipairs { "web  app/Dockerfile, from debian:12, " .. stack.directory .. "/app", "  1  WORKDIR /srv/app",
    "  2  COPY . .  ", "2 files, ", " to /srv/app/", "  3  RUN echo \"$GREETING\" >greeting  as root in /srv/app\n",
    "  app  ./serve --port 8080  as daemon in /srv/app\n" } do
    ok(shown:find(wanted, 1, true), wanted .. "\n" .. shown)
  end
  local data = assert(json.decode(stack:expect({ "build", "--print", "--format", "json", "web" }).stdout, {}))
  equal({ data.service, #data.steps, data.files[1][2].name, #data.files[1][2].sha256 }, { "web", 3, "d/serve", 64 })
  local said = stack:expect({ "build", "--check" }).stdout
  ok(said:find("app/Dockerfile:14: MaintainerDeprecated: ", 1, true), said)
  files.write(stack.directory .. "/app/Dockerfile", "# check=error=true\n" .. DOCKERFILE .. "MAINTAINER anna\n")
  stack:expect({ "build", "--check" }, 1)
  files.write(stack.directory .. "/app/Dockerfile", "# check=skip=all\n" .. DOCKERFILE .. "MAINTAINER anna\n")
  equal(stack:expect({ "build", "--check" }).stdout, "")
  files.write(stack.directory .. "/app/Dockerfile", DOCKERFILE .. "COPY none /x\n")
  ok(stack:expect({ "build", "--check" }, 2).stderr:find('app/Dockerfile:14: "none" is not in the context', 1, true))
  ok(stack:expect({ "build" }, 64).stderr:find("holos build --check", 1, true))
  ok(stack:expect({ "build", "--print", "wob" }, 64).stderr:find('did you mean "web"', 1, true))
end)

test("a Dockerfile or a context that is not there is told as that, with what is", function()
  local stack <close> = stack_with()
  local function said(build)
    if build then stack:write((YAML:gsub("build: [^\n]*", "build: " .. build))) end
    return stack:expect({ "build", "--check" }, 2).stderr
  end
  local text = said "./none"
  local context = stack.directory .. "/none"
  ok(text:find(("services.web.build: the context %s is no directory that is there\n"):format(context), 1, true), text)
  text = said "{context: ./app, dockerfile: web.Dockerfile}"
  ok(text:find("web.Dockerfile: No such file or directory\n    there is Dockerfile; `dockerfile:` names it", 1, true), text)
  assert(fs.rename(stack.directory .. "/app/Dockerfile", stack.directory .. "/app/dockerfile.web"))
  files.write(stack.directory .. "/app/Containerfile", "FROM x\n")
  text = said "./app"
  ok(text:find("No such file or directory\n    there is Containerfile, dockerfile.web; `dockerfile:` names it", 1, true), text)
  files.write(stack.directory .. "/app/Dockerfile", "FROM x\nCOPY ../serve /x\nCOPY ../sevre /y\nCOPY ../other /z\n")
  text = said()
  ok(text:find('did you mean "serve"?', 1, true) and not text:find("Dockerfile:2", 1, true), text)
  ok(text:find('4: "other" is not in the context [^\n]*\n    what lies above the context is not to be had'), text)
end)

test("build refuses what up refuses, and says which of its options go alone", function()
  local stack <close> = stack_with(nil, (YAML:gsub("build: [^\n]*", "build: https://example.com/a.git")))
  for _, how in ipairs { { "build", "--check" }, { "build", "--print", "web" }, { "up" } } do
    local text = stack:expect(how, 2).stderr
    ok(text:find("services.web.build.context: not available yet\n    clone it, and name the directory", 1, true), text)
  end
  ok(stack:expect({ "build", "--check", "--print" }, 64).stderr:find("--check and --print exclude each other", 1, true))
end)

test("what of a Dockerfile does not do what it says is told by all commands, by the checks once", function()
  local stack <close> = stack_with("FROM debian:12\nARG GREETING\nRUN <<EOF\r\ntrue\r\nEOF\r\nCOPY . /x/\nCMD ['a', 'b']\n")
  files.write(stack.directory .. "/app/.dockerignore", "*\n")
  local validated = stack:expect({ "validate" }).stderr
  local checked = stack:expect { "build", "--check" }
  for _, text in ipairs { "the lines of EOF end in CR LF", "CMD looks like a list in JSON" } do
    ok(validated:find("warning: app/Dockerfile:%d:1: services.web.build: " .. text), validated)
    ok(checked.stdout:find(text, 1, true) and not checked.stderr:find(text, 1, true), checked.stdout .. checked.stderr)
  end
  ok(checked.stdout:find("app/Dockerfile:6: CopyIgnoredFile: nothing is copied", 1, true), checked.stdout)
  files.write(stack.directory .. "/app/Dockerfile", "FROM debian:12\nARG GREETING\nRUN [ -e /x ]\nCOPY <<A /a\nx\nA\n")
  equal(stack:expect({ "build", "--check" }).stdout, "")
end)
