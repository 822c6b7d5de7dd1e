--- Checks of configs and secrets. Pure.
local lazy = require "holos.core.lazy"
local tables = require "holos.core.table"
local text = lazy "holos.core.text"

local M = {}

local KINDS, NONE = { "configs", "secrets" }, {}

-- Every grant of an enabled service.
local function each_grant(project, visit)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for _, kind in ipairs((service.configs or service.secrets) and KINDS or NONE) do
      for position, grant in ipairs(service[kind] or {}) do
        visit(kind, grant, { "services", name, kind, position }, service)
      end
    end
  end
end

--- Configs and secrets stand at top level.
function M.check_declared(project, report, facts)
  each_grant(project, function(kind, grant, keys)
    if project[kind][grant.key] or facts.is_written(kind, grant.key) then return end
    local one = kind:sub(1, -2)
    local close = text.nearest(grant.key, tables.keys(project[kind]))
    report(keys, ('there is no %s "%s"'):format(one, grant.key), close and ('did you mean "%s"?'):format(close)
      or ("add it at the end of the file (%s: {%s: {file: ./%s}})"):format(kind, grant.key, grant.key))
  end)
end

--- One target, one file; no mount is at the same place.
function M.check_targets(project, report)
  local of_service, seen = nil, nil
  each_grant(project, function(_, grant, keys, service)
    if of_service ~= service then
      of_service, seen = service, {}
      for _, mount in ipairs(service.mounts) do
        if mount then seen[mount.target] = "a mount" end
      end
    end
    if seen[grant.target] then
      report(keys, ("%s is the target of %s too"):format(grant.target, seen[grant.target]))
    end
    seen[grant.target] = ('"%s"'):format(grant.key)
  end)
end

local SECRETS = "/run/secrets"

local function is_below(target, directory) return target:sub(1, #directory + 1) == directory .. "/" end

-- Why no file can be put there; nil when it can.
local function place_problem(kind, target)
  if target == "/" then return "/ is the guest's root" end
  if target == SECRETS then return SECRETS .. " is the directory that secrets are in" end
  for _, directory in ipairs { "/run/holos", SECRETS .. "/.elsewhere" } do
    if target == directory or is_below(target, directory) then return directory .. " is for what holos keeps in the guest" end
  end
  if kind == "configs" and is_below(target, SECRETS) then return SECRETS .. " is for secrets, which would cover it" end
end

--- Files are not put where the guest or holos has something, and nothing is mounted over the memory that secrets are in.
function M.check_places(project, report)
  each_grant(project, function(kind, grant, keys)
    local problem = place_problem(kind, grant.target)
    if problem then report(keys, problem) end
  end)
  for _, name in ipairs(project.order) do
    local service = project.services[name]
    for position, mount in ipairs(service.secrets and service.mounts or NONE) do
      if mount and (mount.target == SECRETS or is_below(mount.target, SECRETS)) then
        report({ "services", name, "volumes", position }, ("%s is for secrets, which are kept in memory"):format(SECRETS))
      end
    end
  end
end

local function check_source(kind, key, source, report, facts)
  if source.kind == "file" and facts.stat then
    local is = facts.stat(source.path)
    if not is then report({ kind, key, "file" }, source.path .. " does not exist") end
    if is and is ~= "file" then report({ kind, key, "file" }, ("%s is a %s, not a file"):format(source.path, is)) end
  elseif source.kind == "environment" and facts.variable and not facts.variable(source.variable) then
    report({ kind, key, "environment" }, ("the variable %s is not set"):format(source.variable),
      "set it in the environment or in .env")
  end
end

--- What is granted to somebody is there: its file exists, its variable is set.
function M.check_sources(project, report, facts)
  local asked = {}
  each_grant(project, function(kind, grant)
    local declared = project[kind][grant.key]
    if asked[declared or false] or not declared or not declared.source then return end
    asked[declared] = true
    check_source(kind, grant.key, declared.source, report, facts)
  end)
end

return M
