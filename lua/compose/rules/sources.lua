--- Checks of the files that machines start from, and of directories that guests share, against what the host has. Pure: the
--- facts are handed in.
local lazy = require "holos.core.lazy"
local nearby = lazy "holos.compose.rules.nearby"
local path = require "holos.core.path"
local text = lazy "holos.core.text"
local volumes = lazy "holos.compose.volumes"

local M = {}

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

-- Whether a path is that of a file or a socket, by its name: "nginx.conf", but neither "conf.d" nor "site-1.2".
local function is_file_name(name)
  local extension = path.extension(name)
  return extension ~= "" and extension ~= ".d" and not extension:find("^%.%d+$")
end

-- What to do about a source that is missing. A directory where a file was meant would keep the file from ever being there.
local function cure(mount)
  if is_file_name(mount.source) or is_file_name(mount.target) or path.is_beneath(mount.source, "/run")
    or path.is_beneath(mount.source, "/var/run") then
    return "make a file a config: configs: {NAME: {file: PATH}}; only directories can be shared, no files and no sockets"
  end
  return "make it: mkdir -p " .. text.shell_quote(mount.source)
end

local function check_source(keys, mount, report, facts, project)
  local kind = facts.stat(mount.source)
  if not kind and mount.create_host_path then return end
  if not kind then
    local close = nearby.nearest(mount.source, nearby.names(mount.source, facts), project)
    report(keys, mount.source .. " does not exist", (close and ('did you mean "%s"? Else '):format(close) or "")
      .. cure(mount))
  elseif kind ~= "directory" then
    report(keys, ("%s is a %s; only directories can be shared"):format(mount.source, kind),
      "share the directory that holds it, or make it a config: configs: {NAME: {file: PATH}}")
  elseif mount.source == "/" and not mount.read_only then
    facts.warn(keys, "the guest can change the whole file system of the host", 'add ":ro"')
  end
end

--- virtiofsd reads its options as a list with commas and backslashes of its own; some versions have no way around that.
local function check_virtiofs(keys, mount, image, report)
  if volumes.driver(mount, image) ~= "virtiofs" or not mount.source:find("[,\\]") then return end
  report(keys, ("virtiofsd cannot share %s: in a path it takes %s for a sign of its own"):format(mount.source,
    mount.source:find(",", 1, true) and "a comma" or "a backslash"),
    "rename it, or share it by 9p where the guest has that (driver: 9p)")
end

local function warn_of_kernel(keys, image, facts)
  if not (image.quirks and image.quirks.no_shares) then return end
  facts.warn(keys, ("the kernel of %s is said to know neither virtiofs nor 9p"):format(image.shown or image.name),
    "use a volume, or copy what is needed")
end

--- Shared directories have names that whoever shares them can take.
function M.check_source_names(project, report, facts)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, mount in ipairs(service.mounts) do
      if mount and mount.kind == "bind" and mount.source and service.image then
        check_virtiofs({ "services", name, "volumes", position }, mount, service.image, report)
        warn_of_kernel({ "services", name, "volumes", position }, service.image, facts)
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
