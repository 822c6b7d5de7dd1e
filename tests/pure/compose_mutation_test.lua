-- Damaged files: whatever is changed in a good one, it loads or is explained; nothing crashes.

local compose = require "tests.support.compose"
local document = require "holos.compose.document"
local files = require "tests.support.files"
local json = require "holos.core.json"
local mutate = require "tests.support.mutate"
local tables = require "holos.core.table"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

for _, name in ipairs { "my_stack", "everything", "health", "docker_app", "machines" } do
  test("two hundred damaged copies of " .. name, function()
    local text = ok(files.read(files.directory .. "/golden/right/" .. name .. ".yaml"))
    math.randomseed(#text)
    for _ = 1, 200 do
      local damaged = mutate.text(text)
      local complaints = compose.complaints(damaged)
      equal(complaints, compose.complaints(damaged))
      for line in complaints:gmatch("[^\n]+") do
        ok(line:find("^holos%.yaml:%d+:%d+: ") or line:find("^  ") or line:find("nothing was changed"), line)
      end
    end
  end)
end

-- Files that reach into each other in every way there is.
local SEVERAL = {
  ["holos.yaml"] = [==[
name: several
include: [sub/db.yaml, {path: [sub/db.yaml, more.yaml], env_file: x.env}]
services:
  web: &web
    extends: {file: sub/base.yaml, service: web}
    ports: ["8080:80", {target: 443, published: 8443}]
    environment: [A=1, B]
    depends_on: [db]
  other: {extends: web, ports: !override ["81:81"], command: !reset , <<: {labels: {a: b}}}
---
services: {web: {volumes: ["data:/data", "./www:/srv:ro"], extra_hosts: {a: [1.2.3.4]}}}
]==],
  ["holos.override.yaml"] = [==[
services:
  web: {ports: !reset [], depends_on: {db: {condition: service_healthy}}, environment: {A: 2, C: }}
  other: !override {image: ./b.qcow2, cloud_init: {runcmd: [a, [b]], write_files: [{path: /x, content: y}]}}
volumes: {data: {size: 1G}}
networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}
]==],
  ["sub/db.yaml"] = "services: {db: {image: ./db.qcow2, healthcheck: {test: [CMD, a]}, build: ., logging: {driver: a}}}\n",
  ["sub/base.yaml"] = "services:\n  web: {extends: base, dns: 1.1.1.1, env_file: a.env}\n"
    .. "  base: {image: ./a.qcow2, dns: [2.2.2.2]}\n",
  ["more.yaml"] = "include: [db.yaml]\nservices: {db: {build: {args: [A=1]}, logging: {driver: b}}}\n",
}

local function merged(texts)
  local tree, findings = compose.merge_files(texts, { names = { "holos.yaml", "holos.override.yaml" } })
  return { tree or false, findings }
end

test("a hundred and fifty damaged copies of files that reach into each other", function()
  equal(merged(SEVERAL)[2], {})
  math.randomseed(1)
  local names = tables.keys(SEVERAL)
  for _ = 1, 150 do
    local name, texts = names[math.random(#names)], tables.copy(SEVERAL)
    texts[name] = mutate.text(texts[name])
    local result = merged(texts)
    equal(merged(texts), result)
    for _, line in ipairs(result[2]) do ok(line:find("^%S.-:%d+:%d+: "), line) end
    local complaints = compose.complaints_of_files(texts, { names = { "holos.yaml", "holos.override.yaml" } })
    for line in complaints:gmatch("[^\n]+") do
      ok(line:find("^%S.-:%d+:%d+: ") or line:find("^  ") or line:find("nothing was changed"), line)
    end
  end
end)

local OTHER_KINDS = { json.null, true, 7, 0.5, "x", "", tables.list {}, {}, tables.list { 1 }, tables.list { "x" }, { a = 1 } }

-- Calls visit(container, key) for every value of a tree.
local function each_value(tree, visit)
  for _, key in ipairs(tables.keys(tree)) do
    visit(tree, key)
    if type(tree[key]) == "table" and tree[key] ~= json.null then each_value(tree[key], visit) end
  end
end

local EVERY = files.environment "HOLOS_TESTS" == "all" and 1 or 7

for _, name in ipairs { "docker_app", "machines", "everything" } do
  test("values of other kinds in the place of those of " .. name, function()
    local tree = document.build(compose.parse(ok(files.read(files.directory .. "/golden/right/" .. name .. ".yaml")))).trees[1]
    local count = 0
    each_value(tree, function(container, key)
      local kept = container[key]
      for _, other in ipairs(OTHER_KINDS) do
        count = count + 1
        container[key] = other
        if count % EVERY == 0 then compose.complaints(json.encode(tree)) end
      end
      container[key] = kept
    end)
    ok(count > 500)
  end)
end
