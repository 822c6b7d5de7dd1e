--- Reference pages of the compose language, made from its rules: docs/compose.md and docs/from-docker.md. Pure.
local schema = require "holos.core.schema"
local tables = require "holos.core.table"
local units = require "holos.core.units"

local M = {}

local function cell(text) return (text:gsub("|", "\\|"):gsub("\n", " ")) end

local function row(...)
  local cells = { ... }
  for position, text in ipairs(cells) do cells[position] = cell(text) end
  return "| " .. table.concat(cells, " | ") .. " |"
end

local describe = {}

--- What a value looks like, in a word or two.
function M.describe(rule) return describe[rule.kind](rule) end

local function quoted(values)
  return table.concat(tables.map(values, function(value) return ("`%s`"):format(tostring(value)) end), ", ")
end

function describe.any() return "anything" end
function describe.text() return "text" end
function describe.boolean() return "true, false" end
function describe.duration() return "duration: `1m30s`" end
function describe.size() return "size: `20G`" end
function describe.choice(rule) return quoted(rule.values) end
function describe.record() return "mapping" end
function describe.map() return "mapping" end

function describe.list(rule)
  local of = M.describe(rule.of)
  return of:find("; ", 1, true) and ("list of (%s)"):format(of:gsub("; ", " or ")) or "list of " .. of
end

function describe.lazy(rule) return M.describe(schema.loaded(rule)) end
describe.later, describe.ignored = describe.lazy, describe.lazy

function describe.integer(rule)
  if rule.least and rule.most then return ("number, %d to %d"):format(rule.least, rule.most) end
  return "number"
end

-- Values that are read and checked, and refused by up.
local function later_values(rule)
  if not rule then return {} end
  if rule.kind == "either" then return later_values(rule.text) end
  return rule.later_values or {}
end

function describe.parsed(rule)
  if rule.values then
    local later = rule.later_values or {}
    return quoted(tables.filter(rule.values, function(value) return not tables.index_of(later, value) end))
  end
  if rule.example then return ("`%s`"):format(rule.example) end
  return (rule.wanted or schema.describe(rule)):gsub('"', "`")
end

function describe.either(rule)
  local words, seen = {}, {}
  for _, kind in ipairs { "text", "integer", "number", "boolean", "list", "map" } do
    local word = rule[kind] and M.describe(rule[kind])
    if word and not seen[word] then words[#words + 1], seen[word] = word, true end
  end
  return table.concat(words, "; ")
end

local function default_text(field)
  local default = field.default
  if field.default_text then return field.default_text end
  if default == nil then return field.required == true and "required" or "" end
  if type(default) == "table" then return "" end
  local kind = schema.loaded(field.rule).kind
  if kind == "duration" then return units.format_duration(default) end
  return kind == "size" and units.format_bytes(default) or tostring(default)
end

--- What becomes of a key, in a sentence or two.
function M.meaning(field)
  if field.class == "refused" then return ("**Refused**: %s."):format(field.reason) end
  if field.class == "ignored" then return ("**No effect**, with a warning: %s."):format(field.reason) end
  local later = later_values(field.rule and schema.loaded(field.rule))
  if field.class ~= "later" and #later > 0 then return ("%s **Not yet**: %s."):format(field.meaning, quoted(later)) end
  if field.class ~= "later" then return field.meaning end
  return ("**Not yet**%s. %s"):format(field.reason and (" (%s)"):format(field.reason) or "", field.meaning)
end

local HEAD = { "| key | value | default | changing it | meaning |", "| --- | --- | --- | --- | --- |" }

local function key_row(name, field)
  local value = field.rule and M.describe(field.rule) or ""
  return row(("`%s`"):format(name), value, default_text(field), field.change or "", M.meaning(field))
end

-- The records that lie inside of a rule, each once: {rule, path}.
local function inner_records(rule, path, found)
  rule = schema.loaded(rule)
  if rule.kind == "record" and not found[rule] then
    found[#found + 1], found[rule] = { rule = rule, path = path }, true
  end
  if rule.kind == "list" then inner_records(rule.of, path .. "[]", found) end
  if rule.kind == "map" then inner_records(rule.of, path .. ".NAME", found) end
  if rule.kind == "either" then
    if rule.list then inner_records(rule.list, path, found) end
    if rule.map then inner_records(rule.map, path, found) end
  end
  return found
end

local add_record

-- The tables of what lies inside of a field.
local function add_inner(lines, field, path)
  if not field.rule or field.class == "ignored" then return end
  for _, inner in ipairs(inner_records(field.rule, path, {})) do add_record(lines, inner.rule, inner.path) end
end

local function add_rows(lines, fields, others)
  tables.extend(lines, HEAD)
  for _, field in ipairs(fields) do lines[#lines + 1] = key_row(field.name, field) end
  lines[#lines + 1] = ""
  if others then
    tables.extend(lines, { ("Passed to cloud-init as they are: %s."):format(quoted(tables.keys(others))), "" })
  end
end

function add_record(lines, rule, path)
  tables.extend(lines, { ("#### `%s`"):format(path), "" })
  add_rows(lines, rule.fields, rule.others)
  for _, field in ipairs(rule.fields) do add_inner(lines, field, path .. "." .. field.name) end
end

local INTRO = [[
# Keys of holos.yaml

Made by `holos gen compose` from the tables that files are checked by. `holos schema` prints the same as JSON Schema for
editors. How files are found and merged, and where their variables come from: [files.md](files.md). Files of docker compose:
[from-docker.md](from-docker.md).

*Changing it* says what a running machine needs: *live*: nothing; *restart*: a restart, its disk is kept; *reprovision*: its
first steps again; *recreate*: a new disk. **Not yet**: the key, or the value, is read and checked, and `up` refuses it.
Keys that begin with `x-` are yours; in a service `x-holos: {…}` holds keys that holos reads and docker compose passes over,
and `x-holos: {ignore: [KEY, …]}` names keys that holos is to pass over.

`true` and `false` are YAML's; `yes`, `no`, `on` and `off` are taken
for them with a warning. Sizes count in powers of 1024: `512m`, `20G`, `1.5g`; a bare number counts bytes. Durations have
units: `500ms`, `30s`, `1m30s`, `2h`.
]]

local function subjects(service)
  local list, by_title = {}, {}
  for _, field in ipairs(service.fields) do
    local known = by_title[field.subject]
    if not known then
      known = { title = field.subject, fields = {} }
      list[#list + 1], by_title[field.subject] = known, known
    end
    known.fields[#known.fields + 1] = field
  end
  return list
end

local function service_rule(project) return schema.loaded(project.fields.services.rule.of) end

--- docs/compose.md
---@param project table  the rule of the whole file
function M.compose(project)
  local lines = tables.list { INTRO, "## The file", "" }
  add_rows(lines, project.fields)
  add_inner(lines, project.fields.include, "include")
  for _, subject in ipairs(subjects(service_rule(project))) do
    tables.extend(lines, { "## Services: " .. subject.title:gsub("^%u", string.lower), "" })
    add_rows(lines, subject.fields)
    for _, field in ipairs(subject.fields) do add_inner(lines, field, field.name) end
  end
  for _, name in ipairs { "networks", "volumes", "configs", "secrets" } do
    tables.extend(lines, { ("## %s"):format(name:gsub("^%l", string.upper)), "" })
    add_inner(lines, project.fields[name], name)
  end
  return (table.concat(lines, "\n"):gsub("\n+$", "\n"))
end

local FROM_DOCKER = [[
# From docker compose

Made by `holos gen from-docker`. What becomes of every key of a docker compose file. Change `image:` to the disk image of a
cloud image first: a container image is no virtual machine, and each is refused with a word about what to install instead.

Keys that only mean something for containers either have no effect, with a warning, or are refused by name, where leaving them
out could surprise. `--compat` makes warnings of these refusals, so that a file can be tried as it is;
`x-holos: {ignore: [ipc]}` in a service silences one. A file that docker compose is to read too can hold what only holos knows
in `x-holos: {…}`.
]]

local CLASSES = {
  { "works", "Works", "key", "what it does" },
  { "later", "Not yet: read and checked, and refused by up", "key", "what it will do" },
  { "ignored", "No effect, with a warning", "key", "why" }, { "refused", "Refused", "key", "why" },
}

-- Every key of docker's in a rule, with its path.
local function docker_keys(rule, path, into)
  for _, field in ipairs(rule.fields) do
    local here = path == "" and field.name or path .. "." .. field.name
    if not field.own then
      into[#into + 1] = { path = here, field = field }
      if field.class == "works" and here ~= "services" then
        for _, inner in ipairs(inner_records(field.rule, here, {})) do docker_keys(inner.rule, inner.path, into) end
      end
    end
  end
  return into
end

local function docker_row(entry)
  local field = entry.field
  if field.class == "works" then return row(("`%s`"):format(entry.path), M.meaning(field)) end
  if field.class == "later" then
    local hint = field.reason and (" So far: %s."):format(field.reason) or ""
    return row(("`%s`"):format(entry.path), field.meaning .. hint)
  end
  return row(("`%s`"):format(entry.path), field.reason)
end

local function add_classes(lines, entries)
  for _, class in ipairs(CLASSES) do
    local rows = tables.list {}
    for _, entry in ipairs(entries) do
      if entry.field.class == class[1] then rows[#rows + 1] = docker_row(entry) end
    end
    if #rows > 0 then
      tables.extend(lines, { "### " .. class[2], "", ("| %s | %s |"):format(class[3], class[4]), "| --- | --- |" })
      tables.extend(lines, rows)
      lines[#lines + 1] = ""
    end
  end
end

--- docs/from-docker.md
---@param project table  the rule of the whole file
function M.from_docker(project)
  local lines = tables.list { FROM_DOCKER, "## In services", "" }
  add_classes(lines, docker_keys(service_rule(project), "", {}))
  tables.extend(lines, { "## At top level", "" })
  add_classes(lines, docker_keys(project, "", {}))
  return (table.concat(lines, "\n"):gsub("\n+$", "\n"))
end

return M
