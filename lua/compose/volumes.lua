--- Mounts of a service: services.*.volumes. Pure.

local M = {}

--- What volumes may be called: at top level and as the source of a mount.
M.name_pattern = "[%w][%w_.-]*"

local NO_MEANING = {
  z = true, Z = true, nocopy = true, cached = true, delegated = true, consistent = true, shared = true, slave = true,
  private = true, rshared = true, rslave = true, rprivate = true,
}

local function split(text, separator)
  local parts = {}
  for part in (text .. separator):gmatch("([^" .. separator .. "]*)" .. separator) do parts[#parts + 1] = part end
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
  for _, option in ipairs(split(text, ",")) do
    if option == "ro" or option == "rw" then
      mount.read_only = option == "ro"
    elseif NO_MEANING[option] then
      return ('the option "%s" has no meaning for a VM'):format(option), "remove it"
    else
      return ('unknown option "%s"; expected ro or rw'):format(option)
    end
  end
end

--- Source and target, checked and put together.
---@return table? mount  {kind = "volume", volume=, target=, read_only=} or {kind = "bind", source=, …}
function M.make(source, target_text, read_only)
  local kind, message, hint = M.kind_of(source)
  if not kind then return nil, message, hint end
  local target
  target, message = M.target(target_text)
  if not target then return nil, message end
  local mount = { kind = kind, target = target, read_only = read_only or false }
  mount[kind == "bind" and "source" or "volume"] = source
  return mount
end

--- One mount in short form: SOURCE:TARGET[:ro|rw]. A source that starts with ".", "/" or "~" is a path of the host, any
--- other is the name of a volume. Relative paths stay relative.
---@param text string
---@return table? mount  as from `make`
---@return string? message
---@return string? hint
function M.parse(text)
  local parts = split(text, ":")
  if #parts == 1 then
    return nil, "volumes without a name are not available yet",
      ('write "NAME:%s" and declare NAME under volumes:'):format(text)
  end
  if #parts > 3 then return nil, ('expected "SOURCE:TARGET[:ro]", got "%s"'):format(text) end
  local mount, message, hint = M.make(parts[1], parts[2])
  if not mount then return nil, message, hint end
  if parts[3] then
    message, hint = read_options(parts[3], mount)
    if message then return nil, message, hint end
  end
  return mount
end

-- Docker gives a type in words; ours is told by the source. Both must agree.
local function check_type(long, mount)
  if long.type == mount.kind then return end
  local is = mount.kind == "bind" and "a path" or "the name of a volume"
  return ('type is "%s" and the source "%s" is %s'):format(long.type, long.source, is)
end

--- The mount of a checked long form: {type, source, target, read_only, driver}.
---@return table? mount
---@return string? message
---@return string? hint
function M.from_long(long)
  local mount, message, hint = M.make(long.source, long.target, long.read_only)
  if not mount then return nil, message, hint end
  message = check_type(long, mount)
  if message then return nil, message end
  if long.driver and mount.kind == "volume" then return nil, "a driver is for directories (type: bind)" end
  mount.driver = long.driver
  return mount
end

--- How a directory is shared: as the file says, else by what guests of this kind have: Debian's cloud kernels lack 9p.
---@param os string  of the image
---@return "9p"|"virtiofs"
function M.driver(mount, os) return mount.driver or (os == "plain" and "9p" or "virtiofs") end

return M
