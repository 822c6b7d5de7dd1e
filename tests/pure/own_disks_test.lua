-- Disks that are not the project's own, in plans: a row for each that a machine gets, with what becomes of it.
local reconcile = require "tests.support.reconcile"

local spec, state, entry = reconcile.spec, reconcile.state, reconcile.entry

local function mount(volume, over)
  local made = { kind = "volume", volume = volume, serial = "vol-" .. volume, target = "/" .. volume,
    disk = { path = ("/p/%s.raw"):format(volume), kind = "file", format = "raw" } }
  for key, value in pairs(over or {}) do made[key] = value end
  return made
end

-- contents: by the names of volumes, what is on them.
local function rows_of(case, contents)
  case.volumes = case.volumes or { data = { device = "x", size_bytes = 0 } }
  case.more = { directory = "/p", no_start = case.no_start, disk_of = function(one) return one.disk.path, one.disk.path end,
    foreign_users = function() return {} end, glance = function(disk)
      local content = contents[disk.path:match "([^/]+)%.raw$"] or error(disk.path .. " is not to be looked at")
      return { size_bytes = 20 << 30, content = content, read_bytes = 1 << 30 }
    end }
  local lines = {}
  for _, row in ipairs(reconcile.plan(case).rows) do
    if row.disk then lines[#lines + 1] = ("%s %s: %s @%s"):format(row.mark, row.name, row.text, row.where or "-") end
  end
  return lines
end

local function launched(mounts, contents)
  return rows_of({ wanted = { spec("a-0", { mounts = mounts }) } }, contents)
end

test("a disk that is blank and written to is formatted, any other is taken as it is", function()
  equal(launched({ mount "data" }, { data = "data" }), { "· volume data: as it is   ./data.raw, 20 GiB, has data @volumes.data" })
  equal(launched({ mount "data" }, { data = "blank" }),
    { "~ volume data: format ext4   ./data.raw, 20 GiB, is blank @volumes.data" })
  equal(launched({ mount("data", { fs = "xfs" }) }, { data = "unknown" }), { "~ volume data: format xfs if it is blank   "
    .. "./data.raw, 20 GiB: 1 GiB of it are zeros, all is read before the start @volumes.data" })
  equal(launched({ mount("data", { read_only = true }) }, { data = "blank" }),
    { "· volume data: as it is, read-only   ./data.raw, 20 GiB @volumes.data" })
end)

test("each disk has one row, and is written to when any of its mounts is", function()
  equal(#launched({ mount("data", { read_only = true }), mount("data", { subpath = "b" }) }, { data = "blank" }), 1)
  equal(launched({ mount("data", { read_only = true }), mount("data", { subpath = "b" }) }, { data = "blank" })[1]:sub(1, 1), "~")
  equal(#rows_of({ wanted = { spec("a-0", { mounts = { mount("data", { read_only = true }) } }),
    spec("b-0", { mounts = { mount("data", { read_only = true }) } }) } }, { data = "data" }), 1)
end)

test("a volume that the file calls otherwise is shown with both names", function()
  local rows = rows_of({ wanted = { spec("a-0", { mounts = { mount "shop_data" } }) },
    volumes = { theirs = { external = true, name = "shop_data", size_bytes = 0 } } }, { shop_data = "data" })
  equal(rows, { "· volume theirs (shop_data): as it is   ./shop_data.raw, 20 GiB, has data @volumes.theirs" })
end)

test("disks of machines that run on, or are not started, are not looked at; one that is attached is", function()
  local has = spec("a-0", { mounts = { mount "data" } })
  equal(rows_of({ wanted = { has }, recorded = { ["a-0"] = entry { spec = has } }, seen = { ["a-0"] = state { applied = has } } },
    {}), {})
  equal(rows_of({ wanted = { has }, no_start = true }, {}), {})
  local q35 = { ["vm.machine"] = "pc-q35-7.2", nics = { { kind = "user" } }, mounts = { mount "data" } }
  local before = spec("a-0", q35)
  q35.mounts = { mount "data", mount "logs" }
  local applied = state { applied = before, runtime = { spec = before, attached = {} } }
  local rows = rows_of({ wanted = { spec("a-0", q35) }, recorded = { ["a-0"] = entry { spec = before } },
    seen = { ["a-0"] = applied } }, { logs = "blank" })
  equal(rows, { "~ volume logs: format ext4   ./logs.raw, 20 GiB, is blank @-" })
end)
