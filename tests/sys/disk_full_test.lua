-- Images on a disk that is full, or when we are killed in the middle: the wanted name never holds half an image.

local host = require "sys.host"
local files = require "tests.support.files"
local tool = require "tests.support.tool"

local WRITERS = {
  { "iso", "write", [[require("sys.iso").write(path, { volume = "x", files = { { name = "a", data = "a" } } })]] },
  { "qcow2", "pwrite64,pwritev2", [[require("sys.qcow2").create(path, { size_bytes = 1 << 30 })]] },
}

-- Runs one writer for `path` with `fault` injected by strace; gives what became of it and the names that are left.
local function run_with(writer, fault)
  if not tool.find "strace" then skip "strace is not installed" end
  local directory = tmpdir()
  files.write(directory .. "/script.lua", "local path = ...\nlocal _, message, code = " .. writer[3]
    .. '\nif code then io.stderr:write(code, " ", message) end\nreturn code and 1 or 0\n')
  files.write(directory .. "/out/.keep", "")
  local result = run_tool({ "strace", "-f", "-o", "/dev/null", "-e", "inject=" .. fault, host.executable(), "lua",
    directory .. "/script.lua", directory .. "/out/image" }, { env = { "ASAN_OPTIONS=detect_leaks=0" } })
  result.left = run_tool({ "find", directory .. "/out", "-type", "f", "-not", "-name", ".keep",
    "-printf", "%f\\n" }).stdout
  result.path = directory .. "/out/image"
  return result
end

for _, writer in ipairs(WRITERS) do
  local name, call = writer[1], writer[2]

  test(name .. ": a full disk is said, with the path, and leaves nothing", function()
    local result = run_with(writer, call .. ":error=ENOSPC:when=1")
    equal({ result.stderr, result.left }, { "ENOSPC " .. result.path .. ": No space left on device", "" })
  end)

  test(name .. ": a disk that fails when flushed is said and leaves nothing", function()
    local result = run_with(writer, "fsync:error=EIO:when=1")
    local text = result.stderr:gsub("Input/output error$", "I/O error") -- glibc's words
    equal({ text, result.left }, { "EIO " .. result.path .. ": I/O error", "" })
  end)

  test(name .. ": killed in the middle, only the hidden file is left", function()
    for _, moment in ipairs { call, "fsync", "ftruncate" } do
      local left = run_with(writer, moment .. ":signal=KILL:when=1").left
      ok(left == "" or left:match("^%.%x+%.tmp\n$") or (left == "image\n" and moment == "ftruncate"), left)
    end
  end)
end
