-- However a project is spread over files, and whatever the order of its keys, it is the same project.

local compose = require "tests.support.compose"
local document = require "holos.compose.document"
local files = require "tests.support.files"
local json = require "holos.core.json"
local tables = require "holos.core.table"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local NAMES = { "my_stack", "grace", "volume", "health", "images", "extra_args", "everything" }

local function text_of(name) return ok(files.read(files.directory .. "/golden/right/" .. name .. ".yaml")) end

local function tree_of(name) return document.build(assert(compose.parse(text_of(name)))).trees[1] end

-- What a project is, without where it was written.
local function comparable(project)
  local plain = tables.copy(project)
  plain.marks, plain.files, plain.warnings = nil, nil, nil
  for _, volume in pairs(plain.volumes) do volume.mark = nil end
  return plain
end

local function project_of(...)
  local texts, names = {}, {}
  for position, text in ipairs { ... } do
    names[position] = position == 1 and "holos.yaml" or ("over%d.yaml"):format(position)
    texts[names[position]] = text
  end
  return comparable(compose.load_files(texts, { names = names }))
end

local function is_map(value) return type(value) == "table" and value ~= json.null and not tables.is_list(value) end

local function shuffled(list)
  for position = #list, 2, -1 do
    local other = math.random(position)
    list[position], list[other] = list[other], list[position]
  end
  return list
end

-- Flow style, with the keys in any order.
local function write(value)
  local parts = {}
  if is_map(value) then
    for position, key in ipairs(shuffled(tables.keys(value))) do
      parts[position] = json.encode(key) .. ": " .. write(value[key])
    end
    return "{" .. table.concat(parts, ", ") .. "}"
  elseif type(value) == "table" and value ~= json.null then
    for position, item in ipairs(value) do parts[position] = write(item) end
    return "[" .. table.concat(parts, ", ") .. "]"
  end
  return json.encode(value)
end

local WHOLE = { test = true } -- a command line is replaced, never appended to

-- Two values that give this one when the second is laid over the first; nil for a side that says nothing.
local function split(value, name)
  if is_map(value) and next(value) ~= nil then
    local below, above = {}, {}
    for key, item in pairs(value) do below[key], above[key] = split(item, key) end
    return next(below) ~= nil and below or nil, next(above) ~= nil and above or nil
  elseif type(value) == "table" and value ~= json.null and #value > 0 and not WHOLE[name] then
    local cut = math.random(0, #value)
    return cut > 0 and tables.list(table.move(value, 1, cut, 1, {})) or nil,
      cut < #value and tables.list(table.move(value, cut + 1, #value, 1, {})) or nil
  end
  if math.random(2) == 1 then return value, nil end
  return nil, value
end

for _, name in ipairs(NAMES) do
  test("a document that says nothing changes nothing: " .. name, function()
    local text = text_of(name)
    local project = project_of(text)
    for _, nothing in ipairs { "", "# nothing\n", "---\n---\n", "{}", "services:\n", "services: {}\nvolumes:\n" } do
      equal(project_of(text, nothing), project)
      equal(project_of(nothing, text), project)
    end
    equal(project_of(text .. "\n---\n"), project)
    equal(project_of(text, "include: []"), project)
  end)

  test("order of keys, and files: " .. name, function()
    local project, tree = project_of(text_of(name)), tree_of(name)
    math.randomseed(#name)
    for _ = 1, 20 do
      equal(project_of(write(tree)), project)
      local below, above = split(tree)
      local middle
      below, middle = split(below or {})
      equal(project_of(write(below or {}), write(middle or {}), write(above or {})), project)
      equal(project_of(write(below or {}) .. "\n---\n" .. write(middle or {}) .. "\n---\n" .. write(above or {})), project)
    end
  end)
end

test("a file that is included is the same project", function()
  for _, name in ipairs(NAMES) do
    local included = comparable(compose.load_files { ["holos.yaml"] = "name: x\ninclude: [a.yaml]", ["a.yaml"] = text_of(name) })
    local given = comparable(compose.load_files({ ["holos.yaml"] = text_of(name) }, { name = "x" }))
    equal(included, given)
  end
end)

test("a service that only extends another is the same service", function()
  for _, name in ipairs(NAMES) do
    local text, tree, services = text_of(name), tree_of(name), {}
    for service in pairs(tree.services) do services[service] = { extends = { file = "a.yaml", service = service } } end
    local over = write { name = tree.name, services = services, volumes = tree.volumes }
    equal(comparable(compose.load_files { ["holos.yaml"] = over, ["a.yaml"] = text }), project_of(text))
  end
end)

-- Some keys of each service go to its x-holos, and some of what was beside them says something else to docker compose.
local function move_to_extension(tree)
  for _, service in pairs(tree.services or {}) do
    local own = {}
    for _, key in ipairs(tables.keys(service)) do
      if math.random(2) == 1 then own[key], service[key] = service[key], nil end
    end
    if own.image then service.image = "postgres:16" end
    if next(own) then service["x-holos"] = own end
  end
  return tree
end

test("a service whose keys stand in x-holos is the same service, in whatever file", function()
  for _, name in ipairs(NAMES) do
    local project = project_of(text_of(name))
    math.randomseed(#name)
    for _ = 1, 20 do
      equal(project_of(write(move_to_extension(tree_of(name)))), project)
      local below, above = split(tree_of(name))
      equal(project_of(write(move_to_extension(below or {})), write(move_to_extension(above or {}))), project)
    end
  end
end)
