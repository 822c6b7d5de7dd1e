-- core/tar beside what POSIX says of a header; tests/life/state_test has tar(1) read one.
local tar = require "holos.core.tar"

test("an archive is whole blocks, two empty ones at its end; a header holds its name, size and sum", function()
  local archive = tar.pack { { name = "a/b", text = ("x"):rep(513), mode = 384, mtime_s = 1 } }
  equal(#archive, 512 + 1024 + 1024)
  equal({ archive:sub(1, 4), archive:sub(101, 107), archive:sub(125, 135), archive:sub(258, 262) },
    { "a/b\0", "0000600", "00000001001", "ustar" })
  local sum = 0
  for i = 1, 512 do sum = sum + (i >= 149 and i <= 156 and 32 or archive:byte(i)) end
  equal(tonumber(archive:sub(149, 154), 8), sum)
  equal(archive:sub(-1024), ("\0"):rep(1024))
end)

test("a long name is parted at a slash; one that cannot be is refused", function()
  local directory, name = ("d"):rep(90), ("n"):rep(80)
  local archive = tar.pack { { name = directory .. "/" .. name, text = "", mode = 384, mtime_s = 0 } }
  equal({ archive:sub(1, 80), archive:sub(346, 435) }, { name, directory })
end)

test("a name that cannot be parted, and a long target, stand in members of their own", function()
  local name, target = ("n"):rep(101), ("t"):rep(200)
  local header = tar.header { name = name, type = "symlink", mode = 511, mtime_s = 0, target = target }
  equal(#header, 5 * 512)
  equal({ header:sub(1, 13), header:sub(157, 157), header:sub(513, 513 + #name) }, { "././@LongLink", "L", name .. "\0" })
  equal({ header:sub(1025, 1037), header:sub(1181, 1181) }, { "././@LongLink", "K" })
  equal({ header:sub(1537, 1538 + #target - 1), header:sub(2049, 2148), header:sub(2205, 2205) },
    { target .. "\0", ("n"):rep(100), "2" })
end)
