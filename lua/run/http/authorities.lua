--- Where this host keeps the certificates of the authorities that it trusts. Effects: looks for files.
local M = {}

--- Bundles as the distributions install them, in the order in which they are looked for.
M.FILES = {
  "/etc/ssl/certs/ca-certificates.crt",                  -- Debian, Ubuntu, Alpine, Arch, Gentoo
  "/etc/pki/tls/certs/ca-bundle.crt",                    -- Fedora, RHEL and their like
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",   -- the same, newer
  "/etc/ssl/ca-bundle.pem",                              -- openSUSE
  "/etc/ssl/cert.pem",                                   -- Alpine, Void
  "/etc/ca-certificates/extracted/tls-ca-bundle.pem",    -- Arch
}
--- Directories of one certificate a file.
M.DIRECTORIES = { "/etc/ssl/certs", "/etc/pki/tls/certs" }

local function is(world, path, kind)
  local facts = path and world.fs.stat(path)
  return facts ~= nil and facts.type == kind
end

-- What the user named, or why it is of no use: it is not passed over for something that trusts others.
local function named(world, name, kind)
  local path = world.host.env(name)
  if not path or path == "" then return nil end
  if is(world, path, kind) then return path end
  return nil, ("%s names %s, which is no %s"):format(name, path, kind)
end

-- As OpenSSL does, both; one of them may be missing when the other is there.
local function from_environment(world)
  local file, problem = named(world, "HOLOS_CA_FILE", "file")
  if file or problem then return file and { file = file }, problem end
  local directory, second_problem
  file, problem = named(world, "SSL_CERT_FILE", "file")
  directory, second_problem = named(world, "SSL_CERT_DIR", "directory")
  if file or directory then return { file = file, directory = directory } end
  return nil, problem or second_problem
end

local function first(world, list, kind)
  for _, path in ipairs(list) do
    if is(world, path, kind) then return { [kind] = path } end
  end
end

--- {file=, directory=}, one of them or both; nil, message, code when there is none.
---@param ca_file string?  counts before everything else
function M.find(world, ca_file)
  if ca_file then return { file = ca_file } end
  local chosen, problem = from_environment(world)
  if chosen then return chosen end
  if problem then return nil, problem, "ETLS" end
  local found = first(world, M.FILES, "file") or first(world, M.DIRECTORIES, "directory")
  if found then return found end
  return nil, ("no certificates of authorities are found: HOLOS_CA_FILE, SSL_CERT_FILE and SSL_CERT_DIR are not set, and "
    .. "there is none of %s")
    :format(table.concat(M.FILES, ", ")), "ETLS"
end

return M
