local reference = require "holos.image.reference"

local HEX = ("0123456789abcdef"):rep(4)

local ACCEPTED = {
  { "debian", { kind = "name", name = "debian" } },
  { "debian:12", { kind = "name", name = "debian", tag = "12" } },
  { "centos-stream:10", { kind = "name", name = "centos-stream", tag = "10" } },
  { "my.own_image-2:v1.2-rc", { kind = "name", name = "my.own_image-2", tag = "v1.2-rc" } },
  { "7zip:1", { kind = "name", name = "7zip", tag = "1" } },
  { "debian:12@sha256:" .. HEX, { kind = "name", name = "debian", tag = "12", digest = "sha256:" .. HEX } },
  { "debian@sha512:" .. HEX:upper() .. HEX, { kind = "name", name = "debian", digest = "sha512:" .. HEX .. HEX } },
  { "sha256:" .. HEX:upper(), { kind = "digest", digest = "sha256:" .. HEX } },
  { "/var/lib/images/debian", { kind = "path", path = "/var/lib/images/debian" } },
  { "./postgres:16", { kind = "path", path = "./postgres:16" } },
  { "../a", { kind = "path", path = "../a" } },
  { "~/a.img", { kind = "path", path = "~/a.img" } },
  { "a.qcow2", { kind = "path", path = "a.qcow2" } },
  { "images/a.RAW", { kind = "path", path = "images/a.RAW" } },
  { "https://example.org/a.qcow2", { kind = "url", url = "https://example.org/a.qcow2" } },
  { "https://example.org:8443/a.img?x=1", { kind = "url", url = "https://example.org:8443/a.img?x=1" } },
  { "HTTPS://example.org/a", { kind = "url", url = "HTTPS://example.org/a" } },
  { "https://example.org/a.qcow2#part", { kind = "url", url = "https://example.org/a.qcow2" } },
  { "https://example.org/a@b.img@sha256:" .. HEX,
    { kind = "url", url = "https://example.org/a@b.img", digest = "sha256:" .. HEX } },
  { "http://127.0.0.1:8000/a.img", { kind = "url", url = "http://127.0.0.1:8000/a.img" } },
  { "http://[::1]:8000/a.img", { kind = "url", url = "http://[::1]:8000/a.img" } },
}

local REFUSED = {
  { "", "no image is named" },
  { "a\nb", "has a control character" },
  { "postgres:16", '"postgres:16" is a container image', "{packages: [postgresql]}" },
  { "node", '"node" is a container image', "{packages: [nodejs]}" },
  { "ghcr.io/some/app:1", "is a container image", "{packages: [...], runcmd: [...]}" },
  { "localhost:5000/app", "is a container image" },
  { "Debian:12", "are in small letters", 'did you mean "debian"?' },
  { "Bad Name:12", '"Bad Name" is no name of an image' },
  { "debian:", '"" is no tag' },
  { "debian:a b", '"a b" is no tag' },
  { "debian:12:3", '"12:3" is no tag' },
  { "-x", '"-x" is no name' },
  { "12", '"12" is no name' },
  { ("a"):rep(65), "at most 64" },
  { "debian@sha256:1234", "a sha256 digest has 64 hexadecimal digits, not 4" },
  { "debian@md5:" .. HEX, "is no digest" },
  { "sha256:abc", "a sha256 digest has 64 hexadecimal digits, not 3" },
  { "sha512:" .. HEX .. HEX, "known by their sha256 digest" },
  { "http://example.org/a.img", "fetched by https only" },
  { "http://127.0.0.1.example.org/a.img", "fetched by https only" },
  { "ftp://example.org/a.img", "fetched by https only" },
  { "file:///a.img", "files are named by their path" },
  { "https:///a.img", "names no host" },
  { "https://user:secret@example.org/a.img", "a name or password in it" },
  { "https://example.org/a b.img", "a blank or a control character" },
  { "https://example.org/" .. ("a"):rep(5000), "longer than 4096 bytes" },
  { "https://example.org/a.qcow2.xz", "is packed", "unxz -k" },
  { "https://example.org/a.raw.gz?x", "is packed", "gunzip -k" },
  { "./a.img.zst", "is packed", "unzstd" },
  { "https://example.org/a.iso", "is a CD-ROM" },
  { "a.iso", "is a CD-ROM" },
  { "a.vmdk", "images are not read", "convert it to qcow2" },
}

test("what is shown of an address says nothing of its query; other texts are shown as they are", function()
  for text, shown in pairs { ["https://h/a.raw?token=x#y"] = "https://h/a.raw", ["HTTPS://h/a#y"] = "HTTPS://h/a",
    ["./a?b.raw"] = "./a?b.raw", ["debian:12"] = "debian:12" } do
    equal(reference.show(text), shown)
  end
  equal(select(2, reference.parse "http://h/a.img?token=x"), '"http://h/a.img": images are fetched by https only')
end)

test("names, addresses, digests and paths are told apart", function()
  for _, case in ipairs(ACCEPTED) do
    local got, message = reference.parse(case[1])
    ok(got, case[1] .. ": " .. tostring(message))
    equal(got, case[2], case[1])
  end
end)

test("what names no image is refused with what helps", function()
  for _, case in ipairs(REFUSED) do
    local got, message, hint = reference.parse(case[1])
    equal(got, nil, case[1])
    ok(message:find(case[2], 1, true), case[1] .. ": " .. message)
    if case[3] then ok(hint and hint:find(case[3], 1, true), case[1] .. ": " .. tostring(hint)) end
    ok(#message < 5300 and not message:find("%c"), "one line: " .. case[1])
  end
end)

test("a password in an address is in no message", function()
  local _, message, hint = reference.parse "https://user:secret@example.org/a.img"
  ok(not (message .. hint):find("secret", 1, true))
end)

test("a reference that is written is read as the same", function()
  for _, case in ipairs(ACCEPTED) do
    local first = reference.parse(case[1])
    equal(reference.parse(reference.write(first)), first, case[1])
  end
end)

test("the host of an address is the one that is spoken to", function()
  equal(reference.host "https://cloud.debian.org/images", "cloud.debian.org")
  equal(reference.host "https://[::1]:44/x", "::1")
  equal(reference.host "https://example.org:8443", "example.org")
  equal(reference.host "https://a@b@example.org/", "example.org")
  equal(reference.host "nothing", nil)
end)

test("the format is known from the name only where the name tells it", function()
  equal(reference.format_of "a.qcow2", "qcow2")
  equal(reference.format_of "a.raw", "raw")
  equal(reference.format_of "a.img", nil)
  equal(reference.format_of "a", nil)
end)

test("FROM of a container image is told what to write in a Dockerfile; a system's own is that system", function()
  for text, wanted in pairs { ["node:20"] = "install -y nodejs",
    ["docker.io/library/debian:bookworm-slim"] = "FROM debian:bookworm",
    ["docker.io/library/nginx"] = "install -y nginx", ["ghcr.io/some/debian:12"] = "install -y ..." } do
    local message, hint = reference.check_from(text)
    equal(message, ('"%s" is a container image; a virtual machine starts from a disk image'):format(text))
    equal(hint:sub(-#wanted), wanted)
  end
end)
