-- Keys that Compose knows: none may be unknown to us. The list is the specification's own JSON Schema.

local conformance = require "tests.support.conformance"
local project = require "holos.compose.schema.project"

local spec = conformance.json "compose-go/schema/compose-spec.json"

local function missing(properties, fields)
  local names = {}
  for name in pairs(properties) do
    if not fields[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local services = project.fields.services.rule.of

test("top level", function()
  equal(missing(spec.properties, project.fields), {})
end)

test("services", function()
  equal(missing(spec["$defs"].service.properties, services.fields), {})
end)

test("volumes", function()
  equal(missing(spec["$defs"].volume.properties, project.fields.volumes.rule.of.fields), {})
end)

test("health checks", function()
  equal(missing(spec["$defs"].healthcheck.properties, services.fields.healthcheck.rule.fields), {})
end)

local function long_form(properties)
  for _, alternative in ipairs(properties.items.oneOf or properties.items.anyOf) do
    if alternative.properties then return alternative.properties end
  end
end

test("long forms of ports and volumes", function()
  local service = spec["$defs"].service.properties
  equal(missing(long_form(service.ports), services.fields.ports.rule.of.map.fields), {})
  equal(missing(long_form(service.volumes), services.fields.volumes.rule.of.map.fields), {})
end)
