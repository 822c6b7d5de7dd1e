--- Checks against what the host has, and what the guest can do. Pure: the facts are handed in.
local lazy = require "holos.core.lazy"
local image_ = lazy "holos.compose.image"
local path = require "holos.core.path"
local tables = require "holos.core.table"
local text = lazy "holos.core.text"
local units = lazy "holos.core.units"
local volumes = lazy "holos.compose.volumes"

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

-- The names in a file's directory that a finding may suggest.
local function names_beside(file, facts) return facts.list and facts.list(path.parent(file)) or {} end

-- The near one of some names in the directory of a file, as the file would write it.
local function nearest(file, names, project)
  local close, parent = text.nearest(path.base(file), names), path.parent(file)
  return close and (parent == project.directory and "./" .. close or path.join(parent, close))
end

-- What somebody who named an image that is not there may have meant.
local function advise_image(file, facts, project)
  local images = tables.filter(names_beside(file, facts), function(name) return image_.is_path(name) end)
  local close = nearest(file, images, project)
  if close then return ('did you mean "%s"?'):format(close) end
  if #images > 0 then return "images there: " .. table.concat(images, " ", 1, math.min(#images, LISTED)) end
  return "put a qcow2 or raw image there; `holos init -o -` says where one is to be had"
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
    local least = wanted and image and facts.image_bytes(image.path, image.format)
    if least and wanted < least then
      report(facts.written(name, "disk"), ("%s is smaller than the image, whose disk has %s"):format(
        units.format_bytes(wanted), units.format_bytes(least)), "leave it out, or write at least " .. as_written(least))
    end
  end
end

-- The files of the host that a machine starts from, by the keys that name them.
local function machine_files(service)
  local files, boot = {}, service.boot or {}
  for _, key in ipairs { "kernel", "initrd", "firmware" } do
    if boot[key] and boot[key]:sub(1, 1) == "/" then files[#files + 1] = { boot[key], "boot", key } end
  end
  for _, cdrom in ipairs(service.cdroms or {}) do
    if cdrom.path then files[#files + 1] = { cdrom.path, cdrom.is_iso and "iso" or "cdrom" } end
  end
  return files
end

--- Kernels, firmware and CD-ROMs are there.
function M.check_files(project, report, facts)
  if not facts.stat then return end
  for _, name in ipairs(project.order) do
    for _, file in ipairs(machine_files(project.services[name])) do
      local keys, kind = { "services", name, file[2], file[3] }, facts.stat(file[1])
      if not kind then
        report(keys, file[1] .. " does not exist")
      elseif kind ~= "file" then
        report(keys, ("%s is a %s, not a file"):format(file[1], kind))
      end
    end
  end
end

--- A number in the order to start from is that of one CD-ROM.
function M.check_boot_order(project, report)
  for _, name in ipairs(project.order) do
    local seen = {}
    for _, cdrom in ipairs(project.services[name].cdroms or {}) do
      local index, keys = cdrom.boot_index, { "services", name, "cdrom" }
      if index and seen[index] then
        report(keys, ("%s and %s are both to be started from as number %d"):format(seen[index], cdrom.path, index),
          "number them 1, 2, ...")
      end
      if index then seen[index] = cdrom.path end
    end
  end
end

local function check_source(keys, mount, report, facts, project)
  local kind = facts.stat(mount.source)
  if not kind and mount.create_host_path then return end
  if not kind then
    local close = nearest(mount.source, names_beside(mount.source, facts), project)
    report(keys, mount.source .. " does not exist", (close and ('did you mean "%s"? Else '):format(close) or "")
      .. "make it: mkdir -p " .. text.shell_quote(mount.source))
  elseif kind ~= "directory" then
    report(keys, ("%s is a %s; only directories can be shared"):format(mount.source, kind),
      "share the directory that holds it, or make it a config: configs: {NAME: {file: PATH}}")
  elseif mount.source == "/" and not mount.read_only then
    facts.warn(keys, "the guest can change the whole file system of the host", 'add ":ro"')
  end
end

--- virtiofsd reads its options as a list with commas and backslashes of its own; some versions have no way around that.
local function check_virtiofs(keys, mount, os, report)
  if volumes.driver(mount, os) ~= "virtiofs" or not mount.source:find("[,\\]") then return end
  report(keys, ("virtiofsd cannot share %s: in a path it takes %s for a sign of its own"):format(mount.source,
    mount.source:find(",", 1, true) and "a comma" or "a backslash"),
    "rename it, or share it by 9p where the guest has that (driver: 9p)")
end

--- Shared directories have names that whoever shares them can take.
function M.check_source_names(project, report)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, mount in ipairs(service.mounts) do
      if mount and mount.kind == "bind" and mount.source and service.image then
        check_virtiofs({ "services", name, "volumes", position }, mount, service.image.os, report)
      end
    end
  end
end

--- Shared directories are there.
function M.check_sources(project, report, facts)
  if not facts.stat then return end
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, mount in ipairs(service.mounts) do
      if mount and mount.kind == "bind" and mount.source then
        check_source({ "services", name, "volumes", position }, mount, report, facts, project)
      end
    end
  end
end

return M
