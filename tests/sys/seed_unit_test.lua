-- The app's unit and its environment, judged by systemd itself, which runs them as the first process of a namespace.

local app = require "holos.plan.seed.app"
local environment = require "holos.plan.seed.environment"
local files = require "tests.support.files"
local fs = require "sys.fs"
local made = require "tests.support.project"
local seed_spec = require "tests.support.seed_spec"
local table_ = require "holos.core.table"
local tool = require "tests.support.tool"
local unit = require "holos.plan.seed.unit"

local END_WITH_IT = "[Unit]\nDefaultDependencies=no\nSuccessAction=exit\nFailureAction=exit\n"

-- Writes its arguments and what it sees of itself to /out, for a shell as systemd starts it.
local WITNESS = [[
i=0
for word; do i=$((i + 1)); printf %s "$word" >/out/a$i; done
cat /proc/$$/environ >/out/environ; id >/out/id; pwd >/out/pwd; cat /proc/self/limits >/out/limits
]]

--- Runs the app of a spec in a systemd of its own; gives what it wrote, by name.
local function run(spec, status)
  local directory = tmpdir()
  local function put(name, text)
    assert(fs.mkdir_all(directory .. "/" .. name:match("^(.*)/"), 493))
    files.write(directory .. "/" .. name, text)
  end
  put("units/" .. unit.NAME, unit.text(spec))
  put(("units/%s.d/end.conf"):format(unit.NAME), END_WITH_IT)
  for _, file in ipairs(app.files(spec)) do put("run/holos/seed/" .. file.name, file.data) end
  put("etc/holos/env", environment.text(spec.environment))
  local result = tool.run({ files.directory .. "/support/run-systemd", directory }, { timeout_ms = 60000 })
  if result.status == 77 then skip "no systemd can be started here: that needs root and control groups" end
  equal(result.status, status or 0, result.stdout .. result.stderr)
  return setmetatable({}, { __index = function(_, name) return fs.read(directory .. "/out/" .. name, { max_bytes = 1 << 20 }) end })
end

local function spec_with(wanted, variables)
  local spec = seed_spec.new("systemd", { stop_grace_ms = 30000 })
  spec.app, spec.environment = wanted, variables
  return spec
end

local IS_FULL = files.environment("HOLOS_TESTS") == "all"
local RANDOM_WORDS, SEED = seed_spec.random_words(IS_FULL and 1000 or 60)

local function naughty_words()
  local words = table_.filter(seed_spec.NAUGHTY, function(text) return not text:find("%z") and utf8.len(text) ~= nil end)
  return table_.extend(words, { ";", "\\;", "%n", "%%", "$$", "${HOME}", "-x", "@y", "+z", ":a", "!b", "\\x41", "\\101", "a\\\nb",
    table.unpack(RANDOM_WORDS) })
end

test("every argument arrives as it is", function()
  local words = naughty_words()
  local out = run(spec_with { argv = { "/bin/sh", "-c", WITNESS, "sh", table.unpack(words) } })
  for i, word in ipairs(words) do equal(out["a" .. i], word, ("%s, argument %d: %q"):format(SEED, i, word)) end
  equal(out["a" .. #words + 1], nil)
end)

test("a program by name is found in the app's own PATH; directories with any name can be its own", function()
  local spec = spec_with({ argv = { "witness", "one" }, working_dir = "/out/it's 100% $HOME \\" },
    { PATH = "/out/it's 100% $HOME \\:/usr/bin", ["a.b"] = "x y" })
  equal(unit.text(spec):match("WorkingDirectory"), nil)
  local out = run(spec_with({ argv = { "sh", "-c", 'mkdir "$1" && cd "$1" && pwd >/out/pwd; printf %s "$X" >/out/x', "sh",
    "/out/it's 100% $HOME \\" } }, { PATH = "/usr/bin", X = "$PATH" }))
  equal(out.pwd, "/out/it's 100% $HOME \\\n")
  equal(out.x, "$PATH")
  out = run(spec_with { argv = { "/bin/sh", "-c", WITNESS }, working_dir = "/root/../tmp" })
  equal(out.pwd, "/tmp\n")
  run(spec_with { argv = { "pwd" }, working_dir = "/no such directory" }, 2)
end)

test("every variable arrives as it is", function()
  local variables, wanted = {}, {}
  for i, word in ipairs(naughty_words()) do variables["V" .. i], wanted["V" .. i] = word, word end
  variables["with.dot"], wanted["with.dot"] = "100% $HOME", "100% $HOME"
  variables.UID, wanted.UID = "5", "5"
  local out, seen = run(spec_with({ argv = { "/bin/dash", "-c", WITNESS } }, variables)), {}
  for name, value in out.environ:gmatch("([^=%z]+)=([^%z]*)%z") do seen[name] = value end
  for name, value in pairs(wanted) do equal(seen[name], value, ("%s, %s: %q"):format(SEED, name, value)) end
end)

test("values that no file of variables can hold are nowhere that all can read", function()
  local wanted = { argv = { "sh", "-c", WITNESS }, user = "man:games", group_add = { "dialout", "24" }, working_dir = "/usr/share",
    ulimits = { nofile = { soft = 100, hard = 200 } } }
  local spec = spec_with(wanted, { ["spring.datasource.password"] = "hunter2", ["-u"] = "A", A = "kept" })
  local text = unit.text(spec)
  ok(not text:find("hunter2", 1, true) and not text:find("spring", 1, true), text)
  local out = run(spec)
  for _, line in ipairs { "spring.datasource.password=hunter2", "-u=A", "A=kept", "HOME=/var/cache/man", "USER=man" } do
    ok(("\0" .. out.environ):find("\0" .. line .. "\0", 1, true), line)
  end
  ok(out.id:find("uid=6(man) gid=60(games)", 1, true), out.id)
  ok(out.id:find("20(dialout)", 1, true) and out.id:find("24(cdrom)", 1, true), out.id)
  equal(out.pwd, "/usr/share\n")
  ok(out.limits:find("Max open files%s+100%s+200"), out.limits)
end)

test("user, groups, limits, directory and home are the app's", function()
  local out = run(spec_with({ argv = { "/bin/sh", "-c", WITNESS }, user = "man:games", group_add = { "dialout", "24" },
    working_dir = "/usr/share", ulimits = { nofile = { soft = 1000, hard = 2000 }, memlock = { soft = 4096, hard = 8192 },
      fsize = { soft = 1 << 20, hard = -1 } }, pids_limit = 50, stop_signal = "SIGRTMIN+3" }))
  ok(out.id:find("uid=6(man) gid=60(games)", 1, true), out.id)
  ok(out.id:find("20(dialout)", 1, true) and out.id:find("24(cdrom)", 1, true), out.id)
  ok(not out.id:find("12(man)", 1, true), out.id .. ": a group that is named is the only one")
  equal(out.pwd, "/usr/share\n")
  ok(out.limits:find("Max open files%s+1000%s+2000"), out.limits)
  ok(out.limits:find("Max locked memory%s+4096%s+8192"), out.limits)
  ok(out.limits:find("Max file size%s+1048576%s+unlimited"), out.limits)
  ok(out.environ:find("HOME=/var/cache/man\0", 1, true), (out.environ:gsub("%z", "\n")))
  out = run(spec_with { argv = { "/bin/sh", "-c", WITNESS }, user = "1234:5678" })
  ok(out.id:find("^uid=1234 gid=5678"), out.id)
  ok(out.environ:find("HOME=/\0", 1, true), out.environ)
  out = run(spec_with { argv = { "/bin/sh", "-c", WITNESS } })
  ok(out.id:find("^uid=0%(root%)") and out.environ:find("HOME=/root\0", 1, true), out.id)
end)

test("systemd-analyze finds nothing to say", function()
  local directory = tmpdir()
  local spec = made.everything()
  spec.name, spec.user = "app-0", "debian"
  spec.app.argv[1], spec.app.user = "/bin/true", "root"
  local file = directory .. "/" .. unit.NAME
  files.write(file, unit.text(spec))
  if not tool.find "systemd-analyze" then skip "systemd-analyze is not here" end
  local result = tool.run({ tool.find "systemd-analyze", "verify", "--man=no", file }, { timeout_ms = 60000 })
  equal({ result.status, result.stderr }, { 0, "" })
end)

-- What systemd prints for shells: C escapes in double quotes where there has to be one.
local function unquoted(word)
  local inner = word:match('^"(.*)"$')
  if not inner then return word end
  local known = { a = "\a", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", v = "\v" }
  return (inner:gsub("\\(.)(%d?%d?)", function(byte, digits)
    if byte:find("%d") then return string.char(tonumber(byte .. digits, 8)) end
    return (known[byte] or byte) .. digits
  end))
end

test("environment.d gives sessions the same values", function()
  local generator = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator"
  if not fs.stat(generator) then skip "this systemd has no generator of environments" end
  local variables, home = {}, tmpdir()
  for i, word in ipairs(naughty_words()) do variables["V" .. i] = word end
  variables.REFERENCE = "$V1 ${V2} $$"
  assert(fs.mkdir_all(home .. "/environment.d", 493))
  files.write(home .. "/environment.d/60-holos.conf", environment.generator_text(variables))
  local printed = tool.run({ generator }, { env = { "XDG_CONFIG_HOME=" .. home, "HOME=" .. home } })
  equal(printed.status, 0, printed.stderr)
  for name, value in table_.sorted_pairs(variables) do
    local shown = ("\n" .. printed.stdout):match("\n" .. name .. "=([^\n]*)")
    if value == "" or not environment.is_plain(name, value) then
      equal(shown, nil, name)
    else
      equal(unquoted(shown or ""), value, name)
    end
  end
end)
