--- A dry run without a host: a compose text, invented facts → project, plan, QEMU's argv, seeds. All is fixed, so two
--- runs give the same bytes.

local compose = require "holos.compose"
local instance = require "holos.plan.instance"
local qemu = require "holos.plan.qemu"
local render = require "holos.plan.render"
local seed = require "holos.plan.seed"
local up = require "holos.plan.up"

local M = {}

M.TEXT = [==[
name: shop
services:
  db:
    image: /images/debian.qcow2
    vm: {vcpu: 2, memory_mb: 1024}
    volumes: ["pgdata:/var/lib/postgresql"]
    cloud_init:
      user: debian
      packages: [postgresql]
      write_files: [{path: /etc/motd, content: "a, b\n", permissions: "0644"}]
    healthcheck: {test: [CMD, pg_isready], interval: 2s}
  web:
    image: /images/tiny.img
    image_format: raw
    image_os: plain
    replicas: 2
    depends_on: [db]
    ports: ["8080:80", "0:443"]
    volumes: ["./www:/srv/www:ro"]
    cloud_init: {runcmd: ["echo it's up", [printf, "%s", x]]}
volumes: {pgdata: {size: 20G}}
]==]

local function facts_with(sha256)
  local images = {}
  for name, format in pairs { ["/images/debian.qcow2"] = "qcow2", ["/images/tiny.img"] = "raw" } do
    images[name] = { path = name, format = format, size_bytes = 2 << 30, mtime_ns = 1, inode = 2 }
  end
  return {
    sha256 = sha256, uid = 1000, records = {}, images = images, routes = {},
    kvm = { usable = false, reason = "no vmx" },
    qemu = { program = "/usr/bin/qemu-system-x86_64", version = "7.2.0", machines = { q35 = "pc-q35-7.2" } },
    memory = { total_bytes = 8 << 30, available_bytes = 4 << 30 }, virtiofsd = "/usr/libexec/virtiofsd",
  }
end

local function load_project(parse)
  return compose.load {
    text = M.TEXT, file = "/home/anna/shop/holos.yaml", shown = "holos.yaml", directory = "/home/anna/shop",
    environment = {}, parse = parse, stat = function(path) return path:find("www") and "directory" or "file" end,
  }
end

local KEYS = { user_public = "ecdsa-sha2-nistp256 AAAAuser shop", host_private = "PRIVATE\nKEY\n",
  host_public = "ecdsa-sha2-nistp256 AAAAhost" }

local function machine(spec, hosts)
  local directory = "/state/instances/shop/" .. spec.name
  local forwards = { { host_ip = "127.0.0.1", host = 0, guest = 22, protocol = "tcp" } }
  for _, port in ipairs(spec.ports) do forwards[#forwards + 1] = port end
  local command = qemu.command(spec, { directory = directory, volumes_directory = "/state/volumes/shop",
    forwards = forwards })
  return { argv = qemu.show("qemu-system-x86_64", command.argv), files = seed.files(spec, KEYS, hosts) }
end

--- Everything that a dry run makes.
---@param world {yaml: table, hash: table}  parses YAML and hashes
---@return {plan: string, specs: table[], machines: table<string, {argv: string, files: table[]}>} result
function M.run(world)
  local project, facts = load_project(world.yaml.parse), facts_with(world.hash.sha256)
  local record = { name = "shop", instances = {}, volumes = {}, leases = { addresses = {} } }
  local wanted = assert(instance.specs(project, record, facts))
  local plan = up.make { specs = wanted.specs, record = record, volumes = project.volumes,
    observed = { instances = {}, volumes = {} }, describe = render.describe,
    where = function(path) return project.marks[path] end }
  local machines = {}
  for _, spec in ipairs(wanted.specs) do machines[spec.name] = machine(spec, wanted.hosts) end
  return { plan = table.concat(render.plan(plan), "\n") .. "\n", specs = wanted.specs, machines = machines }
end

return M
