--- Mounts of a service: services.*.volumes. Pure.
--
-- mount := [ source ":" ] target [ ":" option { "," option } ]
local M = {}

--- What volumes may be called: at top level and as the source of a mount.
M.name_pattern = "[%w][%w_.-]*"

-- Options of containers that a VM's mount does without.
local IDLE = {
  z = true, Z = true, cached = true, delegated = true, consistent = true, shared = true, slave = true,
  private = true, rshared = true, rslave = true, rprivate = true,
}

-- The parts between colons; those inside "${…}" are no separators, as variables may still be in place.
local function split_at_colons(text)
  local parts, from, depth = {}, 1, 0
  for at in text:gmatch("()[:{}]") do
    local byte = text:sub(at, at)
    if byte == "{" and (depth > 0 or text:sub(at - 1, at - 1) == "$") then
      depth = depth + 1
    elseif byte == "}" and depth > 0 then
      depth = depth - 1
    elseif byte == ":" and depth == 0 then
      parts[#parts + 1], from = text:sub(from, at - 1), at + 1
    end
  end
  parts[#parts + 1] = text:sub(from)
  return parts
end

-- "/a//b/../c/" → "/a/c"
local function clean(target)
  if not target:find("//", 1, true) and not target:find("/.", 1, true) and target:find("[^/]$") then return target end
  local kept = {}
  for part in target:gmatch("[^/]+") do
    if part == ".." then kept[#kept] = nil elseif part ~= "." then kept[#kept + 1] = part end
  end
  return "/" .. table.concat(kept, "/")
end

--- A path in the guest in its shortest form.
---@return string? target
---@return string? message
function M.target(text)
  if text:find("%c") then return nil, "the target has a control character" end
  if text:sub(1, 1) ~= "/" then return nil, ('the target "%s" is not an absolute path'):format(text) end
  local target = clean(text)
  if target == "/" then return nil, "the target \"/\" is the guest's root" end
  return target
end

--- A directory inside of a volume: relative, and not out of it.
---@return string? subpath
---@return string? message
function M.subpath(text)
  if text:find("%c") then return nil, "has a control character" end
  if text:sub(1, 1) == "/" then return nil, ('"%s" is not relative to the volume'):format(text) end
  for part in text:gmatch("[^/]+") do
    if part == ".." then return nil, ('"%s" leads out of the volume'):format(text) end
  end
  return clean("/" .. text):sub(2)
end

--- What a source means: a directory of the host, or a named volume.
---@return "bind"|"volume"? kind
---@return string? message
---@return string? hint
function M.kind_of(source)
  if source == "" then return nil, "the source is empty" end
  if source:find("%c") then return nil, "the source has a control character" end
  if source:find("^~[^/]") then
    return nil, ('"%s": the home of another user'):format(source), "write the whole path"
  end
  if source:find("^[./~]") then return "bind" end
  if source:find("^" .. M.name_pattern .. "$") then return "volume" end
  return nil, ('"%s" is neither a path nor the name of a volume'):format(source),
    ('for a directory beside the file write "./%s"'):format(source)
end

local function read_options(text, mount)
  for option in (text .. ","):gmatch("([^,]*),") do
    if option == "ro" or option == "rw" then
      mount.read_only = option == "ro"
    elseif option == "nocopy" and mount.kind == "volume" then
      mount.nocopy = true
    elseif IDLE[option] then
      mount.idle = mount.idle or {}
      table.insert(mount.idle, option)
    else
      return ('unknown option "%s"; expected ro or rw'):format(option)
    end
  end
end

--- Source and target, checked and put together. Without a source it is a volume of the instance's own.
---@return table? mount  {kind = "volume", volume=, target=, read_only=}, {kind = "volume", anonymous = true, …} or
---  {kind = "bind", source=, …}
---@return string? message
---@return string? hint
function M.make(source, target_text, read_only)
  local kind, message, hint = "volume", nil, nil
  if source then kind, message, hint = M.kind_of(source) end
  if not kind then return nil, message, hint end
  local target
  target, message = M.target(target_text)
  if not target then return nil, message end
  local mount = { kind = kind, target = target, read_only = read_only or false }
  if source then mount[kind == "bind" and "source" or "volume"] = source else mount.anonymous = true end
  return mount
end

-- "C:\data:/data" and "C:/data:/data"; a volume may be called "C" all the same.
local function is_of_windows(text, parts)
  local is_drive = #parts > 2 and parts[1]:find("^%a$") and parts[3]:sub(1, 1) == "/"
  return is_drive or text:find("^%a:\\") or text:find("^\\\\")
end

local function refuse(text, parts)
  if is_of_windows(text, parts) then
    return nil, ('"%s" names a path of Windows'):format(text), "holos runs on Linux: name a directory of this host"
  end
  if #parts > 3 then return nil, ('expected "SOURCE:TARGET[:ro]", got "%s"'):format(text) end
  if #parts == 1 and text:sub(1, 1) ~= "/" then
    return nil, ('"%s" alone is no mount'):format(text), 'write SOURCE:TARGET, for example "./www:/srv/www"'
  end
end

--- One mount in short form: [SOURCE:]TARGET[:ro|rw]. A source that starts with ".", "/" or "~" is a path of the host,
--- any other is the name of a volume. Relative paths stay relative.
---@param text string
---@return table? mount  as from `make`; `idle` lists options without a meaning
---@return string? message
---@return string? hint
function M.parse(text)
  local parts = split_at_colons(text)
  local _, problem, advice = refuse(text, parts)
  if problem then return nil, problem, advice end
  local source, target = parts[1], parts[2]
  if not target then source, target = nil, source end
  local mount, message, hint = M.make(source, target)
  if not mount then return nil, message, hint end
  if parts[3] then
    message, hint = read_options(parts[3], mount)
    if message then return nil, message, hint end
  end
  return mount
end

-- What the parts of a long form are for: the type that has them.
local PART_OF = { bind = "bind", volume = "volume", tmpfs = "tmpfs", driver = "bind" }

local function check_parts(long)
  for part, kind in pairs(PART_OF) do
    if long[part] ~= nil and kind ~= long.type then
      return ('"%s" is for mounts of type %s, and this one is of type %s'):format(part, kind, long.type)
    end
  end
end

local function tmpfs_from_long(long)
  if long.source then return nil, "a tmpfs has no source" end
  local target, message = M.target(long.target)
  if not target then return nil, message end
  local own = long.tmpfs or {}
  return { kind = "tmpfs", target = target, size_bytes = own.size, mode = own.mode, read_only = long.read_only or false,
    options = own.options ~= "" and own.options or nil }
end

-- Docker gives a type in words; ours is told by the source. Both must agree.
local function check_type(long, mount)
  if long.type == mount.kind then return end
  local is = mount.kind == "bind" and "a path" or "the name of a volume"
  return ('type is "%s" and the source "%s" is %s'):format(long.type, long.source, is)
end

--- The mount of a checked long form: {type, source, target, read_only, driver, bind, volume, tmpfs}.
---@return table? mount
---@return string? message
---@return string? hint
function M.from_long(long)
  local problem = check_parts(long)
  if problem then return nil, problem end
  if long.type == "tmpfs" then return tmpfs_from_long(long) end
  if long.type == "bind" and not long.source then return nil, '"source" is missing' end
  local mount, message, hint = M.make(long.source, long.target, long.read_only)
  if not mount then return nil, message, hint end
  message = check_type(long, mount)
  if message then return nil, message end
  local volume = long.volume or {}
  mount.driver, mount.nocopy, mount.subpath = long.driver, volume.nocopy, volume.subpath
  if mount.subpath == "" then mount.subpath = nil end
  mount.create_host_path = long.bind and long.bind.create_host_path or nil
  return mount
end

--- How a directory is shared: as the file says, else by what guests of this kind have: Debian's cloud kernels lack 9p.
---@param image {os: string, share_driver: string?}?  of the service
---@return "9p"|"virtiofs"
function M.driver(mount, image)
  local os = image and image.os or "plain"
  return mount.driver or image and image.share_driver or (os == "plain" and "9p" or "virtiofs")
end

return M
