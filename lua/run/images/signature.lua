--- Signatures of publishers, judged by gpgv with keys that lie on this host. Effects: reads, forks, writes passing files.
--
-- holos has no keys and fetches none: who wants signatures checked puts the publisher's key ring where it is looked for.
local err = require "holos.core.err"
local process = require "holos.run.process"

local M = {}

local PROGRAMS = { "/usr/bin/gpgv", "/usr/local/bin/gpgv", "/bin/gpgv" }
local FILE_MODE, DIRECTORY_MODE = tonumber("600", 8), tonumber("700", 8)
local TIMEOUT_MS, OUTPUT_BYTES = 120000, 4 << 20

--- The gpgv of this host.
---@return string?
function M.program(world)
  for _, file in ipairs(PROGRAMS) do
    if world.fs.stat(file) then return file end
  end
end

--- The directories with key rings, in the order in which they are looked through.
---@return string[]
function M.directories(world)
  local home = world.host.env("XDG_CONFIG_HOME")
  if not home or home:sub(1, 1) ~= "/" then home = world.host.env("HOME") and world.host.env("HOME") .. "/.config" end
  local directories = { "/etc/holos/keyrings", "/usr/share/keyrings" }
  if home and home:sub(1, 1) == "/" then table.insert(directories, 1, home .. "/holos/keyrings") end
  return directories
end

local function keyring_of(world, name)
  local directories = M.directories(world)
  for _, directory in ipairs(directories) do
    local file = directory .. "/" .. name
    if world.fs.stat(file) then return file end
  end
  err.raise { code = "ENOKEYS", message = ("the signature cannot be checked: there is no key ring %s"):format(name),
    hint = "put the publisher's keys (gpg --export) there: " .. table.concat(directories, "/" .. name .. ", ") .. "/" .. name }
end

local function program_of(world)
  return M.program(world) or err.raise { code = "ENOGPGV", message = "the signature cannot be checked: gpgv is not installed",
    hint = "install it: sudo apt install gpgv (or your system's gnupg)" }
end

-- A directory for what gpgv reads and writes, gone with its scope.
local function workplace(world, state)
  local path = ("%s/signature-%016x"):format(state:cache(world), ("i8"):unpack(world.host.random(8)))
  err.check("cache", world.fs.mkdir_all(path, DIRECTORY_MODE))
  return setmetatable({ path = path }, { __close = function() world.fs.remove_tree(path) end })
end

-- gpgv says in lines of their own, meant for programs, what it found; its exit alone also says other things.
local function is_good(result)
  local status = "\n" .. result.stdout
  return result.status == 0 and status:find("\n[GNUPG:] GOODSIG ", 1, true) ~= nil
    and status:find("\n[GNUPG:] VALIDSIG ", 1, true) ~= nil and not status:find("\n%[GNUPG:%] [BER]%u+SIG ")
end

-- What gpgv's words for programs mean, the first that fits; %s is what stands behind them.
local REASONS = {
  { "BADSIG", "it is of something else, or what it signs was changed" }, { "REVKEYSIG", "the key was revoked" },
  { "EXPKEYSIG", "the key has expired" }, { "EXPSIG", "it has expired" },
  { "NO_PUBKEY (%x+)", "it is by the key %s, which is not in the key ring" }, { "ERRSIG", "it cannot be checked" },
  { "NODATA", "it is no signature" },
}

local function reason_of(result)
  for _, reason in ipairs(REASONS) do
    local found = ("\n" .. result.stdout):match("\n%[GNUPG:%] " .. reason[1])
    if found then return (reason[2]:gsub("%%s", found)) end
  end
  return "gpgv: " .. (result.stderr:match("gpgv: ([^\n]*)\n*$") or "no reason"):gsub("%c", " ")
end

local function require_good(result, what)
  if is_good(result) then return end
  err.raise { code = "ESIGNATURE", message = ("the signature of %s is not good: %s"):format(what, reason_of(result)),
    hint = "nothing was taken; a new key of the publisher belongs into the key ring" }
end

local function run(world, keyring, words, what)
  local result = process.run(world, { program = program_of(world), timeout_ms = TIMEOUT_MS, output_bytes = OUTPUT_BYTES,
    argv = table.move(words, 1, #words, 5, { "--status-fd", "1", "--keyring", keyring }) })
  require_good(result, what)
end

--- Raises unless `signature` is a good one over a file.
---@param file string  absolute
---@param signature string  its bytes
---@param keyring string    the name of a file with keys
---@param what string       for messages
function M.require_file(world, state, file, signature, keyring, what)
  local keys, place <close> = keyring_of(world, keyring), workplace(world, state)
  local beside = place.path .. "/signature"
  err.check("cache", world.fs.write_atomic(beside, signature, { mode = FILE_MODE, sync = false }))
  run(world, keys, { "--", beside, file }, what)
end

--- The same over a text.
function M.require_text(world, state, text, signature, keyring, what)
  local place <close> = workplace(world, state)
  local file = place.path .. "/text"
  err.check("cache", world.fs.write_atomic(file, text, { mode = FILE_MODE, sync = false }))
  M.require_file(world, state, file, signature, keyring, what)
end

--- What a text that carries its own signature says: the part that is signed, and nothing else of it.
---@return string signed
function M.signed_part(world, state, text, keyring, what)
  local keys, place <close> = keyring_of(world, keyring), workplace(world, state)
  local file, out = place.path .. "/text", place.path .. "/signed"
  err.check("cache", world.fs.write_atomic(file, text, { mode = FILE_MODE, sync = false }))
  run(world, keys, { "--output", out, "--", file }, what)
  return err.check("cache", world.fs.read(out, { max_bytes = OUTPUT_BYTES }))
end

return M
