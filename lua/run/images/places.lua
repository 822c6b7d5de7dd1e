--- Where an image lies, in which layers, and which of these files is the one that is used. Effects: reads.
local err = require "holos.core.err"
local layers = require "holos.run.images.layers"
local manifest = require "holos.image.manifest"
local table_ = require "holos.core.table"

local M = {}

-- What an image says of itself; where that is damaged, it is an image all the same.
local function meta_of(world, layer, digest)
  local ok, meta = pcall(layers.read, world, layers.meta_file(layer, digest), manifest.image)
  if not ok and not err.is_failure(meta) then error(meta, 0) end
  if not ok then return {}, meta.message end
  return meta or {}
end

--- The files of an image, in the order of the layers: our own comes last.
---@return {layer: table, path: string, format: string, size_bytes: integer, meta: table, is_cut: boolean, problem: string?}[]
function M.all(world, state, digest)
  local places = {}
  for _, layer in ipairs(layers.all(world, state)) do
    for _, format in ipairs { "qcow2", "raw" } do
      local file = layers.image_file(layer, digest, format)
      local stat = world.fs.stat(file)
      if stat and stat.type == "file" then
        local meta, problem = meta_of(world, layer, digest)
        places[#places + 1] = { layer = layer, path = file, format = format, size_bytes = stat.size_bytes, meta = meta,
          problem = problem, is_cut = meta.size_bytes and meta.size_bytes ~= stat.size_bytes }
      end
    end
  end
  return places
end

--- The one that is used: in our own store, where it lies only when no layer had it whole, else in the first layer.
---@return table?  one of `all`
function M.used(world, state, digest)
  local whole = table_.filter(M.all(world, state, digest), function(place) return not place.is_cut end)
  local last = whole[#whole]
  return last and last.layer.is_own and last or whole[1]
end

--- The size of the disk in it.
function M.virtual_bytes(world, place)
  if place.meta.virtual_bytes then return place.meta.virtual_bytes end
  local info = place.format == "qcow2" and world.qcow2.info(place.path)
  return info and info.virtual_bytes or place.size_bytes
end

return M
