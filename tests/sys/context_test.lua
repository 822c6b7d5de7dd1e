-- The context of a Dockerfile: what COPY and ADD take out of a directory, beneath which everything stays; its digest, and the
-- archive that tar(1) reads.

local build = require "holos.run.build"
local err = require "holos.core.err"
local files = require "tests.support.files"
local fs = require "sys.fs"
local select_ = require "holos.run.context.select"
local table_ = require "holos.core.table"
local tool = require "tests.support.tool"
local tree_ = require "holos.run.context.tree"
local world = require "holos.run.world"

-- A directory with these files; "link → target" is a link, "name/" a directory.
local function context_of(list)
  local directory = tmpdir()
  for _, name in ipairs(list) do
    local link, target = name:match("^(.-) → (.*)$")
    if link then
      assert(fs.symlink(target, directory .. "/" .. link))
    elseif name:sub(-1) == "/" then
      assert(fs.mkdir_all(directory .. "/" .. name:sub(1, -2), 493))
    else
      files.write(directory .. "/" .. name, "text of " .. name)
      assert(fs.chmod(directory .. "/" .. name, 420))
    end
  end
  return directory
end

local function step(fields)
  return table_.merge({ kind = "copy", target = "/t/", line = 3, title = "COPY" }, fields)
end

local function names(directory, fields)
  local wanted = step(fields)
  return table_.map(select_.entries(assert(tree_.open(world, directory)), wanted), function(entry)
    return entry.name .. (entry.type == "directory" and "/" or entry.type == "symlink" and " → " .. entry.target or "")
  end), wanted
end

local function refusal(directory, fields)
  local ok_, problem = pcall(names, directory, fields)
  ok(not ok_ and err.is(problem), "it was taken")
  local function shown(text) return text and (text:gsub(directory:gsub("%-", "%%-"), "CONTEXT")) end
  return shown(problem.message), shown(problem.hint)
end

local TREE = { "a.txt", "b.txt", "c.md", "src/main.c", "src/lib/x.c", "src/lib/x.o", "empty/", "src/up → ../a.txt",
  "out → /etc/passwd", "way → src", ".hidden" }

test("a directory gives what it holds, not itself; links stay links", function()
  local directory = context_of(TREE)
  local taken, wanted = names(directory, { sources = { "src" }, target = "/t" })
  equal(taken, { "d/lib/", "d/lib/x.c", "d/lib/x.o", "d/main.c", "d/up → ../a.txt" })
  equal(wanted.is_directory, true)
  equal(names(directory, { sources = { "src/" } }), taken)
  equal(names(directory, { sources = { "/src/../src" } }), taken)
  equal(names(directory, { sources = { "../../src" } }), taken)
  equal(names(directory, { sources = { "way" } }), taken)
end)

test("a file takes its target's name, unless that is a directory; a link stands for what it leads to", function()
  local directory = context_of(TREE)
  equal(names(directory, { sources = { "a.txt" }, target = "/t" }), { "f/a.txt" })
  equal(names(directory, { sources = { "a.txt" }, target = "/t/" }), { "d/a.txt" })
  equal(names(directory, { sources = { "src/up" }, target = "/t/" }), { "d/up" })
  equal(refusal(directory, { sources = { "out" } }), '"out" leads out of the context')
end)

test("patterns do not cross slashes, are sorted, and stop at the first directory that fits", function()
  local directory = context_of(TREE)
  equal(names(directory, { sources = { "*.txt" } }), { "d/a.txt", "d/b.txt" })
  equal(names(directory, { sources = { "s*" } }), { "d/lib/", "d/lib/x.c", "d/lib/x.o", "d/main.c", "d/up → ../a.txt" })
  equal(names(directory, { sources = { "*/*/x.[a-c]", "[^a-z]hidden" } }), { "d/.hidden", "d/x.c" })
  equal(refusal(directory, { sources = { "*.txt" }, target = "/t" }),
    'COPY has several sources; their target "/t" is a directory, and ends with /')
  equal(refusal(directory, { sources = { "*.nix" } }), 'nothing in the context CONTEXT is called "*.nix"')
  equal(refusal(directory, { sources = { "no/such" } }), '"no/such" is not in the context CONTEXT')
  equal(refusal(directory, { sources = { "[a" } }), '"[a": syntax error in pattern')
end)

test("what is not there is told with what may have been meant, and what patterns find with what is left out", function()
  local directory = context_of(TREE)
  local function hint(source) return (select(2, refusal(directory, { sources = { source } }))) end
  equal({ hint "a.tx", hint "src/Main.c", hint "scr/lib/x.c", hint "quite/other", hint "a.txt/x" },
    { 'did you mean "a.txt"?', 'did you mean "src/main.c"?', 'did you mean "src/lib/x.c"?', nil, nil })
  equal(hint "*.nix", nil)
  files.write(directory .. "/.dockerignore", "*.md\n")
  equal(hint "*.md", "a pattern in CONTEXT/.dockerignore leaves it out")
  assert(fs.symlink("circle", directory .. "/circle"))
  equal(refusal(directory, { sources = { "circle" } }), '"circle" leads in a circle')
end)

test("--exclude leaves out, seen from each source", function()
  local directory = context_of(TREE)
  equal(names(directory, { sources = { "src" }, exclude = { "**/*.o", "up" } }), { "d/lib/", "d/lib/x.c", "d/main.c" })
  equal(names(directory, { sources = { "*.txt", "c.md" }, exclude = { "b.txt", "*.md" } }), { "d/a.txt" })
end)

test("what a pattern leaves out is not to be had by links to it, nor below linked directories", function()
  local directory = context_of { "secret.env", "src/key", "src/open", "lnk → secret.env", "way → src", "src/in → key", "deep/",
    "deep/up → ../src" }
  files.write(directory .. "/.dockerignore", "secret.env\nsrc/key\n")
  for source, shown in pairs { lnk = "lnk", ["way/key"] = "way/key", ["way/in"] = "way/in", ["deep/up/key"] = "deep/up/key" } do
    equal({ refusal(directory, { sources = { source } }) },
      { ('"%s" is not in the context CONTEXT'):format(shown), "a pattern in CONTEXT/.dockerignore leaves it out" })
  end
  local open = { "d/in → key", "d/open" }
  equal(names(directory, { sources = { "way" } }), open)
  equal(names(directory, { sources = { "deep/up" } }), open)
  equal(names(directory, { sources = { "way/o*" } }), { "d/open" })
  equal(names(directory, { sources = { "way/[k-o]*" } }), { "d/open" })
  equal(names(directory, { sources = { "way/./*" }, parents = true }), open)
end)

test("--parents keeps the way, from the pivot on, and the directories on it", function()
  local directory = context_of(TREE)
  equal(names(directory, { sources = { "src/lib/x.c" }, parents = true }), { "d/src/", "d/src/lib/", "d/src/lib/x.c" })
  equal(names(directory, { sources = { "./src/./lib/*.c", "a.txt" }, parents = true }), { "d/a.txt", "d/lib/", "d/lib/x.c" })
  equal(names(directory, { sources = { "**/*.c" }, parents = true, target = "/t" }),
    { "d/src/", "d/src/lib/", "d/src/lib/x.c", "d/src/main.c" })
  equal(refusal(directory, { sources = { "src/./nix" }, parents = true }), '"src/./nix" is not in the context CONTEXT')
end)

test("what .dockerignore leaves out is not there; the Dockerfile's own patterns win", function()
  local directory = context_of(TREE)
  files.write(directory .. "/.dockerignore", "src\n!src/lib/x.c\n*.txt\n")
  equal(names(directory, { sources = { "src" } }), { "d/lib/", "d/lib/x.c" })
  local message, hint = refusal(directory, { sources = { "a.txt" } })
  equal({ message, hint }, { '"a.txt" is not in the context CONTEXT', "a pattern in CONTEXT/.dockerignore leaves it out" })
  files.write(directory .. "/Dockerfile.dockerignore", "*.md")
  local tree = assert(tree_.open(world, directory, directory .. "/Dockerfile"))
  equal({ tree:is_ignored "a.txt", tree:is_ignored "c.md" }, { false, true })
  files.write(directory .. "/.dockerignore", "!")
  equal({ tree_.open(world, directory) }, { nil, directory .. '/.dockerignore: illegal exclusion pattern: "!"' })
  files.write(directory .. "/.dockerignore", "\xff\xfes\0r\0c\0\n\0")
  equal({ tree_.open(world, directory) }, { nil, directory .. "/.dockerignore: there is a NUL byte in it; save the file as UTF-8" })
end)

test("two sources may not make a file and a directory of one name; the later file wins", function()
  local directory = context_of { "one/x", "two/x/y", "three/x" }
  equal(refusal(directory, { sources = { "one", "two" } }), "x is a directory in one source, and none in another")
  equal(names(directory, { sources = { "one", "three" } }), { "d/x" })
end)

test("a socket is refused by its name", function()
  local directory = context_of { "a" }
  local _socket <close> = assert(require "sys.net".listen_unix(directory, "talk", {}))
  equal({ refusal(directory, { sources = { "." } }) },
    { "CONTEXT/talk is a socket, and cannot be copied", "name it in .dockerignore" })
end)

test("ADD knows archives by what they hold; texts of heredocs are files", function()
  local directory = context_of { "plain.tar" }
  files.write(directory .. "/some.gz", "\x1f\x8b" .. ("\0"):rep(30))
  local taken, wanted = names(directory, { kind = "add", sources = { "*" }, inline = { { name = "EOF", content = "x" } } })
  equal({ taken, wanted.archives }, { { "a/1", "d/EOF", "d/plain.tar" }, { { name = "some.gz", kind = "gzip" } } })
  equal(names(directory, { kind = "add", sources = { "some.gz" }, unpack = false }), { "d/some.gz" })
  equal(names(directory, { sources = { "some.gz" } }), { "d/some.gz" })
end)

local function look(directory, steps)
  return build.look(world, { context = directory, shown = "Dockerfile", recipe = { steps = steps } })
end

test("the digest counts names, modes, contents and steps, and neither times nor lines", function()
  local directory = context_of(TREE)
  local function digest(fields, line) return assert(look(directory, { step(table_.merge(fields, { line = line })) })).digest end
  local before = digest({ sources = { "src" } }, 1)
  equal(digest({ sources = { "src" } }, 7), before)
  files.write(directory .. "/src/main.c", "text of src/main.c")
  assert(fs.chmod(directory .. "/src/main.c", 420))
  equal(digest({ sources = { "src" } }), before)
  equal(digest({ sources = { "./src" } }), before)
  ok(digest({ sources = { "src" }, chmod = "755" }) ~= before)
  assert(fs.chmod(directory .. "/src/main.c", 493))
  ok(digest { sources = { "src" } } ~= before)
end)

test("all that is wrong is told at once, with its lines", function()
  local made, findings = look(context_of { "a" }, { step { sources = { "x" } }, step { sources = { "y" }, line = 9 } })
  equal(made, nil)
  equal({ findings[1].message:match("^Dockerfile:3: \"x\""), findings[2].message:match("^Dockerfile:9: \"y\"") },
    { 'Dockerfile:3: "x"', 'Dockerfile:9: "y"' })
end)

test("tar(1) reads the archive: long names, links, modes, nobody's time but the first second; one image for one content", function()
  local directory = context_of { "a.txt", ("n"):rep(120) .. "/" .. ("m"):rep(130), "l → " .. ("t"):rep(150) }
  local state = require "holos.run.state".locate(world, { state_dir = tmpdir() })
  local made = assert(look(directory, { step { sources = { "." } }, step { sources = { "a.txt" }, target = "/b" } }))
  build.keep(world, state, "shop", { web = made })
  local file = ("%s/%s.iso"):format(state:contents "shop", made.context)
  local out = tmpdir()
  equal(tool.run({ "xorriso", "-osirrox", "on", "-indev", file, "-extract", "/", out .. "/iso" }).status, 0)
  local shown = tool.run({ "tar", "-tvf", out .. "/iso/context.tar", "--utc" }).stdout
  for _, wanted in ipairs { "drwxr%-xr%-x 0/0 .- 1970%-01%-01 00:00 1/\n", "%-rw%-r%-%-r%-%- 0/0 .- 1/d/a.txt\n", "2/f/a.txt\n",
    "1/d/" .. ("n"):rep(120) .. "/" .. ("m"):rep(130) .. "\n", "1/d/l %-> " .. ("t"):rep(150) .. "\n" } do
    ok(shown:find(wanted), wanted .. "\n" .. shown)
  end
  local before = files.read(file)
  assert(fs.remove(file))
  build.keep(world, state, "shop", { web = assert(look(directory, { step { sources = { "." } },
    step { sources = { "a.txt" }, target = "/b" } })) })
  equal(files.read(file) == before, true)
end)

test("room for the disk, twice while it is made, is looked at before it is made", function()
  local directory = context_of { "a.txt", "big" }
  assert(fs.truncate(directory .. "/big", 3 << 20))
  local state = require "holos.run.state".locate(world, { state_dir = tmpdir() })
  local made = assert(look(directory, { step { sources = { "." } } }))
  local function keep_with(free_bytes)
    local function space() return { free_bytes = free_bytes } end
    local small = setmetatable({ fs = setmetatable({ space = space }, { __index = world.fs }) }, { __index = world })
    return pcall(build.keep, small, state, "shop", { web = made })
  end
  local _, problem = keep_with(5 << 20)
  equal({ problem.message, problem.code, problem.hint }, { ("web: what its Dockerfile copies, there twice while its disk is made, "
    .. "may take 7 MiB, and %s has 5 MiB left"):format(state:contents "shop"), "ENOSPC",
    "make room, or name what is not needed in .dockerignore" })
  equal(fs.list(state:contents "shop"), {})
  ok(keep_with(8 << 20))
  equal(#fs.list(state:contents "shop"), 1)
end)

test("a file that changes between the plan and its copy is an error, and leaves nothing", function()
  local directory = context_of { "a.txt" }
  local state = require "holos.run.state".locate(world, { state_dir = tmpdir() })
  local made = assert(look(directory, { step { sources = { "a.txt" } } }))
  files.write(directory .. "/a.txt", "other text in")
  raises("was changed while it was read", build.keep, world, state, "shop", { web = made })
  equal(fs.list(state:contents "shop"), {})
end)
