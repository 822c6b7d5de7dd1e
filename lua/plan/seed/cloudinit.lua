--- NoCloud's files: meta-data, user-data, network-config. Pure.
--- Values are JSON throughout: it is YAML, and escapes in one way only.
local base64 = require "holos.core.base64"
local json = require "holos.core.json"
local library = require "holos.plan.seed.library"
local mime = require "holos.plan.seed.mime"
local plain = require "holos.plan.seed.plain"
local resolver = require "holos.plan.seed.resolver"
local table_ = require "holos.core.table"

local M = {}

--- cloud-init runs bootcmd at every boot, before it writes files or installs anything: volumes are mounted by then.
--- Only root may look into the seed: it holds the host key.
M.BOOT = ("mkdir -p %s; chmod 700 %s; [ -e %s ] || mount -t iso9660 -o ro LABEL=cidata %s; sh %s"):format(library.SEED,
  library.SEED:match("^(.*)/"), library.DIRECTORY, library.SEED, library.DIRECTORY .. "/boot.sh")

--- Lines, which plain guests read with a shell. Without the quotes a host called 123, or on, would be no text in YAML.
function M.meta_data(spec)
  return ("instance-id: %s\nlocal-hostname: %s\n"):format(json.encode(spec.instance_id), json.encode(spec.hostname))
end

-- There is no router on a project's network; systemd-networkd before 254 would hold up the boot for 12 s, looking for one.
local function card_of(nic)
  if not nic.address then return { dhcp4 = true } end
  return { dhcp4 = false, ["accept-ra"] = false, addresses = table_.list { ("%s/%d"):format(nic.address, nic.prefix) } }
end

--- Version 2, matched by MAC: names of cards differ among guests. Alpine's ifupdown knows cards by name only, so there
--- they are named.
function M.network_config(spec)
  local cards = {}
  for i, nic in ipairs(spec.nics) do
    local card = card_of(nic)
    card.match = { macaddress = nic.mac }
    card["set-name"] = nic.interface_name or spec.image.os == "openrc" and "eth" .. (i - 1) or nil
    if nic.kind == "user" then resolver.configure(spec, card) end
    cards["nic" .. (i - 1)] = card
  end
  return json.encode { version = 2, ethernets = cards } .. "\n"
end

local users = {}

function users.systemd(user)
  user.shell, user.groups, user.lock_passwd = "/bin/bash", "adm,sudo", true
  user.sudo = "ALL=(ALL) NOPASSWD:ALL"
end

-- Alpine's sshd, which is built without PAM, lets nobody in whose password is locked; "*" is no password, and not
-- locked.
function users.openrc(user)
  user.shell, user.groups, user.lock_passwd, user.passwd = "/bin/sh", "wheel", false, "*"
  user.doas = table_.list { "permit nopass " .. user.name }
end

local function login_user(spec, keys)
  local user = { name = spec.user, ssh_authorized_keys = table_.list(plain.key_list(spec, keys)) }
  if spec.user ~= "root" then users[spec.image.os](user) end
  return user
end

-- Text that a YAML reader takes, else Base64.
local function with_content(file, content)
  if utf8.len(content) and not content:find("%z") then
    file.content = content
  else
    file.encoding, file.content = "b64", base64.encode(content)
  end
end

--- Files of owners that packages or users make come late, when these are there.
local function write_files(spec)
  local files = table_.list {}
  for i, file in ipairs(spec.cloud_init.write_files or {}) do
    local owner = file.owner or "root:root"
    local copy = { path = file.path, permissions = file.permissions or "0644", owner = owner, defer = file.defer }
    if copy.defer == nil and owner ~= "root:root" and owner ~= "root" then copy.defer = true end
    with_content(copy, file.content or "")
    files[i] = copy
  end
  return files
end

-- What the user's own keys of cloud-config may set otherwise.
local function defaults(spec)
  return {
    ssh_pwauth = false, disable_root = spec.user ~= "root", growpart = { mode = "auto", devices = table_.list { "/" } },
    -- Networks belong to the boot part: what changes in them is there at the next start of the same instance.
    updates = { network = { when = table_.list { "boot-new-instance", "boot" } } },
    resize_rootfs = true, package_update = #(spec.cloud_init.packages or {}) > 0 or nil,
  }
end

local function all_users(spec, keys)
  local list = table_.list { login_user(spec, keys) }
  local others = (spec.cloud_init.extra or {}).users
  if others == nil or others == json.null then return list end
  for _, other in ipairs(table_.is_list(others) and others or { others }) do list[#list + 1] = other end
  return list
end

--- The cloud-config as data.
function M.config(spec, keys)
  local wanted, config = spec.cloud_init, defaults(spec)
  for name, value in pairs(wanted.extra or {}) do config[name] = value end
  config.hostname, config.manage_etc_hosts = spec.hostname, false
  if spec.domainname then config.fqdn = ("%s.%s"):format(spec.hostname, spec.domainname) end
  config.users = all_users(spec, keys)
  -- With ssh_keys cloud-init makes none of its own (cc_ssh); those of the image go.
  config.ssh_deletekeys = true
  config.ssh_keys = { ecdsa_private = keys.host_private, ecdsa_public = keys.host_public }
  config.bootcmd = table_.list { table_.list { "sh", "-c", M.BOOT } }
  if #(wanted.write_files or {}) > 0 then config.write_files = write_files(spec) end
  if #(wanted.packages or {}) > 0 then config.packages = table_.list(table_.copy(wanted.packages)) end
  return config
end

--- user-data; with cloud_init.user_data it has two parts that cloud-init merges: ours, then the user's. Plain guests
--- have their own files, and nothing for a cloud-init that should be there all the same.
function M.user_data(spec, keys)
  if spec.image.os == "plain" then return "#cloud-config\n{}\n" end
  local ours = "#cloud-config\n" .. json.encode(M.config(spec, keys)) .. "\n"
  local theirs = spec.cloud_init.user_data
  return theirs and mime.message { ours, theirs } or ours
end

return M
