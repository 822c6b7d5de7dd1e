local catalogue = require "holos.image.catalogue"
local json = require "holos.core.json"
local reference = require "holos.image.reference"
local schema = require "holos.image.catalogue_schema"
local source = require "tests.support.source"

local HEX = ("0123456789abcdef"):rep(4)

local function find(...) return catalogue.find(catalogue.new(), ...) end

-- What a user may write in images.lua.
local function own(changes)
  local made = { name = "own", architectures = { x86_64 = "amd64" }, user = "me", checksums = "{directory}/SHA256SUMS",
    versions = { { tag = "1", url = "https://example.org/{architecture}/own-{tag}.qcow2" } } }
  for key, value in pairs(changes or {}) do made[key] = value end
  return made
end

test("the systems of the catalogue, their default versions and architectures", function()
  local wanted = { almalinux = "10", alpine = "3.23", arch = "latest", ["centos-stream"] = "10", debian = "12", fedora = "44",
    opensuse = "16.0", rocky = "10", ubuntu = "24.04" }
  local names = {}
  for name, tag in pairs(wanted) do
    names[#names + 1] = name
    equal(find(name, nil, "x86_64").tag, tag, name)
    equal(find(name, "latest", "x86_64").tag, tag, name)
    ok(find(name, nil, "x86_64").is_default, name)
  end
  table.sort(names)
  equal(catalogue.names(catalogue.new()), names)
  for _, tag in ipairs { "12", "13", "bookworm", "trixie", "12-generic" } do ok(find("debian", tag, "aarch64"), tag) end
  for _, tag in ipairs { "22.04", "24.04", "26.04", "jammy", "noble", "resolute" } do ok(find("ubuntu", tag, "aarch64"), tag) end
end)

test("every entry is whole: https, a build of its own, something to check it by, a user", function()
  local entries = catalogue.list(catalogue.new())
  ok(#entries >= 36, #entries)
  for _, entry in ipairs(entries) do
    local name = ("%s:%s %s"):format(entry.name, entry.tag, entry.architecture)
    equal(reference.check_url(entry.url), nil, name)
    ok(entry.url:find("^https://") and not entry.url:find("[{}]"), name .. ": " .. entry.url)
    ok(reference.parse(entry.url), name)
    ok(entry.checksum.url and not entry.checksum.url:find("[{}]"), name)
    equal(reference.check_url(entry.checksum.url), nil, name)
    if entry.latest then
      ok(not (entry.latest.url .. entry.latest.checksum.url):find("[{}]"), name)
      ok(entry.latest.url ~= entry.url or entry.architecture == "aarch64", name)
    end
    ok(entry.user and entry.family and entry.least_memory_mib >= 128, name)
    ok(entry.is_checked or entry.note, name .. ": what nobody has tried says so")
    ok(entry.format == "qcow2", name)
    ok(json.encode(entry):find('"aliases":[', 1, true), name .. ": no other names are an empty list")
  end
end)

test("digests that are pinned have the digits of their algorithm", function()
  local count = 0
  for _, entry in ipairs(catalogue.list(catalogue.new())) do
    for algorithm, digits in pairs { sha256 = 64, sha512 = 128 } do
      local hex = entry.checksum[algorithm]
      if hex then
        count = count + 1
        ok(#hex == digits and hex:find("^[0-9a-f]+$"), entry.url)
      end
    end
  end
  ok(count >= 20, count)
end)

test("addresses and checksums of an entry, as its publisher lays files out", function()
  local debian = find("debian", "bookworm", "aarch64")
  equal(debian.url, "https://cloud.debian.org/images/cloud/bookworm/20260923-2610/debian-12-genericcloud-arm64-20260923-2610.qcow2")
  equal(debian.checksum.url, "https://cloud.debian.org/images/cloud/bookworm/20260923-2610/SHA512SUMS")
  equal(debian.latest, { url = "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-arm64.qcow2",
    checksum = { url = "https://cloud.debian.org/images/cloud/bookworm/latest/SHA512SUMS" } })
  local alpine = find("alpine", "3.22", "x86_64")
  equal(alpine.checksum, { url = alpine.url .. ".sha512", algorithm = "sha512" })
  local fedora = find("fedora", nil, "x86_64")
  equal(fedora.checksum.url, "https://dl.fedoraproject.org/pub/fedora/linux/releases/44/Cloud/x86_64/images/"
    .. "Fedora-Cloud-44-1.7-x86_64-CHECKSUM")
  equal(find("centos", "9", "x86_64").user, "cloud-user")
  equal(find("alpine", nil, "aarch64").os, "openrc")
end)

test("one distribution is loaded for a name of it, and no other", function()
  local saved = {}
  for name, module in pairs(package.loaded) do
    if name:find("^holos%.image%.") then saved[name] = module end
  end
  for name in pairs(saved) do package.loaded[name] = nil end
  local fresh = require "holos.image.catalogue"
  fresh.find(fresh.new(), "debian", "13", "x86_64")
  local now = {}
  for name in pairs(package.loaded) do
    if name:find("^holos%.image%.catalogue%.") then now[#now + 1] = name end
  end
  for name, module in pairs(saved) do package.loaded[name] = module end
  equal(now, { "holos.image.catalogue.debian" })
end)

local UNKNOWN = {
  { { "debain", nil, "x86_64" }, 'no image is called "debain"', 'did you mean "debian"?' },
  { { "wordpress", nil, "x86_64" }, 'no image is called "wordpress"', "almalinux, alpine, arch," },
  { { "debian", "14", "x86_64" }, 'debian has no "14"', "there are 12, 13, 12-generic, 13-generic" },
  { { "debian", "bookworm-slim", "x86_64" }, 'debian has no "bookworm-slim"',
    'did you mean "debian:bookworm"? there are 12, 13, 12-generic, 13-generic' },
  { { "arch", nil, "aarch64" }, "arch:latest is not published for aarch64", "it is for x86_64" },
  { { "debian", "12", "riscv64" }, "debian:12 is not published for riscv64", "it is for x86_64, aarch64" },
}

test("what is not there is told with what is", function()
  for _, case in ipairs(UNKNOWN) do
    local entry, message, hint = find(table.unpack(case[1], 1, 3))
    equal(entry, nil)
    equal(message, case[2])
    ok(hint:find(case[3], 1, true), hint)
  end
end)

test("the name that an image is kept under", function()
  local known = catalogue.new()
  equal({ catalogue.canonical(known, "archlinux", nil) }, { "arch", "latest" })
  equal({ catalogue.canonical(known, "alma", "latest") }, { "almalinux", "10" })
  equal({ catalogue.canonical(known, "ubuntu", "noble") }, { "ubuntu", "24.04" })
  equal(catalogue.canonical(known, "nothing-at-all", nil), nil)
end)

test("the data of holos follow the rules for those of users", function()
  for _, file in ipairs(source.list("lua/image/catalogue", "%.lua$")) do
    local data = require(file.path:gsub("^lua/", "holos."):gsub("%.lua$", ""):gsub("/", "."))
    local _, findings = schema.check(data)
    equal(findings, {}, file.path)
    for _, other in ipairs(data.also or {}) do equal((catalogue.canonical(catalogue.new(), other)), data.name) end
  end
end)

test("users add images, and replace what is there", function()
  local known = catalogue.new()
  equal(catalogue.extend(known, own { also = { "mine" } }, "/etc/holos/images.lua"), {})
  local entry = catalogue.find(known, "mine", nil, "x86_64")
  equal(entry.url, "https://example.org/amd64/own-1.qcow2")
  equal(entry.checksum, { url = "https://example.org/amd64/SHA256SUMS" })
  equal({ entry.os, entry.share_driver, entry.least_memory_mib, entry.family }, { "systemd", "virtiofs", 512, "own" })
  equal(entry.source, "/etc/holos/images.lua")
  equal(catalogue.extend(known, { own { name = "debian", versions = { { tag = "12", url = "https://mirror.example/d.qcow2",
    digests = { x86_64 = "sha256:" .. HEX } } } } }, "b"), {})
  equal(catalogue.find(known, "debian", nil, "x86_64").url, "https://mirror.example/d.qcow2")
  equal(catalogue.find(known, "debian", "12", "x86_64").checksum.sha256, HEX)
  equal(catalogue.find(known, "debian", "13", "x86_64").source, nil)
  local twelve = 0
  for _, each in ipairs(catalogue.list(known)) do
    if each.name == "debian" and each.tag == "12" then twelve = twelve + 1 end
  end
  equal(twelve, 1)
  equal(catalogue.find(catalogue.new(), "own", nil, "x86_64"), nil, "catalogues know nothing of each other")
end)

local function version(changes)
  local made = { tag = "1", url = "https://example.org/a.qcow2" }
  for key, value in pairs(changes) do made[key] = value end
  return own { versions = { made } }
end

local FAULTS = {
  { "no table", 7, "gives no table" },
  { "no name", own { name = false }, "a name" },
  { "a container's name", own { name = "a/b" }, '"a/b"' },
  { "an unknown field", own { nam = "x" }, 'did you mean "name"?' },
  { "http", version { url = "http://example.org/a.qcow2" }, "fetched by https only" },
  { "a place that is none", version { url = "https://example.org/{arch}.qcow2" }, "{arch} stands for nothing" },
  { "a build without one", version { url = "https://example.org/{build}.qcow2" }, "no build" },
  { "a short digest", version { digests = { x86_64 = "sha256:12" } }, "64 hexadecimal digits" },
  { "no architecture", own { architectures = false }, "expected" },
  { "a wrong system", own { os = "windows" }, "windows" },
  { "too little memory", own { least_memory_mib = 1 }, "16" },
  { "a tag with a slash", version { tag = "a/b" }, "is no tag" },
}

test("faults in a user's file are told with their place, and nothing of it is taken", function()
  for _, case in ipairs(FAULTS) do
    local known = catalogue.new()
    local findings = catalogue.extend(known, case[2], "x")
    ok(#findings > 0, case[1])
    local said = {}
    for _, it in ipairs(findings) do said[#said + 1] = it.path .. ": " .. it.message .. " " .. (it.hint or "") end
    ok(table.concat(said, "\n"):find(case[3], 1, true), case[1] .. ": " .. table.concat(said, "\n"))
    equal(next(known.added), nil, case[1])
  end
end)

test("what cannot be checked is not taken", function()
  local data = own()
  data.checksums = nil
  local findings = catalogue.extend(catalogue.new(), data, "x")
  equal(findings[1], { path = "own.versions[1]", message = "has neither checksums nor a digest for x86_64",
    hint = "what cannot be checked is not used" })
  data = own { versions = { { tag = "1", urls = { aarch64 = "https://example.org/a.qcow2" } } } }
  ok(catalogue.extend(catalogue.new(), data, "x")[1].message:find("no url for x86_64", 1, true))
end)

test("the example of docs/images.md is a catalogue, and says what it seems to say", function()
  local example = source.file("docs/images.md").text:match("\n```lua\n(.-)\n```\n")
  local known = catalogue.new()
  equal(catalogue.extend(known, assert(load(example, "=images.lua", "t", {}))(), "images.lua"), {})
  local entry = catalogue.find(known, "ourlinux", "seven", "aarch64")
  equal({ entry.tag, entry.url, entry.checksum.url, entry.latest.url, entry.signature.suffix },
    { "7", "https://images.example.org/7/20260901/ourlinux-7-arm64-20260901.qcow2",
      "https://images.example.org/7/20260901/SHA256SUMS", "https://images.example.org/7/latest/ourlinux-7-arm64.qcow2", ".gpg" })
  equal(#catalogue.find(known, "ourlinux", "6", "x86_64").checksum.sha256, 64)
  equal((catalogue.find(known, "ourlinux", "6", "aarch64")), nil)
end)
