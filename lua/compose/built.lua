--- What a Dockerfile says of the application becomes the service's, where the service says nothing itself; its lines are the
--- places of what it brings. Pure.
local command = require "holos.dockerfile.instruction.command"
local document = require "holos.compose.document"
local path = require "holos.core.path"
local schema = require "holos.core.schema"
local tables = require "holos.core.table"

local M = {}

local function is_map(value) return type(value) == "table" and schema.kind_of(value) == "map" end

---@class holos.Filling
---@field marks table     of the project
---@field service table
---@field recipe holos.dockerfile.Recipe
---@field index integer   of the Dockerfile among the files that marks speak of

-- A value with its place, a line of the Dockerfile.
local function put(filling, container, key, value, line)
  container[key] = value
  local marks = filling.marks[container] or {}
  filling.marks[container] = marks
  marks[key] = value ~= nil and line and document.pack(filling.index, line, 1) or nil
end

-- `entrypoint` of the service takes the Dockerfile's CMD away; `command` takes its place.
local function fill_command(filling)
  local service, recipe = filling.service, filling.recipe
  if service.entrypoint ~= nil then return end
  local entrypoint, cmd = recipe.entrypoint, recipe.cmd
  if entrypoint then
    put(filling, service, "entrypoint", tables.list(command.application { entrypoint = entrypoint }), entrypoint.line)
  end
  if service.command == nil and cmd and not (entrypoint and entrypoint.script) then
    put(filling, service, "command", tables.list(command.application { cmd = cmd }), cmd.line)
  end
end

local function fill_app(filling)
  fill_command(filling)
  local service, recipe, places = filling.service, filling.recipe, filling.recipe.places
  if service.command == nil and service.entrypoint == nil then return end
  local directory = recipe.workdir ~= "/" and recipe.workdir or nil
  if service.working_dir == nil then put(filling, service, "working_dir", directory, places.workdir) end
  if service.user == nil then put(filling, service, "user", recipe.user, places.user) end
  if service.stop_signal == nil then put(filling, service, "stop_signal", recipe.stop_signal, places.stop_signal) end
end

local DURATIONS = { interval = "interval_ms", timeout = "timeout_ms", start_period = "start_period_ms",
  start_interval = "start_interval_ms" }

-- Field by field.
local function fill_health(filling)
  local service, wanted, line = filling.service, filling.recipe.healthcheck, filling.recipe.places.healthcheck
  if not wanted or wanted.disable or not (service.healthcheck == nil or is_map(service.healthcheck)) then return end
  if service.healthcheck == nil then put(filling, service, "healthcheck", {}, line) end
  local own = service.healthcheck
  if own.disable then return end
  if own.test == nil then put(filling, own, "test", tables.list(tables.copy(wanted.test)), line) end
  if own.retries == nil then put(filling, own, "retries", wanted.retries, line) end
  for key, field in pairs(DURATIONS) do
    if own[key] == nil and wanted[field] then put(filling, own, key, wanted[field] .. "ms", line) end
  end
end

-- A list of the service's, which gets more; nil where it has something else there.
local function list_of(filling, key, line)
  local service = filling.service
  if service[key] == nil then put(filling, service, key, tables.list {}, line) end
  return schema.kind_of(service[key]) == "list" and service[key] or nil
end

local function target_of(volume)
  if is_map(volume) then return volume.target end
  return type(volume) == "string" and (volume:match("^[^:]*:(/[^:]*)") or volume) or nil
end

local function fill_volumes(filling)
  local recipe, lines = filling.recipe, filling.recipe.places.volumes
  local list, taken = #recipe.volumes > 0 and list_of(filling, "volumes", lines[1]), {}
  if not list then return end
  for _, volume in ipairs(list) do taken[path.normalize(target_of(volume) or "")] = true end
  for position, target in ipairs(recipe.volumes) do
    if not taken[target] then put(filling, list, #list + 1, target, lines[position]) end
  end
end

local function fill_ports(filling)
  local recipe, lines = filling.recipe, filling.recipe.places.expose
  local list, taken = #recipe.expose > 0 and list_of(filling, "expose", lines[1]), {}
  if not list then return end
  for _, port in ipairs(list) do taken[tostring(port):gsub("/tcp$", "")] = true end
  for position, port in ipairs(recipe.expose) do
    local text = port.port .. (port.to and "-" .. port.to or "") .. (port.protocol ~= "tcp" and "/" .. port.protocol or "")
    if not taken[text] then put(filling, list, #list + 1, text, lines[position]) end
  end
end

--- Fills a service from the recipe of its Dockerfile.
---@param state holos.ComposeState
---@param recipe holos.dockerfile.Recipe
---@param index integer  of the Dockerfile among the files that marks speak of
function M.fill(state, service, recipe, index)
  local filling = { marks = state.marks, service = service, recipe = recipe, index = index }
  fill_app(filling)
  fill_health(filling)
  fill_volumes(filling)
  fill_ports(filling)
end

return M
