-- The schema is data: documentation, checks and kinds of change come from it, so it must say everything.

local project = require "holos.compose.schema.project"
local schema = require "holos.core.schema"
local source = require "tests.support.source"
local storage = require "holos.compose.normalize.storage"

local CHANGES = { live = true, restart = true, reprovision = true, recreate = true }
local CLASSES = { works = true, later = true, refused = true, ignored = true }

local function each(visit)
  for _, entry in ipairs(schema.fields(project)) do visit(entry.path, entry.field) end
end

test("every key has a class, and a rule or a reason", function()
  each(function(path, field)
    ok(CLASSES[field.class], path)
    if field.class == "refused" then ok(not field.rule, path) else ok(field.rule, path .. " has no rule") end
    if field.class == "refused" or field.class == "ignored" then
      ok(field.reason and not field.reason:find("%.$"), path .. " gives no reason")
    else
      ok(field.meaning and field.meaning:find("%.$"), path .. " has no meaning")
    end
    if field.change then ok(CHANGES[field.change], path) end
  end)
end)

-- Keys that hold others, which say it.
local GROUPS = { vm = true, cloud_init = true, healthcheck = true, deploy = true }

test("every usable key of a machine says what its change needs", function()
  each(function(path, field)
    local own = path:match("^services%.%*%.([%w_]+)$") or path:match("^services%.%*%.vm%.([%w_]+)$")
      or path:match("^services%.%*%.healthcheck%.([%w_]+)$") or path:match("^services%.%*%.cloud_init%.([%w_-]+)$")
    local says = field.class == "works" or field.class == "later"
    if own and says and not GROUPS[own] then ok(field.change, path .. " has no kind of change") end
  end)
end)

test("a key that says the same as another names one that there is", function()
  local paths = {}
  each(function(path) paths[path] = true end)
  each(function(path, field)
    if field.same_as then ok(paths["services.*." .. field.same_as], path) end
  end)
end)

-- Everything of a docker compose file that has a meaning for a VM, so far.
local WORKING = [[ image environment env_file hostname domainname labels profiles extends configs secrets ports volumes tmpfs
  networks dns dns_search dns_opt extra_hosts depends_on healthcheck deploy scale replicas cpus mem_limit command entrypoint
  working_dir user group_add sysctls ulimits pids_limit shm_size stop_signal mac_address container_name platform storage_opt
  memory boot cdrom iso rtc expose network_mode stop_grace_period annotations label_file protect ready console_login ]]

test("keys that a file can rely on work, and none of them is put off", function()
  local service = schema.loaded(project.fields.services.rule.of)
  for name in WORKING:gmatch("%S+") do equal({ name, service.fields[name].class }, { name, "works" }) end
  for _, name in ipairs { "services", "volumes", "networks", "configs", "secrets", "include" } do
    equal(project.fields[name].class, "works")
  end
end)

-- Every word of a service that works is taken into the project by somebody.
test("every key that works is read where the project is made", function()
  local text = {}
  for _, file in ipairs(source.list("lua/compose", "%.lua$")) do
    if not file.path:find("/schema/") then text[#text + 1] = file.text end
  end
  text = table.concat(text)
  local service = schema.loaded(project.fields.services.rule.of)
  local before = { extends = true } -- taken in where files are merged
  for _, field in ipairs(service.fields) do
    local name = field.name
    local is_read = text:find("service%." .. name .. "%f[^%w_]") or text:find("wanted%." .. name .. "%f[^%w_]")
      or text:find("fillers%." .. name .. "%(") or text:find('"' .. name .. '"', 1, true)
    if field.class == "works" and not before[name] then ok(is_read, name) end
  end
end)

test("no key is described twice, and the whole subset is there", function()
  local seen = {}
  each(function(path)
    ok(not seen[path], path)
    seen[path] = true
  end)
  for name in ([[ name services volumes services.*.image services.*.image_format services.*.image_os services.*.replicas
      services.*.vm.vcpu services.*.vm.memory_mb services.*.vm.disk_size services.*.vm.machine services.*.vm.cpu_model
      services.*.vm.accel services.*.vm.uefi services.*.vm.extra_args services.*.vm.allow_paths services.*.ports
      services.*.volumes services.*.depends_on services.*.cloud_init.user services.*.cloud_init.packages
      services.*.cloud_init.write_files[].permissions services.*.cloud_init.runcmd services.*.stop_grace_period
      services.*.healthcheck.test services.*.labels services.*.protect services.*.console_login volumes.*.size ]])
      :gmatch("%S+") do
    ok(seen[name], name)
  end
end)

test("defaults are what the design says", function()
  local defaults = {}
  each(function(path, field) defaults[path] = field.default end)
  equal(defaults["services.*.vm.machine"], "q35")
  equal({ defaults["services.*.stop_grace_period"], defaults["services.*.healthcheck.interval"] }, { 30000, 30000 })
  equal({ defaults["services.*.healthcheck.timeout"], defaults["services.*.healthcheck.retries"] }, { 5000, 3 })
  equal({ defaults["volumes.*.size"], defaults["services.*.vm.memory_mb"] }, {})
  equal(storage.volumes({ data = {} }, {}).data.size_bytes, 10 << 30)
end)
