--- services.*.devices, gpus and deploy.resources.reservations.devices. Data.
local rules = require "holos.compose.schema.rules"
local schema = require "holos.core.schema"

local M = {}

local PCI_ADDRESS = "[%x:]*%x%x:%x%x%.?[0-7]?"

local pci = schema.text { pattern = PCI_ADDRESS, wanted = 'a PCI address such as "01:00.0"' }
local usb = schema.text { pattern = "%x%x%x%x:%x%x%x%x", wanted = 'a USB device such as "046d:c52b"' }

local device = schema.record {
  { "pci", pci, own = true, meaning = "PCI device of the host, by its address." },
  { "rom_file", rules.host_path, own = true, meaning = "ROM to give it." },
  { "iommu_group", schema.choice { values = { "all" } }, own = true, meaning = "Everything in its IOMMU group." },
  { "usb", usb, own = true, meaning = "USB device of the host, by vendor and product." },
  { "source", schema.text {}, meaning = "Device of the host." },
  { "target", schema.text {}, meaning = "Device in the guest." },
  { "permissions", schema.text { pattern = "[rwm]+", wanted = "letters out of rwm" }, meaning = "Rights." },
}

--- services.*.devices
M.devices = schema.list { of = schema.either {
  text = schema.text { check = function(value)
    if value:find("^[%w.-]+/[%w.-]+=.+$") then return "CDI names are for containers", "name the device: pci:" end
    if value:sub(1, 1) ~= "/" then
      return ('"%s" is no path of a device'):format(value), 'a PCI device is written - pci: "01:00.0"'
    end
  end }, map = device,
} }

local count = schema.either {
  integer = schema.integer { least = 0 }, text = schema.text { pattern = "%d+", wanted = '"all" or a number' },
}
count.text = schema.parsed { accepts = { text = true }, wanted = '"all" or a number', parse = function(value)
  if value == "all" or value:find("^%d+$") then return value end
  return nil, ('expected "all" or a number, got "%s"'):format(value)
end }

local function request(is_gpu)
  return schema.record({
    { "capabilities", rules.lines, required = not is_gpu, meaning = "What it must be able to do." },
    { "count", count, meaning = "How many; all." },
    { "device_ids", rules.lines, meaning = "Which ones: PCI addresses." },
    { "driver", rules.line, meaning = "Whose." },
    { "options", rules.pairs, meaning = "For the driver." },
  }, {
    canonical = function(value, at)
      if value.count and value.device_ids then at:report("count and device_ids exclude each other; keep one") end
      return value
    end,
  })
end

--- deploy.resources.reservations.devices
M.requests = schema.list { of = request(false) }

--- services.*.gpus
M.gpus = schema.either {
  text = schema.choice { values = { "all" } }, integer = schema.integer { least = 0 },
  list = schema.list { of = request(true) },
}

return M
