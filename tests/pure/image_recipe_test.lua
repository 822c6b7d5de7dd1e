--- Recipes of images: what their programs are told, and what is said of tools that are missing.

local recipe = require "holos.image.recipe"

test("recipe: the words of the program", function()
  equal(recipe.words("debian", {}), { "--attached", "--distribution", "debian" })
  equal(recipe.words("ubuntu", { suite = "noble", mirror = "http://mirror/ubuntu", package = { "vim", "g++" }, emulated = true }),
    { "--attached", "--distribution", "ubuntu", "--suite", "noble", "--mirror", "http://mirror/ubuntu", "--package", "vim",
      "--package", "g++", "--emulated" })
end)

test("recipe: parameters that a shell, apt or a path would read in another way are refused", function()
  local GOOD = { { suite = "bookworm" }, { suite = "bookworm-backports" }, { mirror = "https://mirror.example/debian" },
    { mirror = "http://[::1]:3142/debian/" }, { package = { "libstdc++6", "0ad", "python3.11" } } }
  for i, asked in ipairs(GOOD) do equal({ i, recipe.complaint(asked) }, { i }) end
  local BAD = { { suite = "" }, { suite = "-x" }, { suite = "../sid" }, { suite = "a b" }, { suite = "$(id)" },
    { mirror = "file:///etc" }, { mirror = "http://me:secret@mirror/debian" }, { mirror = "http://m/a b" }, { mirror = "-o" },
    { package = { "vim", "" } }, { package = { "--variant" } }, { package = { "a;b" } }, { package = { "vim,less" } },
    { package = { "./x.deb" } } }
  for i, asked in ipairs(BAD) do
    local complaint = recipe.complaint(asked)
    ok(complaint and complaint:find "^%-%-[%l]+: ", ("number %d passes"):format(i))
  end
end)

test("recipe: tools that are missing are named all at once, with the line that installs them", function()
  local tools = { recipe.all.debian.tools[3], recipe.all.debian.tools[11] }
  local message, hint = recipe.missing_words("debian", tools, false)
  equal({ message, hint }, { [[
an image of debian is made by tools that are not here:
  mmdebstrap (mmdebstrap): installs the packages into a tree
  libdevmapper1.02.1 (libdevmapper.so.1.02.1): is linked to the GRUB tools]], [[
this installs them:
sudo apt-get install --no-install-recommends mmdebstrap libdevmapper1.02.1]] })
  local _, as_root = recipe.missing_words("debian", tools, true)
  ok(as_root:find("\napt-get install", 1, true), as_root)
  local _, elsewhere = recipe.missing_words("debian", { recipe.all.debian.tools[1] }, true)
  ok(not elsewhere:find("apt-get install", 1, true) and elsewhere:find("Debian or Ubuntu", 1, true), elsewhere)
end)
