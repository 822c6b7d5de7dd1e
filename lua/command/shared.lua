--- What several commands share: options, words about plans and instances. Pure but for `talk`.
local err = require "holos.core.err"
local lazy = require "holos.core.lazy"
local out = require "holos.command.out"
local ports_ = lazy "holos.plan.ports"
local project = require "holos.use.project"
local render = lazy "holos.plan.render"
local table_ = require "holos.core.table"
local taken = lazy "holos.use.volumes.taken"
local units = lazy "holos.core.units"

local M = {}

M.LOCK_TIMEOUT = { "--lock-timeout", value = "DURATION", kind = "duration",
  help = "how long to wait for another command on this project (default 5m)" }
M.NO_WAIT = { "--no-wait", help = "fail at once when another command holds the project" }
M.WAIT_TIMEOUT = { "--wait-timeout", value = "DURATION", kind = "duration",
  help = "how long to wait for the guests (default 30m)" }
M.DETACH = { "-d", "--detach", help = "return when all run, without waiting for the guests" }
M.FORMAT = { "--format", value = "FORMAT", kind = "choice", choices = { "table", "json" },
  help = "table, or json: one object a line" }
M.FOLLOW = { "-F", "--follow", help = "go on as they come (-f does the same here, unless a file's name comes behind it)" }
M.SERVICES = { name = "SERVICE", optional = true, repeated = true, help = "services or instances; none means all" }

--- For commands where -f is short for an option of their own, unless the word after it is a file's name: then it is the
--- option of all commands.
---@param option string  "--follow", of `logs` and `events`
---@return fun(words: string[]): string[] rewrite
function M.rewrite_f(option)
  return function(words)
    local rewritten = {}
    for i, word in ipairs(words) do
      local after = words[i + 1] or ""
      local is_file = after:find("/", 1, true) or after:find("%.ya?ml$") or after:find("%.json$")
      rewritten[i] = word == "-f" and not is_file and option or word
    end
    return rewritten
  end
end

-- The service of a file that makes what a word names: the service, or an instance of it by its number.
local function maker_of(services, word)
  local name, index = word, "0"
  if not services[word] then name, index = word:match("^(.*)%-(%d+)$") end
  local service = services[name or ""]
  if not service or name ~= word and (service.container_name or tostring(tonumber(index)) ~= index) then return nil end
  return tonumber(index) < service.replicas and name or nil
end

-- A word that names nothing which was made may be one of the file: then that is what there is to say.
local function explain(context, problem)
  local word = err.is(problem) and problem.unknown_word
  local of_file = word and taken.project_of_file(context)
  local maker = of_file and maker_of(of_file.services, word)
  if not maker then return end
  problem.message = ("%s is in the file and not made yet"):format(word)
  problem.hint = "holos up " .. maker
end

--- The project of a command that works from the record; says what is to be known about the choice of files. To be closed: a
--- failure for what was not made yet then says so.
---@param verb string?  the command, when it changes something
---@param read (fun(world, state, name): table?)?  as of use/project
function M.recorded(world, options, verb, read)
  local context = project.from_record(world, options, options.arguments, verb, read)
  for _, notice in ipairs(context.notices) do out.warn(notice) end
  return setmetatable(context, { __close = explain })
end

--- What is to be known about a project and its plan.
function M.warn(context, plan)
  for _, warning in ipairs(context.project.warnings) do out.warn(warning) end
  for _, warning in ipairs(plan.warnings) do out.warn(warning) end
end

--- A plan, and what keeps it from being carried out.
function M.show_plan(context, plan)
  M.warn(context, plan)
  for _, line in ipairs(render.plan(plan)) do out.result(line) end
  if #plan.refusals + #plan.questions > 0 then out.talk(render.open(plan)) end
end

--- "2h", "5m", "12s": how long something has been so.
function M.age(duration_ms)
  for _, unit in ipairs { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" } } do
    if duration_ms >= unit[1] then return duration_ms // unit[1] .. unit[2] end
  end
  return duration_ms // 1000 .. "s"
end

--- "127.0.0.1:8080→80 127.0.0.1:5353→53/udp"
function M.ports(ports)
  local words = {}
  for i, port in ipairs(ports) do
    words[i] = ("%s:%d→%d%s"):format(port.host_ip, port.host, port.guest, port.protocol == "udp" and "/udp" or "")
  end
  return #words > 0 and table.concat(words, " ") or "-"
end

--- The rows of `ps` as cells.
function M.instance_cells(rows, with_project)
  local cells = { { "NAME", "IMAGE", "STATE", "CPU", "MEM", "DISK", "ADDRESS", "PORTS" } }
  for i, row in ipairs(rows) do
    local state = row.running and ("%s, up %s"):format(row.status, M.age(row.up_ms)) or row.status
    if row.accel == "tcg" then state = state .. " (tcg)" end
    cells[i + 1] = { row.name, row.image or "-", state, tostring(row.vcpu), units.format_bytes(row.memory_mib << 20),
      units.format_bytes(row.disk_bytes), row.address or "-", M.ports(row.ports) }
  end
  if with_project then
    for i, row in ipairs(cells) do table.insert(row, 1, i == 1 and "PROJECT" or rows[i - 1].project) end
  end
  return cells
end

--- Addresses to open in a browser: one line a service with published TCP ports.
---@return string[][] rows  name, URLs
function M.published(record)
  local by_service, order = {}, {}
  for _, name in ipairs(table_.keys(record.instances)) do
    local entry = record.instances[name]
    local keys, leased = ports_.lease_keys(entry.spec.ports), entry.leased or {}
    for position, port in ipairs(entry.spec.ports) do
      local host = port.host
      if keys[position] then host = leased[keys[position]] end
      if port.protocol == "tcp" and host then
        if not by_service[entry.spec.service] then
          by_service[entry.spec.service] = {}
          order[#order + 1] = entry.spec.service
        end
        table.insert(by_service[entry.spec.service], ("http://%s:%d"):format(port.host_ip, host))
      end
    end
  end
  return table_.map(order, function(service) return { service, table.concat(by_service[service], "  ") } end)
end

return M
