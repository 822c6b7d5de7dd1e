--- Runs a command of holos in this process, and writes into a file what that took: `inside.lua FILE COMMAND…`.
--- CPU counts from the start of the process, memory is its peak.

local fs = require "sys.fs"
local main = require "holos.main"

local file = arg[1]
local status = main { [0] = "holos", table.unpack(arg, 2) }
local peak_kib = assert(fs.read("/proc/self/status", { max_bytes = 65536 })):match("VmHWM:%s+(%d+)")
local text = ("%.0f %s\n"):format(os.clock() * 1e6, peak_kib)
assert(fs.write_atomic(file, text, { mode = tonumber("600", 8), sync = false }))
return status
