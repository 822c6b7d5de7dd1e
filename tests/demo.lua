--- make demo [IMAGE=PATH]: boots docs/demo in build/demo and asks both web servers for their page. Leaves the VMs
--- running.

local build = require "sys.build"
local err = require "holos.core.err"
local fs = require "sys.fs"
local host = require "sys.host"
local io_wait = require "holos.run.io"
local launch = require "sys.launch"
local net = require "sys.net"
local proc = require "sys.proc"
local process = require "holos.run.process"
local task = require "holos.core.task"
local world = require "holos.run.world"

local ROOT = host.working_directory()
local DEMO = ROOT .. "/build/demo"
local HOLOS = host.executable()
local PORTS = { 8080, 8081 }
local BUILD_MS, PAGE_MS = 20 * 60 * 1000, 20000
local EXECUTABLE, PLAIN = tonumber("755", 8), tonumber("644", 8)

local function environment()
  local list = {}
  for name, value in pairs(host.environ()) do list[#list + 1] = name .. "=" .. value end
  return list
end

--- The image to boot: the one that was named, else the tiny guest, built from the distribution's packages when need be.
local function image_path(named)
  if named then return fs.realpath(named) or err.raise(named .. ": no such image") end
  print("the tiny guest image (built once, from this distribution's packages) …")
  local result = process.run(world, { program = ROOT .. "/tests/vm/image", argv = { "tiny" }, env = environment(),
    timeout_ms = BUILD_MS })
  if result.status ~= 0 then err.raise { message = "the guest image cannot be built:\n" .. result.stderr } end
  return (result.stdout:match("([^\n]+)%s*$"))
end

--- Copies docs/demo to build/demo, with the image beside it.
local function lay_out(image, os)
  assert(fs.mkdir_all(DEMO .. "/www/cgi-bin", EXECUTABLE))
  local yaml = assert(fs.read(ROOT .. "/docs/demo/holos.yaml", { max_bytes = 65536 }))
  if os then yaml = yaml:gsub("image_os: plain", "image_os: " .. os) end
  assert(fs.write_atomic(DEMO .. "/holos.yaml", yaml, { mode = PLAIN }))
  assert(fs.copy(ROOT .. "/docs/demo/www/cgi-bin/index.cgi", DEMO .. "/www/cgi-bin/index.cgi", { mode = EXECUTABLE }))
  fs.remove(DEMO .. "/image.qcow2")
  assert(fs.symlink(image, DEMO .. "/image.qcow2"))
end

--- Runs holos in build/demo with our own terminal; raises when it fails.
local function holos(...)
  print("$ holos " .. table.concat({ ... }, " "))
  io.stdout:flush()
  local child = err.check("holos", launch.prepare { program = HOLOS, argv = { ... }, env = environment(), directory = DEMO,
    stdin = 0, stdout = 1, stderr = 2, session = false })
  err.check("holos", child:go())
  local running <close> = err.check("holos", proc.open(child.pid, child.start_time))
  task.wait { process = running }
  local ended = err.check("holos", proc.reap(child.pid))
  if ended.exit ~= 0 then err.raise { message = "the demo did not come up", exit = ended.exit or 1 } end
end

--- The body that a web server gives for a path.
local function fetch(port, path)
  return task.within(PAGE_MS, function()
    local fd <close> = err.check("connect", net.connect_tcp("127.0.0.1", port))
    while net.connect_result(fd) ~= true do task.wait { fd = fd:fileno(), dir = "w" } end
    io_wait.write_all(fd, ("GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n"):format(path))
    local parts = {}
    repeat
      parts[#parts + 1] = err.check("read", io_wait.await(fd, "try_read", 65536))
    until parts[#parts] == ""
    return table.concat(parts):match("\r?\n\r?\n(.*)$") or ""
  end)
end

local function show_page(port)
  local url = "/cgi-bin/index.cgi"
  print(("$ curl http://127.0.0.1:%d%s"):format(port, url))
  local page = fetch(port, url)
  io.stdout:write(page)
  if not page:find("I am db-0", 1, true) then err.raise { message = "that is not the page; the database did not answer" } end
end

local function main(named, os)
  if build.architecture ~= "x86_64" and not named then err.raise { message = "name a guest image: make demo IMAGE=PATH" } end
  lay_out(image_path(named), named and (os or "systemd"))
  holos "up"
  holos "ps"
  for _, port in ipairs(PORTS) do show_page(port) end
  print("the VMs go on running: cd build/demo; ../../holos exec web-0; ../../holos down")
  return 0
end

local named, os = ...
local ok, result = xpcall(task.run, err.trace, { now_ms = world.poller.now_ms, wait = world.poller.wait }, function()
  return main(named ~= "" and named or nil, os)
end)
if ok then return result end
io.stderr:write(tostring(result.traceback or result.message), "\n", result.hint and "  " .. result.hint .. "\n" or "")
return result.exit or 1
