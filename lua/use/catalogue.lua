--- The catalogue of images as this host knows it: what is built in, and what images.lua adds. Effects: reads.
--
-- images.lua is data: it is run with nothing in reach and within bounds, and gives one table as of image/catalogue_schema,
-- or a list of them.
local catalogue = require "holos.image.catalogue"
local err = require "holos.core.err"
local load_ = require "holos.script.load"
local table_ = require "holos.core.table"

local M = {}

local MAX_BYTES = 1 << 20
local OTHERS_MAY_WRITE = tonumber("22", 8)

--- The files that may add images, in the order in which they are read; of two that say the same the later one counts.
---@return string[]
function M.files(world)
  local files, home = { "/etc/holos/images.lua" }, world.host.env("XDG_CONFIG_HOME")
  if not home or home:sub(1, 1) ~= "/" then home = (world.host.env("HOME") or "") .. "/.config" end
  if home:sub(1, 1) == "/" then files[2] = home .. "/holos/images.lua" end
  return files
end

-- Who can write the file chooses what is started from.
local function require_own(world, file)
  local stat = err.check(file, world.fs.stat(file))
  local is_own = stat.uid == 0 or stat.uid == world.host.uid()
  if is_own and stat.mode & OTHERS_MAY_WRITE == 0 then return end
  err.raise { code = "ETRUST", exit = 3, message = ("%s: others may write to it"):format(file),
    hint = ("it says what machines start from; make it yours: chmod go-w %s"):format(file) }
end

local function value_of(text, file)
  local ok, value = load_.data(text, file)
  if ok then return value end
  err.raise { code = "ESYNTAX", exit = 2, message = tostring(value),
    hint = "it is data: return { name = …, versions = { … } } (docs/images.md)" }
end

local function read(world, known, file)
  local text, message, code = world.fs.read(file, { max_bytes = MAX_BYTES })
  if not text and (code == "ENOENT" or code == "ENOTDIR") then return end
  err.check(file, text, message, code)
  require_own(world, file)
  local findings = catalogue.extend(known, value_of(text, file), file)
  for _, finding in ipairs(findings) do finding.file = file end
  if #findings > 0 then err.findings(findings) end
end

--- The catalogue; raises when a file is there and cannot be used.
---@return table catalogue  of image/catalogue
function M.load(world)
  local known = catalogue.new()
  for _, file in ipairs(M.files(world)) do read(world, known, file) end
  return known
end

--- The images that can be had by name on this host.
---@return holos.ImageEntry[]
function M.list(world)
  local architecture = world.host.architecture()
  return table_.filter(catalogue.list(M.load(world)), function(entry) return entry.architecture == architecture end)
end

return M
