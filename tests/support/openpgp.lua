--- A publisher's OpenPGP key for the time of a function, by gpg itself. Effects: runs gpg, and ends its agent.

local files = require "tests.support.files"
local fs = require "sys.fs"

local M = {}

local Key = {}
Key.__index = Key

local function gpg(home, words)
  local argv = { "gpg", "--homedir", home, "--batch", "--yes", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "" }
  local result = run_tool(table.move(words, 1, #words, #argv + 1, argv))
  equal(result.status, 0, result.stderr)
  return result.stdout
end

local function signed(key, text, words)
  local file = key.home .. "/text"
  assert(fs.write_atomic(file, text))
  table.move({ "--output", file .. ".out", file }, 1, 3, #words + 1, words)
  gpg(key.home, words)
  return assert(files.read(file .. ".out"))
end

--- A signature over a text, in a file of its own.
function Key:detached(text) return signed(self, text, { "--local-user", self.name, "--detach-sign" }) end

--- The text with its signature in it.
function Key:inline(text) return signed(self, text, { "--local-user", self.name, "--clearsign" }) end

--- Writes the public key where holos looks for key rings.
function Key:export(file) assert(fs.write_atomic(file, gpg(self.home, { "--export", self.name }))) end

--- Runs body(new_key), where new_key(name) makes a key.
function M.run(body)
  local home = tmpdir()
  assert(fs.chmod(home, tonumber("700", 8)))
  local _end <close> = setmetatable({}, { __close = function()
    run_tool { "gpgconf", "--homedir", home, "--kill", "all" }
  end })
  return body(function(name)
    gpg(home, { "--quick-generate-key", name, "ed25519", "sign", "never" })
    return setmetatable({ home = home, name = name }, Key)
  end)
end

return M
