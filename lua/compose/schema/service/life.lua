--- Keys of services that say when it starts and ends, and what is known of it. Data.
local lazy = require "holos.core.lazy"
local machine = lazy "holos.compose.machine"
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local depends_on = schema.lazy(function() return require "holos.compose.schema.depends" end)
local healthcheck = schema.lazy(function() return require "holos.compose.schema.healthcheck" end)
local deploy = schema.lazy(function() return require "holos.compose.schema.deploy" end)
local build = schema.lazy(function() return require "holos.compose.schema.build" end)
local develop = schema.lazy(function() return require "holos.compose.schema.develop" end)
local logging = schema.lazy(function() return require "holos.compose.schema.logging" end, "logging")

local restart = schema.parsed {
  accepts = { text = true, boolean = true }, wanted = "a restart policy",
  values = { "no", "always", "on-failure", "unless-stopped" },
  parse = function(value) return machine.parse_restart(value) end,
}

local on_unhealthy = schema.parsed {
  accepts = { boolean = true, integer = true, text = true }, wanted = "true, false or a number",
  parse = function(value)
    if type(value) == "boolean" then return value end
    local count = math.tointeger(tonumber(value))
    if count and count >= 1 then return count end
    return nil, ('expected true, false or a number from 1 up, got "%s"'):format(tostring(value))
  end,
}

local pull_policy = schema.parsed {
  accepts = { text = true }, wanted = "a pull policy",
  values = { "missing", "if_not_present", "never", "always", "build", "refresh", "daily", "weekly", "every_12h" },
  parse = function(value) return machine.parse_pull_policy(value) end,
}

local pull_age = schema.parsed {
  accepts = { text = true }, wanted = "an age such as 1d or 12h", parse = function(value) return machine.parse_pull_age(value) end,
}

local profile = schema.text { pattern = "[%w][%w_.-]+", wanted = 'a name of letters, digits, "_", "." and "-"' }

return { title = "Its life",
  { "depends_on", depends_on, change = "live", meaning = "Services that must be there first: a list, or {NAME: {condition}}." },
  { "healthcheck", healthcheck, meaning = "Tells whether the guest does its work." },
  { "ready", schema.choice { values = { "running", "ready", "provisioned" } }, own = true,
    change = "live", default_text = "provisioned", meaning = "What up waits for where there is no health check." },
  { "stop_grace_period", schema.duration {}, default = 30000, unit = "ms", change = "live",
    meaning = "Time a guest has to power off before it is switched off." },
  { "profiles", schema.list { of = profile }, change = "live",
    meaning = "Only there when one of these profiles is asked for: --profile." },
  { "extends", rules.extends, change = "live", meaning = "The service that this one is laid over." },
  { "protect", schema.boolean {}, default = false, change = "live", own = true,
    meaning = "Refuse everything that would take the disks of these instances away." },
  { "console_login", schema.choice { values = { "none", "autologin" } }, default = "none", change = "restart", own = true,
    meaning = "Who may log in on the console socket: nobody without a password, or everybody." },
  { "labels", rules.pairs, change = "live", meaning = "Words of your own, for filters and scripts." },
  { "label_file", rules.texts, change = "live", same_as = "labels", meaning = "Files with labels, below those of labels." },
  { "annotations", rules.pairs, change = "live", meaning = "Words of your own, for scripts." },
  { "deploy", deploy, meaning = "The same things in the words of Swarm: replicas, CPUs, memory." },
  { "restart", restart, change = "live", default_text = "no",
    meaning = "What happens when a machine ends: no, always, on-failure[:N], unless-stopped." },
  { "restart_on_unhealthy", on_unhealthy, change = "live", own = true, default_text = "false",
    meaning = "Restart a machine whose health check fails: true, or at most so many times in a row." },
  { "attach", schema.boolean {}, class = "later", idle = true, change = "live", default_text = "true",
    meaning = "Whether up --attach shows its output." },
  { "logging", logging, change = "live", meaning = "Where output goes, and how much is kept." },
  { "build", build, change = "reprovision",
    meaning = "Provision the machine by a Dockerfile: its steps run in the guest, once, after packages and before runcmd. A "
      .. "directory, or {context, dockerfile, dockerfile_inline, args, target}." },
  { "dockerfile", rules.host_path, change = "reprovision", own = true,
    meaning = "Short for build with this Dockerfile; its directory is the context." },
  { "recipes", schema.any {}, class = "later", change = "reprovision", own = true, reason = "provision with cloud_init",
    meaning = "Recipes for provisioning." },
  { "pull_policy", pull_policy, change = "live", default_text = "missing",
    meaning = "When an image that has a name is fetched: missing and if_not_present when it is not here, never not at all, "
      .. "always at every up, daily, weekly and every_12h when it was fetched that long ago. What runs keeps its image." },
  { "pull_refresh_after", pull_age, change = "live", meaning = "How old an image may get with pull_policy: refresh." },
  { "develop", develop, class = "later", change = "live", meaning = "What happens when files on the host change." },
  { "provider", schema.any {}, class = "later", change = "live", meaning = "A program that provides the service." },
}
