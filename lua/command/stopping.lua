--- Options of commands that stop machines: stop, restart, rm, down. Pure.
local M = {}

M.TIMEOUT = { "-t", "--timeout", value = "DURATION", kind = "duration", help = "grace instead of stop_grace_period" }
M.NO_PRE_STOP = { "--no-pre-stop", help = "leave out the commands of pre_stop" }
M.PURGE = { "--purge", help = "delete the disks at once instead of keeping them in the trash" }

return M
