-- The example that shows what holos is (tests/golden/right/my_stack.yaml), on real guests: nothing but its image is changed.
-- Its packages come from the distribution's archive, over the guests' user network.
local files = require "tests.support.files"
local fs = require "sys.fs"
local full_guest = require "tests.support.full_guest"
local net = require "sys.net"
local stack_ = require "tests.support.stack"

local PORTS = { 8080, 8081 }

local function only_where_its_ports_are_free()
  for _, port in ipairs(PORTS) do
    local reserved = net.reserve_port("tcp", "127.0.0.1", port)
    if not reserved then skip(("the example publishes port %d, which something else uses here"):format(port)) end
    reserved:close()
  end
end

local function new()
  local text = assert(fs.read(files.directory .. "/golden/right/my_stack.yaml", { max_bytes = 1 << 16 }))
  local yaml, images = text:gsub("%./noble%.qcow2", "IMAGE")
  equal(images, 2)
  local stack = stack_.new { yaml = yaml, image = stack_.image("debian") }
  assert(fs.mkdir_all(stack.directory .. "/www", tonumber("755", 8)))
  assert(fs.write_atomic(stack.directory .. "/www/index.html", full_guest.PAGE, { mode = tonumber("644", 8) }))
  return stack
end

local function ask(stack, instance, script)
  return full_guest.wait_for(stack, { "exec", instance, "--", "sh", "-c", script }).stdout
end

test("a database and two web servers, as the example says", function()
  full_guest.only_when_all_is_asked_for()
  only_where_its_ports_are_free()
  local stack <close> = new()
  full_guest.wait_for(stack, { "up" })

  equal(ask(stack, "db-0", "cd / && systemctl is-active postgresql && sudo -u postgres psql -tAc 'select 6 * 7'"), "active\n42\n")
  for replica, port in ipairs(PORTS) do
    local name = "web-" .. replica - 1
    equal(stack:ps()[name].status, "provisioned")
    -- Each nginx has found "db" by name, else it would not have started. That PostgreSQL speaks no HTTP is what it says.
    local answer = run_tool({ "curl", "-s", "--max-time", "60", "-D", "-", ("http://127.0.0.1:%d/"):format(port) },
      { timeout_ms = 90000 }).stdout
    ok(answer:find("^HTTP/1.1 502") and answer:find("\nServer: nginx", 1, true), answer)
    equal(ask(stack, name, "getent hosts db | tr -s ' '; hostname; cat /srv/www/index.html"),
      ("10.10.0.2 db-0 db\n%s\n%s"):format(name, full_guest.PAGE))
  end
end, { timeout_ms = 3 * full_guest.BOOT_MS })
