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

return M
