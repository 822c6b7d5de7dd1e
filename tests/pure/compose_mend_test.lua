--- Mistakes that beginners make, one in each file of tests/golden/first_try: what the output says is what mends it.

local compose = require "tests.support.compose"
local files = require "tests.support.files"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local DIRECTORY = files.directory .. "/golden/first_try"

-- file → repairs: a part of the file, what to write instead, and the words of the output that say so where they are not
-- just what to write.
local REPAIRS = {
  bracket_not_closed = { { '"8080:80"\n', '"8080:80"]\n', '"]" of the list that began in line 4' } },
  colon_missing = { { "web\n", "web:\n", 'line 2 has no ":" at its end' } },
  colon_without_space = { { "image:./debian.qcow2", "image: ./debian.qcow2" } },
  comment_with_slashes = { { "//", "#", 'comments begin with "#"' } },
  dash_without_space = { { '-"8080:80"', '- "8080:80"' } },
  decimal_comma = { { "1,5G", "1.5G" } },
  dependency_cycle = { { "    depends_on: [web]\n", "", "take one of these dependencies out" } },
  equals_sign = { { "image=./debian.qcow2", "image: ./debian.qcow2" } },
  health_nobody_checks = { { "service_healthy", "service_started" } },
  keys_of_other_tools = { { "env", "environment" }, { "ram", "memory" } },
  no_break_space = { { "\u{A0}", " ", "there is U+00A0 in it, a no-break space" } },
  packages_in_one_text = { { "nginx curl", "[nginx, curl]" } },
  ports_as_mapping = { { '"8080": 80', '- "8080:80"' } },
  secret_in_the_file = { { "hunter2", "{file: ./password}", "{file: PATH}" } },
  typographic_quotes = { { "“8080:80”", '"8080:80"', 'a typographic quotation mark; write "' } },
  variables_with_dashes = { { "- DB_HOST: db", '- "DB_HOST=db"', '"DB_HOST=db"' } },
  command_with_colon = { { "echo note: done", '"echo note: done"' } },
  container_keys = { { "    ipc: host\n", "", "remove it" }, { "links: [db]", "depends_on: [db]", "write depends_on:" },
    { "    network_mode: host\n", "", "remove the line" } },
  dependency_misspelt = { { "databse", "database", 'did you mean "database"?' } },
  dependency_without_list = { { "depends_on: db", 'depends_on: ["db"]' } },
  directory_not_there = { { "./wwww", "./www", 'did you mean "./www"?' } },
  dollar_in_text = { { "${1}", "$${1}", 'a "$" that stands for itself is written "$$"' } },
  duration_without_unit = { { "30", '"30s"' } },
  healthcheck_as_text = { { "curl -f http://localhost", "{test: curl -f http://localhost}",
    'write healthcheck: {test: "COMMAND"}' } },
  image_forgotten = { { "    ports", "    image: ./debian.qcow2\n    ports", "image: ./debian.qcow2" } },
  image_not_there = { { "./debain.qcow2", "./debian.qcow2", 'did you mean "./debian.qcow2"?' } },
  item_not_indented = { { "\n   - ", "\n    - ", "line 6 begins with 3 spaces, line 5 with 4 spaces" } },
  key_misspelt = { { "prots", "ports", 'did you mean "ports"?' } },
  key_one_level_down = { { "      replicas", "    replicas", '"replicas" belongs below services.web' },
    { "      ports", "    ports", '"ports" belongs below services.web\n' } },
  key_one_level_up = { { "memory_mb: 2048", "vm: {memory_mb: 2048}", '"memory_mb" belongs below services.web.vm' },
    { "packages: [nginx]", "cloud_init: {packages: [nginx]}", '"packages" belongs below services.web.cloud_init' } },
  key_twice = { { '["8080:80"]\n    ports: ["8443:443"]', '["8080:80", "8443:443"]', "under one of them" } },
  keys_not_indented = { { "  image", "    image", '"image" belongs below a name, and is indented further' },
    { "  replicas", "    replicas", '"replicas" belongs below a name, and is indented further' } },
  memory_in_words = { { "2 gigs", "2G" } },
  memory_mb_with_unit = { { "memory_mb: 2G", "memory: 2G" } },
  memory_without_unit = { { "2048", "2048M" } },
  network_misspelt = { { "frontned", "frontend", 'did you mean "frontend"?' } },
  pasted_compose_file = { { "image: nginx:latest", "image: debian\n    cloud_init: {packages: [nginx]}",
      "image: debian\n    cloud_init: {packages: [nginx]}" },
    { "    attach: false\n", "", "not available yet is to be left out" },
    { "image: postgres:16", "image: debian\n    cloud_init: {packages: [postgresql]}",
      "image: debian\n    cloud_init: {packages: [postgresql]}" } },
  percent_without_quotes = { { "%50", '"%50"', "put it in quotes" } },
  port_out_of_range = { { "80800", "8080", "above 65535" } },
  port_twice = { { "8081", "8082", "8082 is free" } },
  port_with_arrow = { { "8080->80", "8080:80" } },
  ports_at_top_level = { { "ports", "    ports", '"ports" belongs below services.NAME' } },
  ports_without_list = { { 'ports: "8080:80"', 'ports: ["8080:80"]' } },
  quote_not_closed = { { "debian.qcow2\n", 'debian.qcow2"\n', "the quoted text is not closed; it began in line 3" } },
  replicas_in_quotes = { { '"two"', "2", "a whole number" }, { '"2 cores"', "2", "a whole number" } },
  restart_misspelt = { { "allways", "always", 'did you mean "always"?' } },
  secret_not_declared = { { "[password]\n", "[password]\nsecrets: {password: {file: ./password}}\n",
    "secrets: {password: {file: ./password}}" } },
  service_not_indented = { { "web:\n  image", "  web:\n    image", 'a service stands below "services:", indented further' } },
  service_with_capitals = { { "My_Web", "my-web" } },
  services_as_list = { { "- web:\n      ", "web:\n    ", 'without "- "' } },
  services_missing = { { "web:\n  ", "services:\n  web:\n    ", 'a service stands below "services:", indented further' } },
  star_without_quotes = { { "*", '"*"', "quote text that starts with one of them" } },
  tab = { { "\t", "    ", "YAML wants spaces" } },
  tab_after_spaces = { { "\t", "  ", "YAML wants spaces" } },
  text_with_two_colons = { { "note: remember: quote this", 'note: "remember: quote this"' } },
  truth_in_words = { { "enabled", "true", "expected true or false" } },
  variable_not_closed = { { "${GREETING", "${GREETING}", 'its "}" is missing' } },
  volume_key_like_a_path = { { "  ./data: {size: 10G}\n", "", "remove it" } },
  volume_like_a_path = { { "www/html", "./www/html" } },
  volume_not_declared = { { '"]\n', '"]\nvolumes: {data: }\n', "volumes: {data: }" } },
  volumes_as_mapping = { { "data: /var/lib/data", "- data:/var/lib/data" } },
  windows_path = { { "C:\\Users\\anna\\www", "./www", "name a directory of this host" } },
}

-- What mends it is outside of the file.
local ENVIRONMENTS = { variable_required = { DB_PASSWORD = "x" } }

-- A secret's file is told by its name to be one.
local function stat(path) return path:find("/password$") and "file" or compose.stat(path) end

local function mended(text, repairs, output)
  for _, repair in ipairs(repairs) do
    local said = repair[3] or repair[2]
    ok(output:find(said, 1, true), ("the output does not say: %s\n%s"):format(said, output))
    local from, to = text:find(repair[1], 1, true)
    ok(from, repair[1])
    text = text:sub(1, from - 1) .. repair[2] .. text:sub(to + 1)
  end
  return text
end

local function names()
  local list = {}
  for _, path in ipairs(files.below(DIRECTORY, "%.yaml$")) do list[#list + 1] = path:match("([^/]+)%.yaml$") end
  return list
end

for _, name in ipairs(names()) do
  test("a beginner's mistake, and what its output mends: " .. name, function()
    local text = files.read(("%s/%s.yaml"):format(DIRECTORY, name))
    local output = compose.complaints(text, { stat = stat })
    ok(output ~= "", "nothing was wrong")
    golden(("first_try/%s.txt"):format(name), output)
    local environment = ENVIRONMENTS[name]
    ok(environment or REPAIRS[name], "nobody knows how it is mended")
    local text_then = mended(text, REPAIRS[name] or {}, output)
    for variable in pairs(environment or {}) do ok(output:find(variable .. "=…", 1, true), output) end
    equal(compose.complaints(text_then, { stat = stat, environment = environment or { HOME = "/home/anna" } }), "")
  end)
end

test("there are thirty of them and more", function() ok(#names() >= 30) end)
