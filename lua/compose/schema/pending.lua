--- Keys that are read and checked and have no effect so far, by what has to give them one. Data.
--
-- `up` refuses a file that uses them and names them. A key that has its effect is taken out of this list, and then works.
local M = {}

local function add(names)
  for name in names:gmatch("%S+") do M[name] = true end
end

-- The planner and the command line of QEMU.
add [[ networks network_mode mac_address host_access container_name platform boot cdrom iso rtc
  cpus.fraction ports.pool ready depends_on.completed depends_on.restart depends_on.required ]]

-- The seed: files, units and settings in the guest.
add [[ environment env_file hostname domainname dns dns_search dns_opt extra_hosts configs secrets tmpfs command
  entrypoint working_dir user group_add ulimits pids_limit stop_signal sysctls shm_size ]]

-- Disks and shares.
add [[ volumes.anonymous volumes.subpath volumes.create_host_path volume.name volume.external ]]

-- Health checks.
add [[ healthcheck.start_interval ]]

--- The class of a key: "later" while it is listed here.
function M.class(name) return M[name] and "later" or "works" end

return M
