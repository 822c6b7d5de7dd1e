--- Checks of what runs in the guests. Pure.

local M = {}

-- What only matters to a program: keys of `app` by those of the file.
local NONE = {}
local SETTINGS = { working_dir = "working_dir", user = "user", stop_signal = "stop_signal", pids_limit = "pids_limit" }

--- Settings of a program without a program.
function M.check_program(project, _, facts)
  for _, name in ipairs(project.order) do
    local app = project.services[name].app
    for key, field in pairs(app and #app.argv == 0 and SETTINGS or NONE) do
      if app[field] then
        facts.warn({ "services", name, key }, "has no effect without command: or entrypoint:",
          key == "user" and "who logs in is cloud_init.user" or nil)
      end
    end
  end
end

local HOOKS = { "post_start", "pre_stop" }

--- Commands for a start or a stop without a word.
function M.check_hooks(project, report)
  for _, name in ipairs(project.order) do
    for _, key in ipairs(HOOKS) do
      for position, hook in ipairs(project.services[name][key] or {}) do
        if hook.command and #hook.command == 0 then
          report({ "services", name, key, position, "command" }, "names no program", 'for example ["systemctl", "reload", "app"]')
        end
      end
    end
  end
end

return M
