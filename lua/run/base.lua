--- Base images of a project: looked at before QEMU ever reads them. Effects: reads them.
local check = require "holos.image.check"

local M = {}

--- Facts about one base image.
---@return table facts  {path, format, size_bytes (virtual), mtime_ns, inode} or {path, error}
function M.look(world, file, format)
  local stat, message = world.fs.stat(file)
  if not stat then return { path = file, error = message } end
  if stat.type ~= "file" then return { path = file, error = ("%s: is a %s, not a disk image"):format(file, stat.type) } end
  local info, reason, code = world.qcow2.info(file)
  local complaint = check.base(info, file, format, code, reason)
  if complaint then return { path = file, error = complaint } end
  return { path = file, format = format, size_bytes = format == "qcow2" and info.virtual_bytes or stat.size_bytes,
    mtime_ns = stat.mtime_ns, inode = stat.inode }
end

--- Base images of a project, each looked at once.
---@return table<string, table> images  by path, as from `look`
function M.of_project(world, project)
  local images = {}
  for _, name in ipairs(project.order) do
    local image = project.services[name].image
    if image then images[image.path] = images[image.path] or M.look(world, image.path, image.format) end
  end
  return images
end

return M
