--- Checks of images against what the host has, and of what a guest without cloud-init can do. Pure: the facts are handed in.
local lazy = require "holos.core.lazy"
local nearby = lazy "holos.compose.rules.nearby"
local reference = require "holos.image.reference"
local tables = require "holos.core.table"
local units = lazy "holos.core.units"

local M = {}

local LISTED = 5 -- names; more would not be read

--- A guest without cloud-init runs our steps only.
function M.check_plain(project, report)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    local cloud_init, plain = service.cloud_init, service.image and service.image.os == "plain"
    if plain and #cloud_init.packages > 0 then
      report({ "services", name, "cloud_init", "packages" }, "image_os is plain: no package manager is known",
        "install with cloud_init.runcmd")
    end
    for key in pairs(plain and cloud_init.extra or {}) do
      report({ "services", name, "cloud_init", key }, "image_os is plain: there is no cloud-init to read this")
    end
    if plain and cloud_init.user_data then
      report({ "services", name, "cloud_init", "user_data" }, "image_os is plain: there is no cloud-init to read this")
    end
  end
end

-- What somebody who named an image that is not there may have meant.
local function advise_image(file, facts, project)
  local images = tables.filter(nearby.names(file, facts), function(name) return reference.is_path(name) end)
  local close = nearby.nearest(file, images, project)
  if close then return ('did you mean "%s"?'):format(close) end
  if #images > 0 then return "images there: " .. table.concat(images, " ", 1, math.min(#images, LISTED)) end
  return "put a qcow2 or raw image there, or name a system: image: debian:12"
end

local NOT_A_FILE = { directory = "is a directory; name the disk image itself" }

--- Images are files.
function M.check_images(project, report, facts)
  if not facts.stat then return end
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    local image = service.image and service.image.path
    local kind = image and facts.stat(image)
    if image and not kind then
      report({ "services", name, "image" }, image .. " does not exist", advise_image(image, facts, project))
    elseif image and kind ~= "file" and kind ~= "block" then
      local is = NOT_A_FILE[kind] or "is a " .. kind .. ", not a file"
      report({ "services", name, "image" }, ("%s %s"):format(image, is))
    end
  end
end

-- A size as files have it, rounded up.
local function as_written(bytes)
  if bytes % (1 << 30) == 0 then return ("%dG"):format(bytes >> 30) end
  return ("%dM"):format((bytes + (1 << 20) - 1) >> 20)
end

--- A root disk holds at least what its image holds: a smaller one would cut it off.
function M.check_disks(project, report, facts)
  if not facts.image_bytes then return end
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    local wanted, image = service.vm.disk_bytes, service.image
    local least = wanted and image and image.path and facts.image_bytes(image.path, image.format)
    if least and wanted < least then
      report(facts.written(name, "disk"), ("%s is smaller than the image, whose disk has %s"):format(
        units.format_bytes(wanted), units.format_bytes(least)), "leave it out, or write at least " .. as_written(least))
    end
  end
end

return M
