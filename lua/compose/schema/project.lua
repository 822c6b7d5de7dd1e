--- The whole file. Data.
local include = require "holos.compose.schema.include"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local service = require "holos.compose.schema.service"
local volume = require "holos.compose.schema.volume"
local volumes = require "holos.compose.volumes"

local volume_name = schema.text {
  pattern = volumes.name_pattern, most = 63, wanted = 'a name of letters, digits, "_", "." and "-"',
}

return schema.record {
  { "name", rules.label, change = "recreate", meaning = "Name of the project; absent: the directory's." },
  { "services", schema.map { of = service, key = rules.label, empty = function() return {} end }, required = true,
    hint = "a file has at least one service", meaning = "The machines." },
  { "volumes", schema.map { of = volume, key = volume_name, empty = function() return {} end }, default = {},
    meaning = "Disks that outlive their instances." },
  { "version", class = "ignored", reason = "there is one version of the language; remove the line" },
  { "configs", class = "later" },
  { "include", include, meaning = "Other compose files that are part of this one." },
  { "networks", class = "later", reason = "all services share one network for now" },
  { "secrets", class = "later" },
  { "x-holos", class = "later" },
  { "models", class = "refused", reason = "not for VMs: run the model as a service" },
}
