--- Recipes of images that are made on this machine, as data: the program, what it needs, what comes out. Pure.
--
-- A recipe is a program of ours (recipes/images/…) and the files that it reads. It gets its parameters as words of its own,
-- prints a line for each step, and leaves image.qcow2 in the directory that is its last word. Status 64: nothing was done,
-- and the last line of its log says what to ask for instead. When its standard input ends, whoever wanted the image is gone,
-- and it ends, too, after all that it has started.
local table_ = require "holos.core.table"

local M = {}

local PROGRAM = "recipes/images/debian/build"
local FILES = { PROGRAM, "recipes/images/debian/customize", "recipes/images/debian/disk.sh",
  "recipes/images/debian/filesystem", "recipes/images/debian/prepare", "recipes/images/packages.sh" }

---@class holos.RecipeTool
---@field program string?    looked for on PATH
---@field file    string[]?  or a file, at any of these places
---@field package string     of Debian and Ubuntu
---@field why     string
---@field rootless boolean?  only when others than root build

local TOOLS = {
  { program = "apt-get", package = "apt", why = "knows the packages and fetches them" },
  { program = "dpkg-deb", package = "dpkg", why = "unpacks GRUB" },
  { program = "mmdebstrap", package = "mmdebstrap", why = "installs the packages into a tree" },
  { program = "newuidmap", package = "uidmap", why = "lets others than root own the files of a tree", rootless = true },
  { program = "tar", package = "tar", why = "carries the tree" },
  { program = "mke2fs", package = "e2fsprogs", why = "makes the root file system" },
  { program = "mkfs.vfat", package = "dosfstools", why = "makes the EFI partition" },
  { program = "mcopy", package = "mtools", why = "fills the EFI partition" },
  { program = "sfdisk", package = "fdisk", why = "partitions the disk" },
  { program = "qemu-img", package = "qemu-utils", why = "makes a qcow2 of the disk" },
  { file = { "/lib/x86_64-linux-gnu/libdevmapper.so.1.02.1", "/usr/lib/x86_64-linux-gnu/libdevmapper.so.1.02.1" },
    package = "libdevmapper1.02.1", why = "is linked to the GRUB tools" },
}

---@class holos.ImageRecipe
---@field program       string    the path of the program among `files`
---@field files         string[]  as the binary has them
---@field tools         holos.RecipeTool[]
---@field architectures table<string, true>
---@field space_bytes   integer   that must be free
---@field facts         table     as of the image store

local function recipe(distribution)
  return { program = PROGRAM, files = FILES, tools = TOOLS, architectures = { x86_64 = true }, space_bytes = 3 << 30,
    facts = { user = distribution, family = distribution, os = "systemd", share_driver = "virtiofs", least_memory_mib = 512 } }
end

M.all = { debian = recipe "debian", ubuntu = recipe "ubuntu" }

--- The names of all recipes, sorted.
function M.names() return table_.keys(M.all) end

-- What a parameter may be: nothing that a shell, apt or a path would read in another way.
local FORMS = {
  { "suite", "^%l[%l%d.-]*$", "the name of a suite: bookworm, noble" },
  { "mirror", "^https?://[%w.:%[%]/_~%%-]+$", "a URL: http://mirror.example/debian; without a password, as guests would have it" },
}
local PACKAGE = "^%l[%l%d+.-]+$|^%d[%l%d+.-]+$"

local function is_package(name)
  for pattern in PACKAGE:gmatch("[^|]+") do
    if name:find(pattern) then return true end
  end
  return false
end

--- What is wrong with what was asked for; nil when nothing is.
---@param asked {suite: string?, mirror: string?, package: string[]?}
---@return string? complaint
function M.complaint(asked)
  for _, form in ipairs(FORMS) do
    local name, pattern, wanted = table.unpack(form)
    if asked[name] and not asked[name]:find(pattern) then
      return ("--%s: %q is not %s"):format(name, asked[name], wanted)
    end
  end
  for _, name in ipairs(asked.package or {}) do
    if not is_package(name) then return ("--package: %q is not the name of a package"):format(name) end
  end
end

--- The program's words, without the directory.
---@param name string  the recipe's
---@param asked {suite: string?, mirror: string?, package: string[]?, emulated: boolean?}
---@return string[]
function M.words(name, asked)
  local words = { "--attached", "--distribution", name }
  for _, option in ipairs { "suite", "mirror" } do
    if asked[option] then table_.extend(words, { "--" .. option, asked[option] }) end
  end
  for _, package in ipairs(asked.package or {}) do table_.extend(words, { "--package", package }) end
  if asked.emulated then words[#words + 1] = "--emulated" end
  return words
end

--- What is said about tools that are missing, all at once, and the line that installs them.
---@param missing holos.RecipeTool[]
---@param is_root boolean
---@return string message
---@return string hint
function M.missing_words(name, missing, is_root)
  local lines, packages = {}, {}
  for i, tool in ipairs(missing) do
    lines[i] = ("  %s (%s): %s"):format(tool.package, tool.program or tool.file[1]:match("[^/]+$"), tool.why)
    packages[i] = tool.package
  end
  local message = ("an image of %s is made by tools that are not here:\n%s"):format(name, table.concat(lines, "\n"))
  if table_.index_of(packages, "apt") then
    return message, "it wants Debian or Ubuntu: build it there (a virtual machine will do) with -o FILE, and bring the file here"
  end
  return message, ("this installs them:\n%sapt-get install --no-install-recommends %s"):format(is_root and "" or "sudo ",
    table.concat(packages, " "))
end

return M
