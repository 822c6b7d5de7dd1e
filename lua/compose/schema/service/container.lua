--- Keys of services that only mean something for containers. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local M = { title = "Of containers only" }

local function ignored(name, rule, reason, idle)
  M[#M + 1] = { name, rule, class = "ignored", reason = reason, idle = idle }
end

local function refused(name, reason, hint)
  M[#M + 1] = { name, class = "refused", excusable = true, reason = "not for VMs: " .. reason,
    hint = hint or ("remove it, or try the file with --compat, or say x-holos: {ignore: [%s]}"):format(name) }
end

local OWN_KERNEL = "a VM has a kernel of its own"
ignored("privileged", schema.boolean {}, OWN_KERNEL .. ", and all rights in it", false)
ignored("cap_add", rules.lines, OWN_KERNEL .. ", and all capabilities in it")
ignored("cap_drop", rules.lines, OWN_KERNEL)
ignored("security_opt", rules.lines, OWN_KERNEL)
ignored("init", schema.boolean {}, "a VM has an init system of its own", true)
ignored("tty", schema.boolean {}, "the console is always there: holos console", false)
ignored("stdin_open", schema.boolean {}, "the console is always there: holos console", false)
ignored("mem_swappiness", schema.integer { least = -1, most = 100 }, "the guest decides about its swap")
ignored("memswap_limit", schema.size { unlimited = true }, "the guest decides about its swap")
ignored("oom_kill_disable", schema.boolean {}, "the guest has its own memory", false)

local NO_SHARED_KERNEL = "containers share a kernel, VMs do not"
local NO_SHARED_GROUPS = "they share no control groups with each other"
refused("ipc", NO_SHARED_KERNEL)
refused("pid", NO_SHARED_KERNEL)
refused("uts", NO_SHARED_KERNEL)
refused("userns_mode", NO_SHARED_KERNEL)
refused("cgroup", NO_SHARED_GROUPS)
refused("cgroup_parent", NO_SHARED_GROUPS)
refused("device_cgroup_rules", NO_SHARED_GROUPS)
refused("cpu_rt_period", "real-time budgets are for containers")
refused("cpu_rt_runtime", "real-time budgets are for containers")
refused("credential_spec", "it is for Windows containers")
refused("isolation", "it is for Windows containers")
refused("runtime", "it chooses a container runtime")
refused("use_api_socket", "it is for the Docker daemon")
refused("models", "run the model as a service")
refused("external_links", "services of other projects are not reachable by name",
  "publish the other service's port, and reach it by 10.0.2.2")
refused("volumes_from", "a disk belongs to one machine", "name the volumes themselves")

return M
