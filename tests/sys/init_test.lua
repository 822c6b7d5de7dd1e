--- `holos init`: the file is one that validates, and nothing that was there is lost.

local files = require "tests.support.files"
local fs = require "sys.fs"
local host = require "sys.host"
local qcow2 = require "sys.qcow2"

local function holos(directory, ...)
  return run_tool({ host.executable(), ... }, { directory = directory,
    env = { "HOLOS_STATE_DIR=" .. directory .. "/state", "HOLOS_LUA_PATH=" .. (files.environment("HOLOS_LUA_PATH") or "") } })
end

local function place(name)
  local directory = tmpdir() .. "/" .. name
  ok(fs.mkdir_all(directory))
  return directory
end

local function image(path) ok(qcow2.create(path, { size_bytes = 1 << 20 })) end

test("init: a file that validates, with an image by name where none is here", function()
  local directory = place "My Shop"
  local result = holos(directory, "init")
  equal({ result.status, result.stdout }, { 0, "" })
  ok(result.stderr:find("^wrote holos.yaml %(one service, debian:12, %d+ lines%)\nnext: holos plan · holos up\n$"), result.stderr)
  ok(files.read(directory .. "/holos.yaml"):find("\n    image: debian:12\n", 1, true))
  local checked = holos(directory, "validate")
  equal({ checked.status, checked.stderr }, { 0, "" })
  ok(checked.stdout:find("^project myshop\n"), checked.stdout)
end)

test("init: a file that is asked for and is not there", function()
  local directory = place "shop"
  local result = holos(directory, "init", "--image", "none.qcow2")
  ok(result.status == 0 and result.stderr:find("none.qcow2 is not here yet", 1, true), result.stderr)
  local checked = holos(directory, "validate")
  equal(checked.status, 2)
  ok(checked.stderr:find("^holos.yaml:%d+:5: services.web.image: .* does not exist\n"), checked.stderr)
end)

-- A line that is commented out as the file's reader would let it in.
local function let_in(text, name)
  local changed, count = text:gsub("(\n +)# (" .. name .. ")", "%1%2")
  ok(count == 1, name)
  return changed
end

test("init: what is commented out is right, too", function()
  local directory = place "shop"
  image(directory .. "/one.qcow2")
  holos(directory, "init")
  local text = files.read(directory .. "/holos.yaml")
  for name in ("disk_size ports volumes environment packages runcmd"):gmatch("%S+") do
    text = let_in(text, name .. ":")
  end
  text = text:gsub("\n    #   %- ", "\n      - "):gsub("\n# volumes:", "\nvolumes:"):gsub("\n#   data:", "\n  data:")
  text = let_in(text, "depends_on:") .. "  other: {size: 1G}\n"
  text = text:gsub("\nvolumes:", "\n  db: {image: ./one.qcow2}\n\nvolumes:")
  files.write(directory .. "/holos.yaml", text)
  ok(fs.mkdir_all(directory .. "/www"))
  local result = holos(directory, "validate")
  equal({ result.stderr, result.status }, { "", 0 })
end)

test("init: the image that is named, the only one that is here, one whose name does not tell its format", function()
  local directory = place "shop"
  image(directory .. "/a b$c.qcow2")
  files.write(directory .. "/disk", "raw")
  equal(holos(directory, "init").stderr:match("%(.-,"), "(one service,")
  ok(files.read(directory .. "/holos.yaml"):find('image: "./a b$$c.qcow2"\n', 1, true))
  equal(holos(directory, "validate").status, 0)
  equal(holos(directory, "init", "--image", "disk", "-o", "raw.yaml").status, 0)
  ok(files.read(directory .. "/raw.yaml"):find("image: ./disk\n    image_format: raw\n", 1, true))
  equal(holos(directory, "-f", "raw.yaml", "validate").status, 0)
  ok(fs.mkdir_all(directory .. "/below"))
  equal(holos(directory, "init", "-o", "below/holos.yaml").status, 0)
  equal(holos(directory .. "/below", "validate").status, 0)
  ok(holos(directory, "init", "--image", "alpine.qcow2", "-o", "-").stdout:find("image_os: openrc\n", 1, true))
end)

test("init: an image of the store is named as it is", function()
  local directory = place "shop"
  equal(holos(directory, "init", "--image", "debian:12").status, 0)
  local text = files.read(directory .. "/holos.yaml")
  ok(text:find("    image: debian:12\n    # replicas:", 1, true) and text:find("user: debian ", 1, true), text)
  equal(holos(directory, "validate", "-q").status, 0)
end)

test("init: no image of a container, and none that is no disk", function()
  local directory = place "shop"
  local result = holos(directory, "init", "--image", "postgres:16")
  equal(result.status, 64)
  ok(result.stderr:find('"postgres:16" is a container image', 1, true), result.stderr)
  equal(holos(directory, "init", "--image", "x.vmdk").status, 64)
  equal(fs.list(directory), {})
end)

test("init: a file that is there stays, whatever its name ends in; --force keeps it under another name", function()
  for _, name in ipairs { "holos.yaml", "holos.yml" } do
    local directory = place "shop"
    files.write(directory .. "/" .. name, "mine")
    local result = holos(directory, "init")
    equal({ result.status, result.stdout }, { 3, "" })
    ok(result.stderr:find("^holos: " .. name:gsub("%p", "%%%0") .. " is here already; nothing was written\n"), result.stderr)
    equal({ files.read(directory .. "/" .. name), #fs.list(directory) }, { "mine", 1 })
    equal(holos(directory, "init", "--force").status, 0)
    equal(files.read(directory .. "/" .. name .. ".1.old"), "mine")
    equal(holos(directory, "init", "--force").status, 0)
    equal(files.read(directory .. "/" .. name .. ".1.old"), "mine")
  end
end)

test("init: not even through a symbolic link that leads nowhere", function()
  local directory = place "shop"
  ok(fs.symlink("elsewhere.yaml", directory .. "/holos.yaml"))
  equal(holos(directory, "init").status, 3)
  equal(holos(directory, "init", "-o", "holos.yaml").status, 3)
  equal(#fs.list(directory), 1)
end)

test("init: a file of docker's beside it is told of", function()
  local directory = place "shop"
  files.write(directory .. "/compose.yaml", "services: {}")
  local result = holos(directory, "init")
  ok(result.stderr:find("warning: compose.yaml is here too; without -f compose.yaml it is not read any more", 1, true))
end)

test("init: directories and files of any name", function()
  for _, name in ipairs { "2024", "true", "0x10", "1e3", "no", "~" } do
    local directory = place(name)
    image(directory .. "/one.qcow2")
    files.write(directory .. "/\27[31mX.qcow2", "")
    equal(holos(directory, "init").status, 0, name)
    local checked = holos(directory, "validate", "-q")
    equal({ checked.status, checked.stderr }, { 0, "" }, name)
  end
  local directory = place "shop"
  local failed = holos(directory, "init", "-o", "sub/none/x.yaml")
  local said = ("holos: D/x.yaml: D is no directory\n  make it: mkdir -p D\n"):gsub("D", directory .. "/sub/none")
  equal({ failed.status, failed.stderr }, { 1, said })
end)
