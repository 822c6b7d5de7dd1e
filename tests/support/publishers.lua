--- The servers of those who publish cloud images, laid out as each of them does, on one server of a test. What a publisher
--- has at https://HOST/PATH is there at /HOST/PATH; `here` points an entry of the catalogue at it.

local catalogue = require "holos.image.catalogue"
local files = require "tests.support.files"
local hash = require "sys.hash"
local qcow2 = require "sys.qcow2"
local table_ = require "holos.core.table"

local M = {}

local made = 0

--- The bytes of a small image that is like no other.
function M.image()
  made = made + 1
  local file = ("%s/%d.qcow2"):format(tmpdir(), made)
  assert(qcow2.create(file, { size_bytes = (1 << 20) + made * 65536 }))
  return assert(files.read(file))
end

local function path_of(url) return "/" .. url:gsub("^https://", "") end
local function base(url) return url:match("[^/]*$") end

-- How each writes what a file holds: `others` are lines of other files, some of which begin like ours.
local WRITERS = {}

function WRITERS.ubuntu(name, body)
  return ("%s *%s.manifest\n%s *%s\n%s *other.img\n"):format(("a1"):rep(32), name, hash.sha256(body), name, ("b2"):rep(32))
end

function WRITERS.debian(name, body)
  return ("%s  x%s\n%s  %s\n%s  %s.json\n"):format(("c3"):rep(64), name, hash.sha512(body), name, ("d4"):rep(64), name)
end

function WRITERS.alpine(_, body) return hash.sha512(body) .. "\n" end
function WRITERS.arch(name, body) return ("%s  %s\n"):format(hash.sha256(body), name) end
WRITERS.opensuse = WRITERS.arch

function WRITERS.bsd(name, body)
  return ("# %s: %d bytes\nSHA256 (%s) = %s\n# other: 1 bytes\nSHA256 (%s.other) = %s\n"):format(name, #body, name,
    hash.sha256(body), name, ("e5"):rep(32))
end
WRITERS.rocky, WRITERS["centos-stream"] = WRITERS.bsd, WRITERS.bsd

function WRITERS.almalinux(name, body)
  return ("%s  %s\r\n%s  %s.other\r\n"):format(hash.sha256(body), name, ("f6"):rep(32), name)
end

-- Signed, with a signature that is none.
function WRITERS.fedora(name, body)
  return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" .. WRITERS.bsd(name, body)
    .. "-----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCAAdFiEE\n-----END PGP SIGNATURE-----\n"
end

--- Puts an image and its list of checksums where its publisher has them.
---@param published table<string, any>  of tls_server.publish
---@param source {url: string, checksum: {url: string}}  an entry, or its `latest`
function M.put(published, name, source, body)
  published[path_of(source.url)] = { body = body, etag = ('"%s"'):format(hash.sha256(body):sub(1, 12)) }
  published[path_of(source.checksum.url)] = WRITERS[name](base(source.url), body)
end

local function moved(url, server) return url and server.url .. path_of(url) end

--- An entry of the catalogue, at the test's server and without what is pinned.
---@return table entry  here
---@return table entry  as it is in the catalogue
function M.here(server, name, tag, architecture)
  local entry = assert(catalogue.find(catalogue.new(), name, tag, architecture or "x86_64"))
  local here = table_.copy(entry)
  here.url = moved(entry.url, server)
  here.checksum = { url = moved(entry.checksum.url, server), algorithm = entry.checksum.algorithm }
  if here.latest then
    here.latest.url, here.latest.checksum.url = moved(entry.latest.url, server), moved(entry.latest.checksum.url, server)
  end
  return here, entry
end

--- The requests that a server has had for a path, or for all that end so.
function M.requests(server, ending)
  local count = 0
  for _, request in ipairs(server.requests) do
    if request.path:sub(-#ending) == ending then count = count + 1 end
  end
  return count
end

return M
