--- services.*.logging and services.*.blkio_config. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local M = {}

local KEPT = { ["json-file"] = true, ["local"] = true, none = true, journald = true, syslog = true }

M.logging = schema.record {
  { "driver", schema.parsed {
      accepts = { text = true }, wanted = "a log driver", values = { "json-file", "local", "none", "journald", "syslog" },
      parse = function(value)
        if KEPT[value] then return value end
        return nil, ('log driver "%s" is not for VMs'):format(value), "one of local, journald, syslog, none"
      end,
    }, meaning = "Where the console's output goes." },
  { "options", rules.pairs, meaning = "max-size, max-file." },
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
