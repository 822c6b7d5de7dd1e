-- The schema is data: documentation, checks and kinds of change come from it, so it must say everything.

local project = require "holos.compose.schema.project"
local schema = require "holos.core.schema"

local CHANGES = { live = true, restart = true, reprovision = true, recreate = true }
local CLASSES = { works = true, later = true, refused = true, ignored = true }

local function each(visit)
  for _, entry in ipairs(schema.fields(project)) do visit(entry.path, entry.field) end
end

test("every key has a class; usable ones a meaning, others no rule", function()
  each(function(path, field)
    ok(CLASSES[field.class], path)
    if field.class == "works" then
      ok(field.meaning and field.meaning:find("%.$"), path .. " has no meaning")
      ok(field.rule, path .. " has no rule")
    else
      ok(not field.rule, path)
    end
    if field.class == "refused" or field.class == "ignored" then ok(field.reason, path .. " gives no reason") end
  end)
end)

test("every usable key of a machine says what its change needs", function()
  local grouping = { ["services.*.vm"] = true, ["services.*.cloud_init"] = true, ["services.*.healthcheck"] = true,
    ["services.*.extends"] = true }
  each(function(path, field)
    if field.change then ok(CHANGES[field.change], path) end
    local own_change = path:find("^services%.%*%.[%w_]+$") or path:find("^services%.%*%.vm%.[%w_]+$")
      or path:find("^services%.%*%.healthcheck%.[%w_]+$") or path:find("^services%.%*%.cloud_init%.[%w_-]+$")
    if own_change and field.class == "works" and not grouping[path] then ok(field.change,
      path .. " has no kind of change") end
  end)
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
  equal({ defaults["services.*.replicas"], defaults["services.*.vm.vcpu"], defaults["services.*.vm.machine"] },
    { 1, 1, "q35" })
  equal({ defaults["services.*.stop_grace_period"], defaults["services.*.healthcheck.interval"] }, { 30000, 30000 })
  equal({ defaults["services.*.healthcheck.timeout"], defaults["services.*.healthcheck.retries"] }, { 5000, 3 })
  equal({ defaults["volumes.*.size"], defaults["services.*.vm.memory_mb"] }, { 10 << 30, nil })
end)
