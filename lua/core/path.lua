--- Paths as text: nothing is looked up. Pure.
local M = {}

-- Whether an absolute path is in its shortest form already, as most are. Names that begin with a dot say no.
local function is_normal(name)
  return name:find("^/.*[^/]$") and not name:find("//", 1, true) and not name:find("/.", 1, true)
end

--- Removes "//", "." and ".." as far as the text alone allows; no slash at the end but for the root.
function M.normalize(name)
  if is_normal(name) then return name end
  local absolute = name:sub(1, 1) == "/"
  local parts = {}
  for part in name:gmatch("[^/]+") do
    if part == ".." and #parts > 0 and parts[#parts] ~= ".." then
      parts[#parts] = nil
    elseif part ~= "." and not (part == ".." and absolute) then
      parts[#parts + 1] = part
    end
  end
  local joined = table.concat(parts, "/")
  if absolute then return "/" .. joined end
  return joined == "" and "." or joined
end

--- "a" and "b/c" give "a/b/c"; an absolute second part stands alone.
function M.join(base, name)
  if name:sub(1, 1) == "/" then return name end
  return base:sub(-1) == "/" and base .. name or base .. "/" .. name
end

--- `name` as an absolute path, seen from the absolute directory `base`.
function M.absolute(name, base) return M.normalize(M.join(base, name)) end

--- The directory that holds `name`; the root holds itself.
function M.parent(name)
  local parent = M.normalize(name):match("^(.*)/[^/]*$")
  if not parent then return "." end
  return parent == "" and "/" or parent
end

--- The last part of `name`.
function M.base(name) return M.normalize(name):match("([^/]*)$") end

--- A path as seen from a directory when it lies below; else as it is.
function M.relative(name, directory)
  if directory == "/" or name == directory or not M.is_beneath(name, directory) then return name end
  return name:sub(#directory + 2)
end

--- A path below a project's directory as its file would write it: "./www"; others as they are.
---@param directory string?
function M.short(name, directory)
  if not directory or name == directory or not M.is_beneath(name, directory) then return name end
  return "." .. name:sub(#directory + 1)
end

--- The extension with its dot, lower case: ".qcow2"; "" without one.
function M.extension(name) return (M.base(name):match("[^.](%.[^.]+)$") or ""):lower() end

--- Whether `name` is `directory` or lies below it.
function M.is_beneath(name, directory)
  name, directory = M.normalize(name), M.normalize(directory)
  return name == directory or directory == "/" or name:sub(1, #directory + 1) == directory .. "/"
end

return M
