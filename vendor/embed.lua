--- Turns scripts, other files and licence texts into one assembler file and the bytes that it includes.
-- Run by the Lua built from the pinned sources: `lua vendor/embed.lua OUTPUT SOURCES VERSION FILE…` writes OUTPUT.S
-- and OUTPUT.bin. What ends in .lua is compiled, and a syntax error in it stops the build; all else goes in as it is.
-- Effects: writes those two files.

local output, sources, version = arg[1], arg[2], arg[3]

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

-- Unstripped: messages keep their line numbers, for 0.3 ms of start-up.
local function compile(text, chunk_name)
  return string.dump(assert(load(text, chunk_name, "t")))
end

-- vendor/pins as a list of { name =, version =, … }.
local function pins()
  local list = {}
  for line in io.lines("vendor/pins") do
    local key, value = line:match("^(%l[%l%d]*):%s*(.*)$")
    if key == "name" then list[#list + 1] = {} end
    if key then list[#list][key] = value end
  end
  return list
end

-- "FILE" is the whole file, "FILE:WORDS" the comment that begins at the line with these words.
local function licence_text(pin)
  local path, words = pin.text:match("^([^:]+):?(.*)$")
  local text = read(("%s/%s/%s"):format(sources, pin.name, path))
  if words == "" then return text end
  local comment = assert(text:match("/%*+\n(%* " .. words .. ".-)%*+/"), "no licence in " .. path)
  return (comment:gsub("%* ?", ""))
end

local function licences()
  local list = { { name = "holos", version = version, licence = "MIT", text = read("LICENSE") } }
  for _, pin in ipairs(pins()) do
    if pin.text then
      list[#list + 1] = { name = pin.name, version = pin.version, licence = pin.licence, text = licence_text(pin) }
    end
  end
  return list
end

local function licences_source()
  local lines = { "return {" }
  for _, entry in ipairs(licences()) do
    lines[#lines + 1] = ("{name=%q,version=%q,licence=%q,text=%q},"):format(
      entry.name, entry.version, entry.licence, entry.text)
  end
  lines[#lines + 1] = "}"
  return table.concat(lines, "\n")
end

local files = { { path = "licenses", data = compile(licences_source(), "=licenses") } }
for index = 4, #arg do
  local path, text = arg[index], read(arg[index])
  files[#files + 1] = { path = path, data = path:find("%.lua$") and compile(text, "@" .. path) or text }
end
table.sort(files, function(a, b) return a.path < b.path end)

local rows, paths, data, offset = {}, {}, {}, 0
for index, file in ipairs(files) do
  rows[index] = ("  .quad path_%d, data + %d, %d"):format(index, offset, #file.data)
  paths[index] = ("path_%d: .asciz %q"):format(index, file.path)
  data[index] = file.data
  offset = offset + #file.data
end

write(output .. ".bin", table.concat(data))
write(output .. ".S", ([[
  .section .data.rel.ro, "aw"
  .balign 8
  .globl holos_embedded
holos_embedded:
ROWS
  .section .rodata
  .balign 8
  .globl holos_embedded_count
holos_embedded_count: .quad COUNT
PATHS
data: .incbin "FILE"
  .section .note.GNU-stack, "", %progbits
]]):gsub("%u%u%u%u+", {
  ROWS = table.concat(rows, "\n"), COUNT = tostring(#files), PATHS = table.concat(paths, "\n"), FILE = output .. ".bin",
}))
