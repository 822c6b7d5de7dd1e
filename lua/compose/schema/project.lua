--- The whole file. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local service = require "holos.compose.schema.service"

-- Names of files and directories.
local project_name = schema.text {
  pattern = "[a-z0-9][a-z0-9_-]*", most = 63, wanted = 'a name of lower-case letters, digits, "-" and "_"',
}

local include = schema.lazy(function() return require "holos.compose.schema.include" end)

local function empty() return {} end

local networks = schema.lazy(function() return require "holos.compose.schema.network" end, "declared")

local volume = schema.lazy(function() return require "holos.compose.schema.volume" end)

local function grants(name)
  return schema.map {
    of = schema.lazy(function() return require "holos.compose.schema.grant" end, name), key = rules.name, empty = empty,
  }
end

return schema.record {
  { "name", project_name, change = "recreate", default_text = "the directory's", meaning = "Name of the project." },
  { "services", schema.map { of = service, key = rules.label, empty = empty }, required = true,
    hint = "a file has at least one service", meaning = "The machines." },
  { "networks", networks,
    meaning = "Networks that services are in; all are in \"default\" when they name none." },
  { "volumes", schema.map { of = volume, key = rules.name, empty = empty }, default = {},
    meaning = "Disks that outlive their instances." },
  { "configs", grants "config", meaning = "Texts that services get as files." },
  { "secrets", grants "secret", meaning = "Texts that services get as files in memory, readable by root only." },
  { "include", include, meaning = "Further files whose services, networks, volumes, configs and secrets belong to it." },
  { "version", schema.any {}, class = "ignored", reason = "there is one version of the language; remove the line" },
  { "models", class = "refused", excusable = true, reason = "not for VMs: run the model as a service" },
}
