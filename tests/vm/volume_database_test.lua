-- A database on a volume, on the full Debian guest: there from the first boot, after a restart, and again on a new root disk.
local full_guest = require "tests.support.full_guest"
local stack_ = require "tests.support.stack"

-- As in docs/storage.md.
local YAML = [[
name: shop
services:
  db:
    image: IMAGE
    image_os: systemd
    vm: {memory_mb: 1024}
    stop_grace_period: 2m
    volumes: ["pgdata:/var/lib/postgresql"]
    cloud_init:
      user: debian
      packages: [postgresql]
      runcmd:
        - |
          set -e
          if [ -z "$$(pg_lsclusters -h)" ]; then
              pg_createcluster -d /var/tmp/new 15 main
              pg_conftool 15 main set data_directory /var/lib/postgresql/15/main
              rm -r /var/tmp/new
              pg_ctlcluster 15 main start
          fi
volumes: {pgdata: {size: 2G}}
]]

local PSQL = "cd / && sudo -u postgres psql -v ON_ERROR_STOP=1 -qtAc "
local MAKE = "create table kept as select md5(n::text) from generate_series(1, 10000) n"
local SUM = "select count(*), md5(string_agg(md5, '' order by md5)) from kept"

local function inside(stack, script)
  return (full_guest.wait_for(stack, { "exec", "db-0", "--", "sh", "-c", script }).stdout:match("^(.-)%s*$"))
end

local function ask(stack, question) return inside(stack, ('%s"%s"'):format(PSQL, question)) end

test("a database is on its volume from the first boot, after a restart, and is there again on a new root disk", function()
  full_guest.only_when_all_is_asked_for()
  local stack <close> = stack_.new { yaml = YAML, image = stack_.image("debian") }
  full_guest.wait_for(stack, { "up" })
  equal(inside(stack, PSQL .. "'show data_directory' | xargs sudo stat -c %m; sudo touch /old"), "/var/lib/postgresql")
  ask(stack, MAKE)
  ask(stack, "alter system set work_mem = '5MB'")
  local sum = ask(stack, SUM)
  equal(sum:match("^%d+"), "10000")
  full_guest.wait_for(stack, { "stop" })
  full_guest.wait_for(stack, { "start" })
  equal(ask(stack, SUM), sum)
  full_guest.wait_for(stack, { "down", "--purge" })
  full_guest.wait_for(stack, { "up" })
  equal({ ask(stack, SUM), ask(stack, "show work_mem") }, { sum, "5MB" })
  equal(inside(stack, "ls /old 2>/dev/null || echo another"), "another")
end, { timeout_ms = 4 * full_guest.BOOT_MS })
