--- services.*.logging and services.*.blkio_config. Data.
local schema = require "holos.core.schema"

local M = {}

-- The console's log is a file of holos; who wants it elsewhere is put off.
local function put_off_elsewhere(driver, at)
  if driver ~= "json-file" and driver ~= "local" then at:put_off() end
  return driver
end

local function parse_count(value)
  local count = math.tointeger(tonumber(value))
  if count and count >= 1 and count <= 100 then return count end
  return nil, ('expected a number from 1 to 100, got "%s"'):format(tostring(value))
end

local options = schema.record {
  { "max-size", schema.size { least_bytes = 4096 }, unit = "bytes",
    default_text = "16M", meaning = "How large the console's log gets before it is put aside." },
  { "max-file", schema.parsed { accepts = { text = true, integer = true }, wanted = "a number", parse = parse_count },
    default_text = "2", meaning = "So many files: the log and those put aside." },
  { "compress", schema.any {}, class = "ignored", reason = "logs are kept as they are" },
  { "mode", schema.any {}, class = "ignored", reason = "QEMU writes the log" },
  { "labels", schema.any {}, class = "ignored", reason = "logs are kept by instance" },
  { "tag", schema.any {}, class = "ignored", reason = "logs are kept by instance" },
}

local KEPT = { ["json-file"] = true, ["local"] = true, none = true, journald = true, syslog = true }

M.logging = schema.record {
  { "driver", schema.either { text = schema.parsed {
      accepts = { text = true }, wanted = "a log driver", values = { "json-file", "local", "none", "journald", "syslog" },
      later_values = { "none", "journald", "syslog" },
      parse = function(value)
        if KEPT[value] then return value end
        return nil, ('log driver "%s" is not for VMs'):format(value), "one of local, journald, syslog, none"
      end,
    }, canonical = put_off_elsewhere }, meaning = "Where the console's output goes." },
  { "options", options, meaning = "How much is kept." },
}

local limits = schema.list { of = schema.record {
  { "path", schema.text {}, required = true, meaning = "Disk." },
  { "rate", schema.size {}, required = true, meaning = "Bytes or operations a second." },
} }

local weight = schema.integer { least = 10, most = 1000 }

M.blkio = schema.record {
  { "device_read_bps", limits, meaning = "Bytes read." },
  { "device_write_bps", limits, meaning = "Bytes written." },
  { "device_read_iops", limits, meaning = "Reads." },
  { "device_write_iops", limits, meaning = "Writes." },
  { "weight", weight, meaning = "Share of the disk's time." },
  { "weight_device", schema.list { of = schema.record {
      { "path", schema.text {}, required = true, meaning = "Disk." },
      { "weight", weight, required = true, meaning = "Share of its time." },
    } }, meaning = "Shares by disk." },
}

return M
