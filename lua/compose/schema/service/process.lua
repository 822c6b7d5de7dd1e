--- Keys of services that say what runs in the guest. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"
local short_path = require "holos.compose.schema.short_path"

local function process(name)
  return schema.lazy(function() return require "holos.compose.schema.process" end, name)
end

local group = schema.parsed {
  accepts = { text = true, integer = true }, wanted = "a group, by name or number",
  parse = function(value)
    local text = tostring(value)
    if text:find("^[%w_][%w_.-]*%$?$") then return text end
    return nil, ('"%s" is no group'):format(text)
  end,
}

local env_file = rules.one_or_more(schema.either {
  text = short_path.rule { required = true },
  map = schema.record {
    { "path", rules.host_path, required = true, meaning = "The file." },
    { "required", schema.boolean {}, default = true, meaning = "false: it need not be there." },
    { "format", schema.choice { values = { "raw" } },
      meaning = "raw: no quotes and no variables, every line is NAME=VALUE." },
  },
})

local signal = schema.parsed {
  accepts = { text = true, integer = true }, wanted = 'a signal such as "SIGTERM"',
  parse = function(value)
    local text = tostring(value):upper()
    if text:find("^SIG[%u%d+-]+$") or text:find("^%d+$") then return text end
    if text:find("^%u[%u%d+-]+$") then return "SIG" .. text end
    return nil, ('"%s" is no signal'):format(tostring(value)), "for example SIGTERM"
  end,
}

return { title = "What runs in it",
  { "command", process "command", change = "restart",
    meaning = "The program that the machine is for, run as the unit holos-app: text, which is split into words without a "
      .. "shell, or a list of words." },
  { "entrypoint", process "command", change = "restart",
    meaning = "Words in front of those of command." },
  { "working_dir", rules.guest_path, change = "restart", default_text = "/",
    meaning = "Directory the program starts in." },
  { "user", rules.user, change = "restart", default_text = "root",
    meaning = "Who the program runs as: USER or USER:GROUP, by name or number. Who logs in is cloud_init.user." },
  { "group_add", schema.list { of = group }, change = "restart",
    meaning = "Further groups of the program." },
  { "environment", rules.environment, change = "restart",
    meaning = "Variables for the program and for exec; a name without a value takes it from the project's environment." },
  { "env_file", env_file, change = "restart",
    meaning = "Files with variables, below those of environment: a path, {path, required, format}, or a list of them." },
  { "ulimits", process "ulimits", change = "restart",
    meaning = "Limits of the program: {nofile: 1024} or {nofile: {soft: 1024, hard: 2048}}." },
  { "pids_limit", schema.integer { least = -1 }, change = "restart",
    meaning = "How many processes the program may have; -1: no limit." },
  { "stop_signal", signal, change = "restart", default_text = "SIGTERM",
    meaning = "Signal that ends the program." },
  { "sysctls", process "sysctls", change = "restart",
    meaning = "Kernel parameters of the guest, all of them." },
  { "shm_size", schema.size { least_bytes = 4096 }, unit = "bytes", change = "restart",
    default_text = "half of the guest's memory", meaning = "Size of /dev/shm." },
  { "post_start", process "hooks", change = "live",
    meaning = "Commands run in the guest after each start of the machine, once its first steps are done and before it counts "
      .. "as provisioned or healthy; each has five minutes, and one that fails fails up and start." },
  { "pre_stop", process "hooks", change = "live",
    meaning = "Commands run in the guest before it is switched off by a command, or by the end of the host or of "
      .. "the project's scope. Together they have half of stop_grace_period; when one fails the machine runs on, and the command "
      .. "ends with 1; at the end of the host or the scope it is switched off all the same." },
  { "pre_start", process "early_hooks", class = "later", change = "live",
    reason = "cloud_init.bootcmd runs early at every start", meaning = "Commands run before the machine starts." },
}
