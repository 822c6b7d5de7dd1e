--- What tests of downloads share: a download from a test server into its directory, judged by the hash.
local fs = require "sys.fs"
local hash = require "sys.hash"
local host = require "sys.host"
local http = require "holos.run.http"
local real = require "holos.run.world"

local M = {}

local PART_BYTES = 1 << 30

--- `count` bytes that are the same nowhere else, so that a hole or a repetition shows.
function M.bytes(count)
  local parts = {}
  for at = 1, count, 1 << 20 do parts[#parts + 1] = host.random(math.min(1 << 20, count - at + 1)) end
  return table.concat(parts)
end

function M.part(server) return server.directory .. "/part" end

--- The world with another environment.
function M.world(variables)
  local other = setmetatable({}, { __index = real })
  other.host = setmetatable({ env = function(name) return variables[name] end }, { __index = real.host })
  return other
end

--- Downloads server.url .. path; `changes` are fields of the request, and `world`.
function M.download(server, path, changes, progress)
  local request = { url = server.url .. path, file = M.part(server), ca_file = server.ca_file, first_pause_ms = 5,
    allow_http = not server.ca_file }
  for name, value in pairs(changes or {}) do request[name] = value end
  request.world = nil
  return http.download((changes or {}).world or real, request, progress)
end

function M.get(server, path, changes)
  local options = { ca_file = server.ca_file, allow_http = not server.ca_file }
  for name, value in pairs(changes or {}) do options[name] = value end
  return http.get(real, server.url .. path, options)
end

--- What the part holds now.
function M.kept(server) return fs.read(M.part(server), { max_bytes = PART_BYTES }) end

--- The download gave this text, and its part holds it.
function M.check_whole(server, text, got, message)
  ok(got, message)
  equal({ got.size_bytes, got.sha256, got.sha512 }, { #text, hash.sha256(text), hash.sha512(text) })
  ok(M.kept(server) == text, "the part holds something else")
  return got
end

--- The code of a download that fails, and its message. `part`: where it is to be, when several run at once.
function M.failure(server, path, changes, part)
  local all = { file = part }
  for name, value in pairs(changes or {}) do all[name] = value end
  local got, message, code = M.download(server, path, all)
  ok(not got, "it came through")
  return code, message
end

return M
