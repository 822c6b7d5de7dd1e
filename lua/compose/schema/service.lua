--- services.*: one kind of machine, in any number. Data.
local lazy = require "holos.core.lazy"
local container = require "holos.compose.schema.service.container"
local entries = lazy "holos.compose.entries"
local life = require "holos.compose.schema.service.life"
local machine = require "holos.compose.schema.service.machine"
local network = require "holos.compose.schema.service.network"
local process = require "holos.compose.schema.service.process"
local schema = require "holos.core.schema"
local storage = require "holos.compose.schema.service.storage"

local fields = {}
for _, subject in ipairs { machine, process, network, storage, life, container } do
  for _, field in ipairs(subject) do
    field.subject = subject.title
    fields[#fields + 1] = field
  end
end

-- File systems in memory are mounts like others.
local function join_mounts(service, at)
  if service.tmpfs then
    entries.append(service.volumes, service.tmpfs, at, "tmpfs")
    service.tmpfs = nil
  end
  return service
end

return schema.record(fields, { canonical = join_mounts })
