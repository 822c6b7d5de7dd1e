-- -o FILE: what is there is not lost, a device stays one, and what may be secret is nobody else's.
local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local qcow2 = require "sys.qcow2"

local PRIVATE, SHARED = tonumber("600", 8), tonumber("640", 8)
local STACK = [[
name: lab
services:
  web: {image: ./image.qcow2, environment: {A: "\e]0;title\a\x7f", B: "one\ntwo"}}
]]

local function place()
  local directory = tmpdir()
  assert(qcow2.create(directory .. "/image.qcow2", { size_bytes = 1 << 20 }))
  files.write(directory .. "/holos.yaml", STACK)
  return directory
end

local function holos(directory, ...)
  return run_tool({ host.executable(), ... }, { directory = directory, env = { "HOLOS_STATE_DIR=" .. directory .. "/state",
    "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") } })
end

local function mode_of(file) return fs.stat(file).mode & tonumber("777", 8) end

test("a new file of config is its owner's; one that is there keeps its mode, a link its place", function()
  local directory = place()
  equal(holos(directory, "config", "-o", "out.yaml").status, 0)
  equal(mode_of(directory .. "/out.yaml"), PRIVATE)
  assert(fs.chmod(directory .. "/out.yaml", SHARED))
  assert(fs.symlink("out.yaml", directory .. "/link"))
  equal(holos(directory, "config", "-o", "link", "--services").status, 0)
  equal({ files.read(directory .. "/out.yaml"), mode_of(directory .. "/out.yaml"), fs.lstat(directory .. "/link").type },
    { "web\n", SHARED, "symlink" })
end)

test("what a result is made of is not written over", function()
  local directory = place()
  assert(fs.link(directory .. "/holos.yaml", directory .. "/same.yaml"))
  for _, name in ipairs { "holos.yaml", "same.yaml" } do
    for _, command in ipairs { "config", "graph" } do
      local refused = holos(directory, command, "-o", name)
      equal({ refused.status, refused.stderr:match("^[^\n]*") },
        { 3, ("holos: %s is a file that this is made of; nothing was written"):format(name) })
    end
  end
  equal(files.read(directory .. "/holos.yaml"), STACK)
end)

test("a device and a pipe are written to; - is standard output; a directory that is not there is told", function()
  local directory = place()
  assert(fs.symlink("/dev/null", directory .. "/null"))
  for _, command in ipairs { "config", "graph" } do
    equal(holos(directory, command, "-o", "null").status, 0)
    ok(holos(directory, command, "-o", "-").stdout:find("lab", 1, true))
    local failed = holos(directory, command, "-o", "none/x")
    equal({ failed.status, failed.stderr:match("^[^\n]*") },
      { 1, ("holos: %s/none/x: %s/none is no directory"):format(directory, directory) })
  end
  equal({ fs.stat("/dev/null").type, fs.lstat(directory .. "/null").type, fs.lstat(directory .. "/-") and "a file" },
    { "char", "symlink" })
  equal(run_tool({ "mkfifo", directory .. "/pipe" }).status, 0)
  local result = run_tool({ "sh", "-c", ('cat "%s/pipe" & "%s" config --services -o pipe; wait'):format(directory,
    host.executable()) }, { directory = directory })
  equal({ result.stdout, fs.stat(directory .. "/pipe").type }, { "web\n", "fifo" })
end)

test("values of variables are harmless for a terminal; JSON with control characters can be read again", function()
  local directory = place()
  files.write(directory .. "/.env", "V=a\27]0;x\7b\nW=\"one\ntwo\"\n")
  files.write(directory .. "/more.yaml", 'services: {web: {environment: {C: "${V:-x\\e[31m}", D: "$W"}}}\n')
  for _, words in ipairs { { "--variables" }, { "--environment" } } do
    local shown = holos(directory, "config", "-f", "more.yaml", "-f", "holos.yaml", table.unpack(words))
    equal({ shown.status, shown.stdout:find("[\27\7]") }, { 0 })
  end
  ok(holos(directory, "config", "-f", "more.yaml", "-f", "holos.yaml", "--environment").stdout:find("\nW=one\\ntwo\n", 1, true))
  local json = holos(directory, "config", "--format", "json")
  equal(json.stdout:find("\127"), nil)
  files.write(directory .. "/out.json", json.stdout)
  equal(holos(directory, "-f", "out.json", "config", "--format", "json").stdout, json.stdout)
end)
