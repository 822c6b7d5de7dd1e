--- sys.sshkey, judged by ssh-keygen.
local err = require "holos.core.err"
local fs = require "sys.fs"
local host = require "sys.host"
local sshkey = require "sys.sshkey"

local PRIVATE_MODE = tonumber("600", 8)
local KEYS = host.env("HOLOS_TESTS") == "all" and 1000 or 20

local function write(path, text)
  err.check("test file", fs.write_atomic(path, text, { mode = PRIVATE_MODE, sync = false }))
end

local function keygen(arguments, stdin)
  local result = run_tool({ "ssh-keygen", table.unpack(arguments) }, { stdin = stdin })
  equal(result.status, 0, result.stderr)
  return result.stdout
end

local function comment_of(number)
  return number % 3 == 0 and "" or ("key %d %s é"):format(number, ("x"):rep(number % 240))
end

local function words(line) return line:match("^%S+ %S+") end

-- ssh-keygen derives, signs, and checks the signature by our public line.
local function judge(directory, pair)
  local file = directory .. "/key"
  write(file, pair.private)
  write(file .. ".pub", pair.public .. "\n")
  write(directory .. "/signers", "somebody " .. pair.public .. "\n")
  equal(keygen { "-y", "-f", file }, pair.public .. "\n")
  equal(keygen { "-l", "-f", file }:match("%S+ (%S+)"), sshkey.fingerprint(pair.public))
  local signature = keygen({ "-Y", "sign", "-q", "-f", file, "-n", "test" }, "a message")
  write(directory .. "/signature", signature)
  keygen({ "-Y", "verify", "-f", directory .. "/signers", "-I", "somebody", "-n", "test", "-s",
    directory .. "/signature" }, "a message")
end

test(("%d new keys: ssh-keygen reads them, derives our public lines and signs with them"):format(KEYS), function()
  local directory, seen = tmpdir(), {}
  for number = 1, KEYS do
    local comment = comment_of(number)
    local pair = err.check("key", sshkey.generate(comment))
    judge(directory, pair)
    equal(sshkey.public_of(pair.private), pair.public)
    equal(pair.public:match("^%S+ %S+ ?(.*)$"), comment)
    ok(not seen[words(pair.public)], "the same key twice")
    seen[words(pair.public)] = true
  end
end, { timeout_ms = 20000 + KEYS * 1500 })

test("private files are armoured in lines of 70 columns", function()
  local pair = sshkey.generate("somebody@somewhere")
  local lines = {}
  for line in pair.private:gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  equal(lines[1], "-----BEGIN OPENSSH PRIVATE KEY-----")
  equal(lines[#lines], "-----END OPENSSH PRIVATE KEY-----")
  for i = 2, #lines - 2 do equal(#lines[i], 70) end
end)

test("ssh-keygen's own keys are read; other kinds are refused in words", function()
  local directory = tmpdir()
  local function made(...)
    local file = directory .. "/" .. tostring(select("#", ...)) .. table.concat({ ... }):gsub("%W", "")
    keygen { "-q", "-f", file, ... }
    return fs.read(file), (fs.read(file .. ".pub"):gsub("\n", ""))
  end
  local private, public = made("-t", "ecdsa", "-N", "", "-C", "a b  c")
  equal(sshkey.public_of(private), public)
  local function refused(wanted, ...)
    local value, message, code = sshkey.public_of((made(...)))
    equal({ value, code }, { nil, "EINVAL" })
    ok(message:find(wanted, 1, true), message)
  end
  refused("passphrase", "-t", "ecdsa", "-N", "secret")
  refused("type ecdsa-sha2-nistp256", "-t", "ecdsa", "-b", "384", "-N", "")
  refused("type ecdsa-sha2-nistp256", "-t", "ed25519", "-N", "")
  refused("too long", "-t", "rsa", "-N", "")
  refused("OPENSSH PRIVATE KEY", "-t", "ecdsa", "-m", "PEM", "-N", "")
end)

test("a damaged private file is refused or gives the same key", function()
  local pair = sshkey.generate("comment")
  local text = pair.private
  for position = 1, #text do
    local replaced = text:sub(position, position) == "A" and "B" or "A"
    local damaged = text:sub(1, position - 1) .. replaced .. text:sub(position + 1)
    local public = sshkey.public_of(damaged)
    ok(public == nil or words(public) == words(pair.public), "position " .. position)
    local cut = sshkey.public_of(text:sub(1, position - 1))
    ok(cut == nil or cut == pair.public, "cut at " .. position)
  end
  equal(select(3, sshkey.public_of(("x"):rep(1 << 20))), "EFBIG")
end)

test("a private half with another's public half is refused", function()
  local directory = tmpdir()
  local function body(pair) return pair.private:gsub("%-%-%-%-%-[^\n]+\n", ""):gsub("\n", "") end
  local function decoded(pair)
    write(directory .. "/body", body(pair))
    return run_tool({ "base64", "-d", directory .. "/body" }).stdout
  end
  local mine, other = decoded(sshkey.generate("c")), decoded(sshkey.generate("c"))
  local at, stop = mine:find("\0\0\0A\4", 1, true), 65 + 4
  local again = mine:find("\0\0\0A\4", at + 1, true)
  local point = other:sub(at, at + stop - 1)
  local mixed = mine:sub(1, at - 1) .. point .. mine:sub(at + stop, again - 1) .. point .. mine:sub(again + stop)
  local base64 = run_tool({ "base64", "-w", "70" }, { stdin = mixed }).stdout
  local _, message = sshkey.public_of("-----BEGIN OPENSSH PRIVATE KEY-----\n" .. base64
    .. "-----END OPENSSH PRIVATE KEY-----\n")
  equal(message, "private key: the public part does not belong to the private part")
end)

test("fingerprints of all types of keys are ssh-keygen's", function()
  local file = tmpdir() .. "/key"
  for _, kind in ipairs { "rsa", "ed25519", "ecdsa" } do
    keygen { "-q", "-t", kind, "-N", "", "-C", "", "-f", file .. kind }
    local line = fs.read(file .. kind .. ".pub")
    equal(sshkey.fingerprint(line), keygen { "-l", "-f", file .. kind .. ".pub" }:match("%S+ (%S+)"))
  end
  for _, line in ipairs { "", "ssh-rsa", "ssh-rsa ", "ssh-rsa !!!!", "ssh-rsa AAAA", "x AAAAB3NzaC1yc2E=", " x AA" } do
    equal({ select(3, sshkey.fingerprint(line)) }, { "EINVAL" }, line)
  end
end)

test("ssh-keygen finds the host in our known_hosts lines", function()
  local file = tmpdir() .. "/known_hosts"
  local public = sshkey.generate("web-0.demo").public
  local line = sshkey.known_hosts_line("127.0.0.1", 2222, public)
  equal(line, "[127.0.0.1]:2222 " .. words(public))
  equal(sshkey.known_hosts_line("web.example", 22, public), "web.example " .. words(public))
  write(file, line .. "\n")
  ok(keygen { "-F", "[127.0.0.1]:2222", "-f", file }:find(line, 1, true))
  equal(run_tool({ "ssh-keygen", "-F", "[127.0.0.1]:2223", "-f", file }).status, 1)
  equal(select(3, sshkey.known_hosts_line("h", 22, "nonsense")), "EINVAL")
end)

test("what would break a line of a key file is the caller's bug", function()
  raises("one-line", sshkey.generate, "two\nlines")
  raises("one-line", sshkey.generate, ("x"):rep(256))
  raises("host name", sshkey.known_hosts_line, "a b", 22, "x")
  raises("host name", sshkey.known_hosts_line, "*", 22, "x")
  raises("port", sshkey.known_hosts_line, "h", 0, "x")
end)

test("randomness comes from the kernel's call, not from a file that a bare tree lacks", function()
  equal(run_tool({ "grep", "-c", "-F", "/dev/random", host.executable() }).stdout, "0\n")
end)
