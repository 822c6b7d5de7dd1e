-- Mounts in short and long form, anonymous volumes, file systems in memory.

local check = require "holos.core.schema.check"
local schema = require "holos.compose.schema.mount"
local storage = require "holos.compose.normalize.storage"
local tables = require "holos.core.table"
local tmpfs = require "holos.compose.tmpfs"
local volumes = require "holos.compose.volumes"

local function mount(text)
  local parsed, message = volumes.parse(text)
  if not parsed then return message end
  local source = parsed.kind == "bind" and parsed.source or parsed.volume or "(own)"
  local options = (parsed.nocopy and " nocopy" or "") .. (parsed.idle and " " .. table.concat(parsed.idle, " ") or "")
  return ("%s %s %s %s%s"):format(parsed.kind, source, parsed.target, parsed.read_only and "ro" or "rw", options)
end

test("short forms", function()
  local cases = {
    { "pgdata:/var/lib/postgresql", "volume pgdata /var/lib/postgresql rw" },
    { "./www:/srv/www:ro", "bind ./www /srv/www ro" }, { ".:/src:rw", "bind . /src rw" },
    { "../up:/x", "bind ../up /x rw" }, { ".hidden:/x", "bind .hidden /x rw" }, { "~:/home/me", "bind ~ /home/me rw" },
    { "~/x y,z=1:/a b", "bind ~/x y,z=1 /a b rw" }, { "/etc:/host/etc", "bind /etc /host/etc rw" },
    { "a.b-c_d:/x", "volume a.b-c_d /x rw" }, { "v://a//b/./c/../d/", "volume v /a/b/d rw" },
    { "v:/../../x", "volume v /x rw" }, { "/data", "volume (own) /data rw" }, { "/a/../b/", "volume (own) /b rw" },
    { "v:/a:nocopy", "volume v /a rw nocopy" }, { "v:/a:ro,z", "volume v /a ro z" },
    { "./a:/a:rshared,ro,cached", "bind ./a /a ro rshared cached" }, { "C:/x", "volume C /x rw" },
    { "./${A:-b:c}:/d", "bind ./${A:-b:c} /d rw" }, { "./{a:/b", "bind ./{a /b rw" },
  }
  for _, case in ipairs(cases) do equal(mount(case[1]), case[2], case[1]) end
end)

test("no mounts", function()
  local cases = {
    { "", '"" alone is no mount' }, { "data", '"data" alone is no mount' }, { "./www", '"./www" alone is no mount' },
    { ":/data", "the source is empty" }, { "v:", 'the target "" is not an absolute path' },
    { "v:data", 'the target "data" is not an absolute path' }, { "v:/", 'the target "/" is the guest\'s root' },
    { "/", 'the target "/" is the guest\'s root' }, { "v:/a/..", 'the target "/" is the guest\'s root' },
    { "v:/a:rx", 'unknown option "rx"; expected ro or rw' }, { "v:/a:", 'unknown option ""; expected ro or rw' },
    { "./a:/a:nocopy", 'unknown option "nocopy"; expected ro or rw' },
    { "v:/a:ro:x", 'expected "SOURCE:TARGET[:ro]", got "v:/a:ro:x"' },
    { "a/b:/x", '"a/b" is neither a path nor the name of a volume' },
    { "-v:/x", '"-v" is neither a path nor the name of a volume' },
    { "~root:/x", '"~root": the home of another user' }, { "v:/a\nb", "the target has a control character" },
    { "./a\0b:/x", "the source has a control character" },
    { "C:\\data:/x", '"C:\\data:/x" names a path of Windows' }, { "C:/data:/x", '"C:/data:/x" names a path of Windows' },
    { "\\\\server\\x:/x", '"\\\\server\\x:/x" names a path of Windows' },
  }
  for _, case in ipairs(cases) do equal(mount(case[1]), case[2], case[1]) end
end)

local function long(value)
  local at = check.new()
  local list = check.value(schema.list, tables.list { value }, at)
  return at.findings[1] and at.findings[1].message or list[1], at
end

test("long forms", function()
  equal(long { type = "bind", source = "./a", target = "/a", driver = "9p", bind = { create_host_path = true } },
    { kind = "bind", source = "./a", target = "/a", read_only = false, driver = "9p", create_host_path = true })
  equal(long { type = "volume", source = "v", target = "/a/", read_only = true, volume = { nocopy = true, subpath = "x//y/" } },
    { kind = "volume", volume = "v", target = "/a", read_only = true, nocopy = true, subpath = "x/y" })
  equal(long { type = "volume", target = "/a" }, { kind = "volume", anonymous = true, target = "/a", read_only = false })
  equal(long { type = "tmpfs", target = "/t", tmpfs = { size = "64m", mode = "0700" } },
    { kind = "tmpfs", target = "/t", size_bytes = 64 << 20, mode = 448, read_only = false })
end)

test("long forms that contradict themselves", function()
  local cases = {
    { { type = "bind", target = "/a" }, '"source" is missing' },
    { { type = "bind", source = "v", target = "/a" }, 'type is "bind" and the source "v" is the name of a volume' },
    { { type = "volume", source = "./a", target = "/a" }, 'type is "volume" and the source "./a" is a path' },
    { { type = "volume", source = "v", target = "/a", driver = "9p" },
      '"driver" is for mounts of type bind, and this one is of type volume' },
    { { type = "bind", source = "./a", target = "/a", volume = {} },
      '"volume" is for mounts of type volume, and this one is of type bind' },
    { { type = "tmpfs", source = "./a", target = "/a" }, "a tmpfs has no source" },
    { { type = "volume", source = "v", target = "/a", volume = { subpath = "../x" } }, '"../x" leads out of the volume' },
    { { type = "volume", source = "v", target = "/a", volume = { subpath = "/x" } }, '"/x" is not relative to the volume' },
    { { type = "npipe", source = "x", target = "/a" }, 'type "npipe": named pipes are of Windows' },
    { { type = "disk", source = "x", target = "/a" }, 'expected "bind", "volume" or "tmpfs", got "disk"' },
    { { source = "./a", target = "/a" }, '"type" is missing' },
  }
  for _, case in ipairs(cases) do equal((long(case[1])), case[2]) end
end)

test("options without a meaning are told, and gone", function()
  local at = check.new()
  local list = check.value(schema.list, tables.list { "./a:/a:z,ro" }, at)
  equal(list[1], { kind = "bind", source = "./a", target = "/a", read_only = true })
  ok(at.warnings[1].message:find('the option "z" has no effect', 1, true))
  local _, walk = long { type = "bind", source = "./a", target = "/a", consistency = "cached", bind = { selinux = "z" } }
  equal(#walk.warnings, 2)
end)

test("a volume of an instance's own is called after its service and target", function()
  local mounts = storage.name_mounts("web", { { kind = "volume", anonymous = true, target = "/data" }, false,
    { kind = "volume", volume = "v", target = "/v" } })
  equal(mounts[1].volume, storage.anonymous_name("web", "/data"))
  ok(mounts[1].volume:find("^web%-%x%x%x%x%x%x%x%x$"))
  equal(mounts[3].volume, "v")
  ok(storage.anonymous_name("web", "/a") ~= storage.anonymous_name("web", "/b"))
end)

test("file systems in memory", function()
  equal(tmpfs.parse "/run", { kind = "tmpfs", target = "/run", read_only = false })
  equal(tmpfs.parse "/run/:size=64m,mode=1777,noexec,nosuid,uid=1000,rw",
    { kind = "tmpfs", target = "/run", read_only = false, size_bytes = 64 << 20, mode = 1023, options = "noexec,nosuid,uid=1000" })
  equal(tmpfs.parse "/x:ro,size=4096", { kind = "tmpfs", target = "/x", read_only = true, size_bytes = 4096 })
  local cases = {
    { "run", 'the target "run" is not an absolute path' }, { "/x:size=big", 'expected a size such as 512M or 20G, got "big"' },
    { "/x:mode=9", '"9" is no access rights' }, { "/", 'the target "/" is the guest\'s root' },
    { "/x:bind", 'unknown option "bind"; expected size=…, mode=… or options of mount such as noexec' },
    { "/x:uid=root", 'unknown option "uid=root"; expected size=…, mode=… or options of mount such as noexec' },
  }
  for _, case in ipairs(cases) do equal(select(2, tmpfs.parse(case[1])), case[2], case[1]) end
end)
