-- `holos edit`: what is saved was checked and shown before, what is not saved is kept, and nothing else changes.
local files = require "tests.support.files"
local fs = require "sys.fs"
local ports = require "tests.support.ports"
local proc = require "sys.proc"
local stack_ = require "tests.support.stack"
local typist = require "tests.support.typist"

local YAML = "name: one\nservices:\n  vm: {image: ./image.qcow2, image_os: plain}\n"

-- A stack whose editor is a shell script; "$1" is what it is to edit.
local function stack_with(script)
  local stack = stack_.on_fake(YAML)
  files.write(stack.directory .. "/my editor", "#!/bin/sh\n" .. script .. "\n")
  ok(fs.chmod(stack.directory .. "/my editor", tonumber("755", 8)))
  stack.env = { "PATH=/usr/bin:/bin", "EDITOR='" .. stack.directory .. "/my editor'" }
  return stack
end

local function file_of(stack) return files.read(stack.directory .. "/holos.yaml") end

local function on_terminal(stack, words, answers)
  return typist.run(words, answers, { directory = stack.directory, env = stack:environment() })
end

-- The copies that are there still.
local function copies(stack) return files.below(stack.state .. "/edits", "") end

local function has(text, part) ok(text:find(part, 1, true), text) end

local PORT = ports.free()
local ADDS_PORT = ([[sed -i 's/image_os: plain/image_os: plain, ports: ["%d:80"]/' "$1"]]):format(PORT)
local BREAKS = [[sed -i 's/image_os/imageos/' "$1"]]

test("edit: the plan is shown, and the file saved when that is what the user wants", function()
  local stack <close> = stack_with(ADDS_PORT)
  local shown = on_terminal(stack, { "edit" }, { "save holos.yaml? [Y]es, [e]dit again, [n]o:", "y\\n" })
  has(shown, "+ vm-0")
  has(shown, ("127.0.0.1:%d → 80"):format(PORT))
  has(shown, "saved holos.yaml\nstatus 0\n")
  has(file_of(stack), PORT .. ":80")
  equal(copies(stack), {})
end)

test("edit: a file that is not wanted after all stays as it was, and the text is kept", function()
  local stack <close> = stack_with(ADDS_PORT)
  local shown = on_terminal(stack, { "edit" }, { "[n]o:", "n\\n" })
  has(shown, "status 3\n")
  equal(file_of(stack), YAML)
  local kept = shown:match("your text is kept in (%S+); holos.yaml was not written")
  has(files.read(kept), PORT .. ":80")
  equal(copies(stack), { kept })
end)

test("edit: what is wrong is said, and can be mended at once", function()
  local stack <close> = stack_with([[
    if grep -q imageos "$1"; then sed -i 's/imageos/image_os/; s/plain/plain, replicas: 2/' "$1"; exit; fi
  ]] .. BREAKS)
  local shown = on_terminal(stack, { "edit" }, { "[e]dit again, or [q]uit?", "\\n", "[n]o:", "\\n" })
  has(shown, 'holos.yaml:3:30: services.vm.imageos: unknown key; did you mean "image_os"?')
  has(shown, "vm-1")
  has(shown, "status 0\n")
  has(file_of(stack), "replicas: 2")
end)

test("edit: what is wrong is not saved, and kept", function()
  local stack <close> = stack_with(BREAKS)
  local shown = on_terminal(stack, { "edit" }, { "[q]uit?", "q\\n" })
  has(shown, "status 2\n")
  has(files.read(shown:match("your text is kept in (%S+);")), "imageos")
  local result = stack:expect({ "edit", "-y" }, 2)
  has(result.stderr, 'did you mean "image_os"?')
  has(result.stderr, "your text is kept in ")
  equal({ file_of(stack), #copies(stack) }, { YAML, 2 })
end)

test("edit: without a terminal it saves with -y only", function()
  local stack <close> = stack_with(ADDS_PORT)
  has(stack:expect({ "edit" }, 3).stderr, "-y saves without asking")
  equal(file_of(stack), YAML)
  local result = stack:expect { "edit", "-y" }
  has(result.stdout, "1 to add, 0 to change, 0 to remove.")
  has(result.stderr, "saved holos.yaml\n")
  has(file_of(stack), PORT .. ":80")
end)

test("edit: nothing changed, nothing asked", function()
  local stack <close> = stack_with "exit 0"
  equal(stack:expect({ "edit" }).stderr, "holos.yaml is unchanged\n")
  equal(copies(stack), {})
end)

test("edit: an editor that fails, one that is not there, quotes that do not close", function()
  local stack <close> = stack_with(ADDS_PORT .. "; exit 1")
  local result = stack:expect({ "edit", "-y" }, 1)
  has(result.stderr, "holos: my editor ended with status 1; holos.yaml is as it was\n")
  equal({ file_of(stack), #copies(stack) }, { YAML, 1 })
  stack.env = { "PATH=/usr/bin:/bin", "VISUAL=no-such-editor", "EDITOR=true" }
  has(stack:expect({ "edit" }, 1).stderr, "VISUAL: no-such-editor: not found in PATH\n  name your editor: export EDITOR=nano")
  stack.env = { "PATH=/usr/bin:/bin", "EDITOR=true 'x" }
  has(stack:expect({ "edit" }, 1).stderr, "EDITOR: the ' in column 6 of the text is never closed")
  stack.env = { "PATH=/usr/bin:/bin", "EDITOR= " }
  has(stack:expect({ "edit" }, 1).stderr, "there is no terminal for vi\n  EDITOR names a program that needs none")
  equal(#copies(stack), 1)
end)

test("edit: what was not saved is named by the next edit of that file, and goes after seven days", function()
  local stack <close> = stack_with(BREAKS)
  local old, self = stack.state .. "/edits/0123456789abcdef", proc.self()
  local kept = stack:expect({ "edit", "-y" }, 2).stderr:match("your text is kept in (%S+);")
  local open = ("%s/edits/ab-cd-%d-%d"):format(stack.state, self.pid, self.start_time)
  for _, directory in ipairs { old, open } do
    files.write(directory .. "/holos.yaml", YAML .. "# not saved\n")
    equal(run_tool({ "touch", "-d", "8 days ago", directory .. "/holos.yaml", directory }).status, 0)
  end
  local again = stack:expect({ "edit", "-y" }, 2)
  has(again.stderr, "deleted 1 unsaved text older than 7 days\n")
  has(again.stderr, ("not saved earlier: %s (diff holos.yaml %s)\n"):format(kept, kept))
  equal({ fs.stat(old) == nil, fs.stat(open) ~= nil, #copies(stack) }, { true, true, 3 })
  files.write(stack.directory .. "/holos.override.yaml", "services: {vm: {replicas: 2}}\n")
  local other = stack:expect { "edit", "-y", "holos.override.yaml" }
  ok(not other.stderr:find("not saved earlier", 1, true), other.stderr)
  equal(run_tool({ "touch", "-d", "8 days ago", kept, (kept:match("^(.*)/")) }).status, 0)
  has(stack:expect({ "edit", "-y" }, 2).stderr, "deleted 1 unsaved text older")
  equal(fs.stat(kept), nil)
end)

test("edit: the editor's arguments are words, and no shell reads them", function()
  local stack <close> = stack_with [[printf '# %s\n' "$@" >> "$3"]]
  stack.env[2] = stack.env[2] .. " -x '$(id) ;'"
  stack:expect { "edit", "-y" }
  has(file_of(stack), YAML .. "# -x\n# $(id) ;\n# /")
end)

test("edit: a file that somebody else changed meanwhile is left as it is", function()
  local stack <close> = stack_with(ADDS_PORT .. "; echo '# theirs' >> holos.yaml")
  local result = stack:expect({ "edit", "-y" }, 3)
  has(result.stderr, "holos.yaml was changed by somebody else meanwhile; it is left as it is\n  compare: diff holos.yaml ")
  equal({ file_of(stack), #copies(stack) }, { YAML .. "# theirs\n", 1 })
end)

test("edit: mode, symbolic links and hard links stay", function()
  local stack <close> = stack_with [[echo '# more' >> "$1"]]
  local file, real = stack.directory .. "/holos.yaml", stack.directory .. "/real.yaml"
  ok(fs.rename(file, real))
  ok(fs.symlink("real.yaml", file))
  ok(fs.chmod(real, tonumber("640", 8)))
  local before = fs.stat(real)
  stack:expect { "edit", "-y" }
  equal({ fs.lstat(file).type, fs.stat(real).mode, files.read(real) }, { "symlink", tonumber("640", 8), YAML .. "# more\n" })
  ok(fs.stat(real).inode ~= before.inode, "written in place")
  ok(fs.link(real, stack.directory .. "/other.yaml"))
  stack:expect { "edit", "-y" }
  equal(files.read(stack.directory .. "/other.yaml"), YAML .. "# more\n# more\n")
  equal(fs.stat(real).links, 2)
end)

test("edit: which of several files", function()
  local stack <close> = stack_with [[echo '# more' >> "$1"]]
  local over = stack.directory .. "/holos.override.yaml"
  files.write(over, "services: {vm: {replicas: 2}}\n")
  stack:expect { "edit", "-y", "holos.override.yaml" }
  equal({ file_of(stack), files.read(over) }, { YAML, "services: {vm: {replicas: 2}}\n# more\n" })
  has(stack:expect({ "edit", "-y", "other.yaml" }, 64).stderr,
    "other.yaml is no file of this project\n  it has: holos.yaml holos.override.yaml")
  has(stack:expect({ "edit", "-f", "-" }, 64).stderr, "standard input cannot be edited")
end)

test("edit: a file that cannot be brought up here can be saved; it says why", function()
  local stack <close> = stack_with [[sed -i 's/plain/plain, vm: {memory: 100000G}/' "$1"]]
  stack.qemu = "/nonexistent"
  local result = stack:expect { "edit", "-y" }
  has(result.stderr, "the file is right, but `holos up` would not do it now:\nholos: ")
  has(file_of(stack), "100000G")
end)

test("edit: a broken file can be mended", function()
  local stack <close> = stack_with [[sed -i 's/imageos/image_os/' "$1"]]
  stack:write((YAML:gsub("image_os", "imageos")))
  stack:expect { "edit", "-y" }
  equal(file_of(stack), YAML)
end)

-- Ctrl-C and Ctrl-\ are typed while the editor has the terminal; at the question Ctrl-C ends.
test("edit: keys that send signals are the editor's while it runs", function()
  local stack <close> = stack_with([[trap 'echo caught' INT QUIT; echo editing; until read line; do :; done; ]] .. ADDS_PORT)
  local shown = on_terminal(stack, { "edit" },
    { "editing", "\\x03", "caught", "\\x1c", "caught", "\\n", "[n]o:", "\\x03" })
  has(shown, "your text is kept in ")
  has(shown, "status 130\n")
  equal({ file_of(stack), #copies(stack) }, { YAML, 1 })
end)

test("edit: what was typed before the question is no answer to it", function()
  local stack <close> = stack_with(ADDS_PORT .. [[; echo editing; read line]])
  local shown = on_terminal(stack, { "edit" }, { "editing", "\\ny\\ny\\n", "[n]o:", "n\\n" })
  has(shown, "status 3\n")
  equal(file_of(stack), YAML)
end)

test("edit: told to end while the editor runs, it takes the editor along and keeps the text", function()
  local stack <close> = stack_with(ADDS_PORT .. "\n" .. [[
    trap 'echo told >&2; exit 0' TERM
    kill -TERM $PPID
    while :; do read line < "$1"; done
  ]])
  local result = stack:expect({ "edit" }, 143)
  has(result.stderr, "told\n")
  has(result.stderr, "your text is kept in ")
  equal(file_of(stack), YAML)
end)
