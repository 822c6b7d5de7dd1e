--- services.*.configs and services.*.secrets; configs.* and secrets.* at top level. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local external = schema.lazy(function() return require "holos.compose.schema.external" end)

local M = {}

local owner = schema.parsed {
  accepts = { text = true, integer = true }, wanted = "a number, or a name of the guest",
  parse = function(value)
    local text = tostring(value)
    if text:find("^[%w_][%w_.-]*$") then return text end
    return nil, ('"%s" is neither a number nor a name'):format(text)
  end,
}

local function from_name(value)
  if value:find("^[%w][%w_.-]*$") then return { source = value } end
  return nil, ('expected a name of letters, digits, "_", "." and "-", got "%s"'):format(value)
end

local function grants(mode_text, target_text)
  return schema.list { of = schema.either {
    text = schema.parsed { accepts = { text = true }, wanted = "a name", parse = from_name },
    map = schema.record {
      { "source", rules.name, required = true, meaning = "The name at top level." },
      { "target", schema.text { wanted = "a path in the guest" }, default_text = target_text,
        meaning = "Path in the guest." },
      { "uid", owner, default_text = "0", meaning = "Owner, by number or name." },
      { "gid", owner, default_text = "0", meaning = "Group, by number or name." },
      { "mode", rules.mode, default_text = mode_text, meaning = "Access rights in octal; bits for writing do not count." },
    },
  } }
end

M.configs = grants("0444", "/NAME")
M.secrets = grants("0400", "/run/secrets/NAME")

local SOURCES = { "file", "environment", "content" }

-- Exactly one of the sources that there are for this kind.
local function check_sources(value, at)
  local given, is_refused = {}, false
  for _, key in ipairs(SOURCES) do
    if value[key] then given[#given + 1] = key end
    is_refused = is_refused or not value[key] and at.marks[value] and at.marks[value][key]
  end
  if value.external and #given > 0 then
    return at:report(("an external one has no %s"):format(given[1]))
  elseif #given > 1 then
    return at:report(("%s exclude each other; keep one"):format(table.concat(given, " and ")))
  elseif #given == 0 and not value.external and not is_refused then
    return at:report("says nothing about where its text comes from", "one of file, environment, content")
  end
  return value
end

local function sources(extra, what)
  local list = {
    { "file", rules.host_path, change = "restart", meaning = "A file of this host with the text." },
    { "environment", schema.text { pattern = "[^=%c%s]+", wanted = "the name of a variable" }, change = "restart",
      meaning = "A variable of the project's environment that holds the text." },
    { "name", schema.text {}, change = "live", meaning = "A name for readers." },
    { "labels", rules.pairs, change = "live", meaning = "For readers." },
    { "external", external, class = "later", idle = false,
      reason = "holos keeps no " .. what .. " of its own; write file: or environment:" , change = "restart",
      meaning = "It is kept by somebody else." },
    { "template_driver", class = "refused", excusable = true, reason = "not for VMs: it is of Swarm" },
  }
  for _, field in ipairs(extra) do list[#list + 1] = field end
  return schema.record(list, { canonical = check_sources, is_private = what == "secrets",
    hint = "its text stands elsewhere: write {file: PATH}, or {environment: VARIABLE} for a variable, which .env may set" })
end

M.config = sources({
  { "content", schema.text { empty = true }, change = "restart", meaning = "The text itself; variables are replaced." },
}, "configs")

M.secret = sources({
  { "content", class = "refused", own = true, reason = "a secret does not belong into this file",
    hint = "write file: or environment:" },
  { "driver", class = "refused", excusable = true, reason = "not for VMs: it is of Swarm" },
  { "driver_opts", class = "refused", excusable = true, reason = "not for VMs: it is of Swarm" },
}, "secrets")

return M
