--- Disk images for tests: what qemu-img and qemu-io make of them, and images made by hand, byte by byte.

local json = require "sys.json"
local files = require "tests.support.files"
local tool = require "tests.support.tool"

local M = {}

local CLUSTER_BYTES = 65536

M.is_full = files.environment "HOLOS_TESTS" == "all" or files.environment "HOLOS_TEST_FULL" == "1"
M.seed = tonumber(files.environment "HOLOS_TEST_SEED" or 20261121)

--- Skips the test unless QEMU's tools are there.
function M.need_tools()
  for _, program in ipairs { "qemu-img", "qemu-io" } do
    if not tool.find(program) then skip(program .. " is not installed") end
  end
end

--- Runs qemu-img; fails the test when that fails.
function M.img(...)
  local result = tool.run { "qemu-img", ... }
  if result.status == 0 then return result.stdout end
  error(table.concat({ "qemu-img", ... }, " ") .. ": " .. result.stderr .. result.stdout, 2)
end

--- Runs qemu-io commands on an image; fails the test when one fails, patterns that differ included.
function M.io(image, format, ...)
  local argv = { "qemu-io", "-f", format }
  for _, command in ipairs { ... } do table.move({ "-c", command }, 1, 2, #argv + 1, argv) end
  argv[#argv + 1] = image
  local result = tool.run(argv)
  local output = result.stdout .. result.stderr
  if result.status ~= 0 or output:find("failed", 1, true) then error(table.concat(argv, " ") .. ": " .. output, 2) end
end

--- What `qemu-img info` tells of an image without looking at its backing file.
function M.facts(image)
  return assert(json.decode(M.img("info", "-f", "qcow2", "--output=json", image)))
end

--- Fails unless `qemu-img check` finds nothing, or with `leaks_allowed` nothing but leaks (status 3).
function M.check(image, leaks_allowed)
  local result = tool.run { "qemu-img", "check", "-f", "qcow2", image }
  if result.status == 0 or (leaks_allowed and result.status == 3) then return end
  error(("qemu-img check %s: status %s\n%s%s"):format(image, result.status, result.stdout, result.stderr), 2)
end

-- -- images made by hand --------------------------------------------------------------------------------------------

local FIELDS = {
  { "version", "I4", 3 }, { "backing_offset", "I8", 0 }, { "backing_size", "I4", 0 }, { "cluster_bits", "I4", 16 },
  { "size", "I8", 1 << 30 }, { "encryption", "I4", 0 }, { "l1_size", "I4", 2 },
  { "l1_offset", "I8", 3 * CLUSTER_BYTES }, { "refcount_offset", "I8", CLUSTER_BYTES },
  { "refcount_clusters", "I4", 1 }, { "snapshots", "I4", 0 }, { "snapshots_offset", "I8", 0 },
  { "incompatible", "I8", 0 }, { "compatible", "I8", 0 }, { "autoclear", "I8", 0 }, { "refcount_order", "I4", 4 },
  { "header_length", "I4", 104 },
}

--- The bytes of a header extension.
function M.extension(kind, data)
  return string.pack(">I4I4", kind, #data) .. data .. ("\0"):rep(-#data % 8)
end

local function first_cluster(changes)
  local header = "QFI\xfb"
  for _, field in ipairs(FIELDS) do
    header = header .. string.pack(">" .. field[2], changes[field[1]] or field[3])
  end
  header = header .. (changes.extensions or "")
  if changes.backing then header = header:sub(1, changes.backing_offset) .. changes.backing end
  return header .. ("\0"):rep(CLUSTER_BYTES - #header)
end

local function padded(text) return text .. ("\0"):rep(CLUSTER_BYTES - #text) end

--- An image of four clusters: header, refcount table, refcount block, L1 table. `changes` replace header fields by
--- name; `extensions` and `backing` (a name put at backing_offset) follow the header; `l1` and `refcount_table` replace
--- tables.
function M.forge(changes)
  if changes.backing then
    changes.backing_offset = changes.backing_offset or 104 + #(changes.extensions or "") + 8
    changes.extensions = (changes.extensions or "") .. ("\0"):rep(8)
    changes.backing_size = changes.backing_size or #changes.backing
  end
  return first_cluster(changes) .. padded(changes.refcount_table or string.pack(">I8", 2 * CLUSTER_BYTES))
    .. padded(string.pack(">I2I2I2I2", 1, 1, 1, 1)) .. padded(changes.l1 or "")
end

return M
