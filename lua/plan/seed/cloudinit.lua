--- NoCloud's files: meta-data, user-data, network-config. Pure. JSON throughout: it is YAML, and escapes in one way
--- only.
local json = require "holos.core.json"
local plain = require "holos.plan.seed.plain"
local table_ = require "holos.core.table"

local M = {}

local SEED = "/run/holos/seed"
--- Mounts the seed by its label and runs the boot part; cloud-init runs bootcmd at every boot.
local MOUNT_SEED = ("mkdir -p %s && { mountpoint -q %s || mount -t iso9660 -o ro /dev/disk/by-label/cidata %s; } && sh %s/holos/boot.sh")
  :format(SEED, SEED, SEED, SEED)
local BOUNDARY = "=====holos-seed====="

function M.meta_data(spec)
  return ("instance-id: %s\nlocal-hostname: %s\n"):format(spec.instance_id, spec.hostname)
end

--- Version 2, matched by MAC: names of cards differ among guests.
function M.network_config(spec)
  local cards = {}
  for i, nic in ipairs(spec.nics) do
    local card = { match = { macaddress = nic.mac } }
    if nic.address then
      card.dhcp4, card.addresses = false, table_.list { ("%s/%d"):format(nic.address, nic.prefix) }
    else
      card.dhcp4 = true
    end
    cards["nic" .. (i - 1)] = card
  end
  return json.encode { version = 2, ethernets = cards } .. "\n"
end

local function login_user(spec, keys)
  local user = { name = spec.user, ssh_authorized_keys = table_.list(M.key_list(spec, keys)), shell = "/bin/sh" }
  if spec.image.os == "systemd" then
    user.shell, user.sudo, user.groups, user.lock_passwd = "/bin/bash", "ALL=(ALL) NOPASSWD:ALL", "adm,sudo", true
  end
  return user
end

--- The public keys that may log in, as a list.
function M.key_list(spec, keys)
  local list = {}
  for key in plain.authorized_keys(spec, keys):gmatch("[^\n]+") do list[#list + 1] = key end
  return list
end

--- Files of owners that packages or users make come late, when these are there.
local function write_files(spec)
  local files = table_.list {}
  for i, file in ipairs(spec.cloud_init.write_files or {}) do
    local copy = table_.copy(file)
    local owner = file.owner or "root:root"
    if copy.defer == nil and owner ~= "root:root" and owner ~= "root" then copy.defer = true end
    files[i] = copy
  end
  return files
end

--- The cloud-config as data.
function M.config(spec, keys)
  local wanted = spec.cloud_init
  local config = table_.merge(wanted.extra or {}, {
    hostname = spec.hostname, manage_etc_hosts = false, ssh_pwauth = false, ssh_deletekeys = true,
    ssh_genkeytypes = table_.list {}, users = table_.list { login_user(spec, keys) },
    ssh_keys = { ecdsa_private = keys.host_private, ecdsa_public = keys.host_public },
    bootcmd = table_.list { table_.list { "sh", "-c", MOUNT_SEED } },
    runcmd = table_.list { table_.list { "sh", SEED .. "/holos/first.sh" } },
  })
  if #(wanted.write_files or {}) > 0 then config.write_files = write_files(spec) end
  if #(wanted.packages or {}) > 0 then
    config.packages = table_.list(table_.copy(wanted.packages))
    if config.package_update == nil then config.package_update = true end
  end
  return config
end

local function part(kind, body)
  return ("--%s\nContent-Type: %s; charset=\"utf-8\"\nMerge-Type: list(append)+dict(recurse_array)+str()\n\n%s\n"):format(
    BOUNDARY, kind, body)
end

local KINDS = { ["#cloud-config"] = "text/cloud-config", ["#!"] = "text/x-shellscript", ["#cloud-boothook"] = "text/cloud-boothook" }

local function kind_of(user_data)
  for mark, kind in pairs(KINDS) do
    if user_data:sub(1, #mark) == mark then return kind end
  end
  return "text/cloud-config"
end

--- user-data; with cloud_init.user_data it has two parts that cloud-init merges: ours, then the user's.
function M.user_data(spec, keys)
  local ours = "#cloud-config\n" .. json.encode(M.config(spec, keys)) .. "\n"
  local theirs = spec.cloud_init.user_data
  if not theirs then return ours end
  return ("Content-Type: multipart/mixed; boundary=\"%s\"\nMIME-Version: 1.0\n\n%s%s--%s--\n"):format(BOUNDARY,
    part("text/cloud-config", ours), part(kind_of(theirs), theirs), BOUNDARY)
end

return M
