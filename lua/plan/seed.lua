--- The seed of an instance: NoCloud's files, and plain scripts that guests with and without cloud-init run. Pure.
--- boot part: holos/boot.sh, at every boot. first part: holos/first.sh and what cloud-init does once per instance-id.
local lazy = require "holos.core.lazy"
local boot = require "holos.plan.seed.boot"
local build = lazy "holos.plan.seed.build"
local cloudinit = require "holos.plan.seed.cloudinit"
local first = require "holos.plan.seed.first"
local json = require "holos.core.json"
local library = require "holos.plan.seed.library"
local names = require "holos.plan.seed.names"
local plain = require "holos.plan.seed.plain"
local table_ = require "holos.core.table"

local M = {}

-- Root's alone: there are keys among them, and what the user writes into files.
local FILE_MODE = tonumber("600", 8)

--- What the first part is made of, as one canonical text: its hash goes into the instance-id.
---@return string text
function M.first_hash_input(spec)
  local wanted = spec.cloud_init
  return json.encode { user = wanted.user or "", os = spec.image.os, packages = table_.list(wanted.packages),
    write_files = table_.list(wanted.write_files), runcmd = table_.list(wanted.runcmd), extra = wanted.extra or {},
    ssh_authorized_keys = table_.list(wanted.ssh_authorized_keys), user_data = wanted.user_data or "",
    build = spec.build and spec.build.digest }
end

--- What guests cannot do of what a service asks for.
---@return string[]
function M.warnings(service) return boot.warnings(service) end

--- The files of the ISO.
---@param spec table  instance spec
---@param keys {user_public: string, host_private: string, host_public: string}
---@param hosts holos.Host[]  all instances of the project
---@param paths table<string, string>?  where the host keeps the contents of configs and secrets, by digest
---@return {name: string, data: string?, path: string?, mode: integer}[]
function M.files(spec, keys, hosts, paths)
  local files = {
    { name = "meta-data", data = cloudinit.meta_data(spec) },
    { name = "user-data", data = cloudinit.user_data(spec, keys) },
    { name = "network-config", data = cloudinit.network_config(spec) },
    { name = "holos/lib.sh", data = library.script(spec) },
    { name = "holos/boot.sh", data = boot.script(spec) },
    { name = "holos/first.sh", data = first.script(spec) },
    { name = "holos/hosts", data = names.hosts(spec, hosts) },
  }
  table_.extend(files, first.files(spec))
  if spec.build then table_.extend(files, build.files(spec)) end
  table_.extend(files, plain.files(spec, keys))
  table_.extend(files, boot.files(spec, paths or {}))
  for _, file in ipairs(files) do file.mode = FILE_MODE end
  return files
end

return M
