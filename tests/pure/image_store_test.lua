-- Names in an image store, what its files say, what is no disk image, and how images are called and compared in plans.
local image = require "holos.plan.image"
local instance = require "holos.plan.instance"
local machine = require "holos.plan.machine"
local magic = require "holos.image.magic"
local manifest = require "holos.image.manifest"
local volumes = require "holos.compose.volumes"

local HEX = ("0123456789abcdef"):rep(4)
local DIGEST = "sha256:" .. HEX

test("digests are 64 small digits behind sha256:, and files are called after them", function()
  equal({ manifest.hex(DIGEST), manifest.short(DIGEST) }, { HEX, "sha256:0123456789ab" })
  for _, text in ipairs { HEX, "sha256:" .. HEX:sub(2), "sha256:" .. HEX .. "0", "sha256:" .. HEX:upper(), "sha512:" .. HEX, "" } do
    equal(manifest.hex(text), nil, text)
  end
  equal({ manifest.of_file_name(HEX .. ".qcow2") }, { DIGEST, "qcow2" })
  equal({ manifest.of_file_name(HEX .. ".raw") }, { DIGEST, "raw" })
  for _, name in ipairs { HEX .. ".json", HEX, HEX .. ".qcow2.x", "." .. HEX .. ".raw", HEX:upper() .. ".raw", "x.qcow2" } do
    equal(manifest.of_file_name(name), nil, name)
  end
end)

test("no name and no tag leads out of its directory", function()
  for _, pair in ipairs { { "debian", "12" }, { "a", "_" }, { "centos-stream", "10.1-x_y" }, { "@url", HEX },
    { "1a", "Latest" } } do
    ok(manifest.is_name(pair[1], pair[2]), pair[1])
  end
  for _, pair in ipairs { { ".", "1" }, { "..", "1" }, { "a/b", "1" }, { "@other", "1" }, { "A", "1" }, { "", "1" }, { "a", "" },
    { "a", "." }, { "a", ".." }, { "a", "b/c" }, { "a\n", "1" }, { "a", "1\n" }, { "a\0", "1" }, { "-a", "1" }, { "a", "-1" } } do
    ok(not manifest.is_name(pair[1], pair[2]), pair[1] .. ":" .. pair[2])
  end
  local function sha256(text) return "hash of " .. text end
  equal({ manifest.pointer({ kind = "name", name = "mine" }, sha256) }, { "mine", "latest" })
  equal({ manifest.pointer({ kind = "url", url = "https://x/y" }, sha256) }, { "@url", "hash of https://x/y" })
  equal({ manifest.pointer({ kind = "digest", digest = DIGEST }, sha256) }, {})
  equal({ manifest.shown("mine", "1"), manifest.shown("@url", "x") }, { "mine:1" })
end)

test("what tags and images say of themselves is held against what it has to be; later versions may say more", function()
  equal(manifest.complaint(manifest.tag, { digest = DIGEST, facts = { os = "openrc", tomorrow = 1 }, later = {} }), nil)
  equal(manifest.complaint(manifest.image, { digest = DIGEST, format = "raw", size_bytes = 1 }), nil)
  for _, value in ipairs { {}, { digest = "x" }, { digest = DIGEST, facts = { os = "beos" } },
    { digest = DIGEST, facts = { user = {} } }, { digest = DIGEST, source = "x" },
    { digest = DIGEST, facts = { family = "a\nb" } } } do
    ok(manifest.complaint(manifest.tag, value))
  end
  for _, value in ipairs { "x", { digest = DIGEST, format = "vmdk", size_bytes = 1 }, { digest = DIGEST, format = "raw" },
    { digest = DIGEST, format = "raw", size_bytes = -1 } } do
    ok(manifest.complaint(manifest.image, value))
  end
end)

test("files that are packed, of other hypervisors, or no disk at all are told by their first bytes", function()
  local cases = {
    { "\31\139\8", "is packed with gzip", "gunzip -k 'x y.img'" }, { "\253" .. "7zXZ\0", "is packed with xz", "xz -dk" },
    { "\40\181\47\253", "is packed with Zstandard", "zstd -d" }, { "BZh9", "is packed with bzip2", "bunzip2 -k" },
    { "PK\3\4", "is packed with zip", "unzip" },
    { "KDMV", "is a vmdk image", "qemu-img convert -f vmdk -O qcow2 'x y.img' 'x y.qcow2'" },
    { "vhdxfile", "is a vhdx image", "-f vhdx" }, { "\127ELF", "is a program" }, { "<!DOCTYPE html>", "is a web page" },
    { ("\0"):rep(257) .. "ustar", "is a tar archive", "tar xf" },
  }
  for _, case in ipairs(cases) do
    local message, hint = magic.complaint(case[1] .. ("\0"):rep(magic.BYTES - #case[1]), "x y.img")
    ok(message and message:find(case[2], 1, true), message)
    ok(not case[3] or hint:find(case[3], 1, true), hint)
  end
  equal(magic.complaint(("\0"):rep(510) .. "\85\170", "x.img"), nil)
  equal(magic.complaint("", "x.img"), nil)
  equal(magic.complaint("hsqs", "x.img", true), nil)
  equal((magic.complaint("\31\139", "x.img", true)), "is packed with gzip")
  ok(select(2, magic.complaint("\31\139\8", "it's.gz")):find([['it'\''s.gz']], 1, true))
end)

test("images are told apart by their digests, else by their files", function()
  local function same(a, b)
    local one, other = image.identity(a), image.identity(b)
    for i = 1, 4 do
      if one[i] ~= other[i] then return false end
    end
    return true
  end
  local stored = { name = "debian:12", digest = DIGEST, format = "qcow2", path = "/a/x.qcow2", mtime_ns = 1, inode = 2 }
  local moved = { name = "other:1", digest = DIGEST, format = "qcow2", path = "/b/x.qcow2", mtime_ns = 7, inode = 8 }
  local file = { path = "/a/x.qcow2", format = "qcow2", mtime_ns = 1, inode = 2 }
  equal({ same(stored, moved), same(stored, file), same(file, file) }, { true, false, true })
  for key, value in pairs { path = "/c", format = "raw", mtime_ns = 3, inode = 4 } do
    ok(not same(file, setmetatable({ [key] = value }, { __index = file })), key)
  end
end)

test("what changed of an image: names where they differ, else digests or paths", function()
  local other = "sha256:" .. HEX:reverse()
  equal({ image.change({ name = "debian:12", digest = DIGEST }, { name = "debian:12", digest = other }) },
    { "debian:12 (sha256:0123456789ab)", "debian:12 (sha256:fedcba987654)" })
  equal({ image.change({ path = "/a/x.qcow2" }, { name = "debian:12", digest = DIGEST }) }, { "x.qcow2", "debian:12" })
  equal({ image.change({ path = "/a/x.qcow2" }, { path = "/b/x.qcow2" }) }, { "/a/x.qcow2", "/b/x.qcow2" })
  equal({ image.change({ path = "/a/x" }, { path = "/a/x" }) }, { "/a/x replaced", "/a/x replaced" })
  equal({ image.change({}, { path = "/a/x" }) }, { "none", "x" })
  equal({ image.label {}, image.label(nil), image.name { name = "a", shown = "a:1" } }, { "blank disk", "blank disk", "a:1" })
end)

test("the least memory of an image, its user and its way of sharing count where the file says nothing", function()
  local service = { vm = {},
    image = { os = "systemd", least_memory_mib = 1024, user = "cloud-user", share_driver = "9p" } }
  local mount = { kind = "bind", source = "/a", target = "/b" }
  equal({ machine.memory_mib(service), instance.default_user(service.image), volumes.driver(mount, service.image) },
    { 1024, "cloud-user", "9p" })
  service.vm.memory_mib, mount.driver = 256, "virtiofs"
  equal({ machine.memory_mib(service), volumes.driver(mount, service.image) }, { 256, "virtiofs" })
  local small = { name = "web", vm = { memory_mib = 256 }, image = { name = "x", shown = "x:1", least_memory_mib = 512 } }
  ok(machine.memory_warning(small):find("web: x:1 is said to want 512 MiB of memory, and gets 256 MiB", 1, true))
  equal(machine.memory_warning { vm = { memory_mib = 512 }, image = { least_memory_mib = 512 } }, nil)
  equal({ machine.memory_mib { vm = {} }, instance.default_user { os = "plain" }, instance.default_user { os = "systemd" },
    volumes.driver({}, { os = "plain" }), volumes.driver({}, { os = "openrc" }), volumes.driver({}, nil) },
    { 512, "root", "ubuntu", "9p", "virtiofs", "9p" })
end)
