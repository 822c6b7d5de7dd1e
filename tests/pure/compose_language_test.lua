-- What a whole file says with the keys of docker compose: synonyms, variables, profiles, x-holos, what is put off.

local compose = require "tests.support.compose"
local project_schema = require "holos.compose.schema.project"
local reference = require "holos.compose.reference"
local tables = require "holos.core.table"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local function service(body, options)
  return compose.load("services: {a: {image: ./a.qcow2, " .. body .. "}}", options).services.a
end

local function complaint(body, options)
  return compose.complaints("services: {a: {image: ./a.qcow2, " .. body .. "}}", options):match("^[^\n]*")
end

test("memory, CPUs, disk and instances by any of their names", function()
  for _, body in ipairs { "memory: 1g", "mem_limit: 1073741824", "vm: {memory: 1024m}", "vm: {memory_mb: 1024}",
    "deploy: {resources: {limits: {memory: 1g}}}", "mem_reservation: 1g", "mem_limit: 1g, mem_reservation: 256m",
    "deploy: {resources: {reservations: {memory: 1073741824}}}", "memory: 1048577k, vm: {}" } do
    local wanted = body:find("1048577") and 1025 or 1024
    equal(service(body).vm.memory_mib, wanted, body)
  end
  for _, body in ipairs { "cpus: 3", "cpus: '3'", "cpu_count: 3", "vm: {vcpu: 3}", "deploy: {resources: {limits: {cpus: '3'}}}",
    "cpus: 2.5" } do
    equal(service(body).vm.vcpu, 3, body)
  end
  equal({ service("cpus: 2.5").vm.cpu_quota, service("cpus: 3").vm.cpu_quota }, { 2.5, nil })
  for _, body in ipairs { "vm: {disk: 30G}", "vm: {disk_size: 30G}", "storage_opt: {size: 30G}" } do
    equal(service(body).vm.disk_bytes, 30 << 30, body)
  end
  for _, body in ipairs { "replicas: 2", "scale: '2'", "deploy: {replicas: 2}", "scale: 2, replicas: 2" } do
    equal(service(body).replicas, 2, body)
  end
  equal({ service("vm: {}").vm.vcpu, service("vm: {}").replicas, service("vm: {}").vm.memory_mib }, { 1, 1, nil })
end)

test("numbers that contradict each other name both places", function()
  equal(complaint "memory: 1g, vm: {memory_mb: 512}",
    "holos.yaml:1:34: services.a.memory: says 1 GiB, and vm.memory_mb (holos.yaml:1:51) says 512 MiB")
  equal(complaint "scale: 2, deploy: {replicas: 3}",
    "holos.yaml:1:53: services.a.deploy.replicas: says 3, and scale (holos.yaml:1:34) says 2")
  local said = compose.complaints "services: {a: {image: ./a.qcow2, cpus: 1.5, deploy: {resources: {limits: {cpus: 2}}}}}"
  ok(said:find("holos.yaml:1:75: services.a.deploy.resources.limits.cpus: says 2, and cpus (holos.yaml:1:34) says 1.5", 1,
    true), said)
  equal(service("cpus: 1.5, vm: {vcpu: 2}").vm.vcpu, 2)
end)

test("what has no effect so far is noted with its place, in the order of the file, and once", function()
  local project = compose.load "services: {b: {image: ./a.qcow2, develop: {watch: []}}, a: {image: ./a.qcow2, attach: false}}"
  equal(project.not_yet, { { key = "services.b.develop", mark = "holos.yaml:1:34" },
    { key = "services.a.attach", mark = "holos.yaml:1:79" } })
  equal(#project.services.a.not_yet, 1)
end)

test("values that ask for nothing are no reason to refuse", function()
  local body = "restart: 'no', attach: true, read_only: false, depends_on: {b: {restart: false, required: true}}}, "
    .. "b: {image: ./a.qcow2, restart: false"
  equal(compose.load("services: {a: {image: ./a.qcow2, " .. body .. "}}").not_yet, {})
  equal(service("tty: false, privileged: false, init: true").not_yet, nil)
end)

test("a file with mistakes tells what has no effect in the same breath", function()
  local said = compose.complaints "services: {a: {image: ./a.qcow2, replicas: x, attach: false}}"
  ok(said:find("services.a.attach: not available yet", 1, true), said)
  ok(said:find("2 errors;", 1, true), said)
end)

test("keys of containers only: refused by name, warned of with compat, passed over with x-holos", function()
  local text = "services: {a: {image: ./a.qcow2, ipc: host, cap_add: [ALL]%s}}"
  ok(compose.complaints(text:format("")):find("services.a.ipc: not for VMs", 1, true))
  local project = compose.load(text:format(""), { compat = true })
  equal(project.warnings[1], "holos.yaml:1:34: services.a.ipc: has no effect: not for VMs: containers share a kernel, VMs do not")
  equal(#project.warnings, 2)
  equal(#compose.load(text:format(", x-holos: {ignore: [ipc, cap_add, nothing]}")).warnings, 0)
  local modes = "services: {a: {image: ./a.qcow2, network_mode: host}}\nnetworks: {b: {driver: overlay}}"
  ok(compose.complaints(modes):find("network_mode: not for VMs: a guest has network cards of its own", 1, true))
  local tried = compose.load(modes, { compat = true })
  equal({ #tried.warnings, tried.networks.b.driver, tried.services.a.networks[1].network }, { 2, "mcast", "default" })
  ok(compose.complaints("services: {a: {image: ./a.qcow2, cloud_init: {hostname: x}}}", { compat = true }) ~= "")
end)

test("x-holos holds what docker compose does not know", function()
  local project = compose.load [[
x-holos: {volumes: {data: {size: 3G}}}
services:
  db:
    image: postgres:16
    volumes: ["data:/var/lib/postgresql"]
    deploy: {replicas: 1}
    x-holos:
      image: ./debian.qcow2
      deploy: {resources: {limits: {memory: 1g}}}
      vm: {accel: tcg}
volumes: {data: {labels: {a: b}}}
]]
  local db = project.services.db
  equal({ db.image.path, db.vm.memory_mib, db.vm.accel }, { "/home/anna/shop/debian.qcow2", 1024, "tcg" })
  equal({ project.volumes.data.size_bytes, project.volumes.data.labels }, { 3 << 30, { a = "b" } })
  equal({ project.marks["services.db.image"], project.marks["services.db.vm.accel"] }, { "holos.yaml:8:7", "holos.yaml:10:12" })
end)

test("x-holos counts where it stands: before other files, variables, what is included and extended", function()
  local project = compose.load_files({ ["holos.yaml"] = [[
include: [part.yaml]
services:
  web: {image: "nginx:1", ipc: host, environment: [A=1, B=2], ports: ["80:80"],
    x-holos: {image: "./${WEB}.qcow2", environment: {B: 3}, ports: ["8080:80"], ignore: [ipc]}}
  api: {extends: web, ports: !override ["81:80"]}
]], ["over.yaml"] = "services: {web: {image: ./over.qcow2, uts: host, x-holos: {ignore: [uts], environment: [C=4]}}}",
    ["part.yaml"] = "x-holos: {volumes: {v: {size: 3G}}}" },
    { names = { "holos.yaml", "over.yaml" }, lookup = function(name) return name == "WEB" and "web" or nil end })
  local web, api = project.services.web, project.services.api
  equal({ web.image.path, web.environment }, { "/home/anna/shop/over.qcow2", { A = "1", B = "3", C = "4" } })
  equal({ api.image.path, api.environment, #web.ports, web.ports[1].host },
    { "/home/anna/shop/web.qcow2", { A = "1", B = "3" }, 1, 8080 })
  equal(project.volumes.v.size_bytes, 3 << 30)
end)

test("tags in x-holos take effect where its keys belong", function()
  local project = compose.load_files({ ["holos.yaml"] = "services: {a: {image: ./a.qcow2, command: x, labels: {a: 1, b: 2}}}",
    ["over.yaml"] = "services: {a: {x-holos: {command: !reset , labels: !override {c: 3}}}}" },
    { names = { "holos.yaml", "over.yaml" } })
  equal({ project.services.a.app, project.services.a.labels }, { nil, { c = "3" } })
end)

test("one mapping said twice is one, in whatever form", function()
  local project = compose.load("services: {a: {image: ./a.qcow2, ports: ['8080:80', '9000-9001:90-91', 443, 443,"
    .. " {target: 80, published: '8080', protocol: tcp}, '9001:91', '8080:80/udp']}}")
  local shown = {}
  for position, port in ipairs(project.services.a.ports) do
    shown[position] = ("%d:%d/%s"):format(port.host, port.guest, port.protocol)
  end
  equal(shown, { "8080:80/tcp", "9000:90/tcp", "9001:91/tcp", "0:443/tcp", "0:443/tcp", "8080:80/udp" })
  ok(compose.complaints("services: {a: {image: ./a.qcow2, ports: ['80:80', '80:80', '81:80', '81:81']}}")
    :find("services.a.ports[4]: host port 81/tcp is also published by services.a.ports[3]", 1, true))
end)

test("no instances at all: of nobody's way, and nobody is waited for", function()
  for _, body in ipairs { "replicas: 0", "scale: 0", "deploy: {replicas: 0}" } do equal(service(body).replicas, 0) end
  equal(compose.complaints("services: {web: {image: ./a.qcow2, replicas: 0, ports: ['80:80'], volumes: ['v:/v'],"
    .. " networks: {default: {ipv4_address: 10.44.0.9}}}, web-0: {image: ./a.qcow2, ports: ['80:80'], volumes: ['v:/v'],"
    .. " depends_on: [web]}}\nvolumes: {v: }\nnetworks: {default: {ipam: {config: [{subnet: 10.44.0.0/24}]}}}"), "")
end)

test("values that have no effect so far are put off, and the reference pages say which", function()
  local docs = reference.compose(project_schema)
  for value, text in pairs { journald = "services: {a: {image: ./a.qcow2, logging: {driver: %s}}}",
    none = "services: {a: {image: ./a.qcow2, logging: {driver: %s}}}",
    bridge = "services: {a: {image: ./a.qcow2}}\nnetworks: {n: {driver: %s}}",
    macvtap = "services: {a: {image: ./a.qcow2}}\nnetworks: {n: {driver: %s}}",
    private = "services: {a: {image: ./a.qcow2}}\nnetworks: {n: {driver: %s}}" } do
    equal(#compose.load(text:format(value)).not_yet, 1)
    ok(docs:find("%*%*Not yet%*%*: [^|]*`" .. value .. "`"), value)
  end
end)

local PROFILES = "services: {a: {image: ./a.qcow2}, b: {image: ./a.qcow2, profiles: [debug, dev]%s}, c: {image: ./a.qcow2%s}}"

test("services that are named bring their profiles along", function()
  local function order(text, named) return compose.load(text, { named = named }).order end
  equal(order(PROFILES:format("", ""), { "b", "nobody" }), { "a", "b", "c" })
  local needs = "services: {db: {image: ./a.qcow2, profiles: [%s]}, tool: {image: ./a.qcow2, profiles: [dev], depends_on: [db]}}"
  equal(order(needs:format "dev", { "tool" }), { "db", "tool" })
  ok(compose.complaints(needs:format "other", { named = { "tool" } }):find('service "db" is left out', 1, true))
end)

test("profiles", function()
  local function order(profiles) return compose.load(PROFILES:format("", ""), { profiles = profiles }).order end
  equal(order(), { "a", "c" })
  equal(order { "dev" }, { "a", "b", "c" })
  equal(order { "*" }, { "a", "b", "c" })
  equal(order { "other" }, { "a", "c" })
  equal(compose.load(PROFILES:format(", attach: false", "")).not_yet, {})
end)

test("who needs a service that is left out says so, unless it can go on without", function()
  local said = compose.complaints(PROFILES:format("", ", depends_on: [b]"))
  ok(said:find('services.c.depends_on.b: service "b" is left out: none of its profiles is asked for\n    ask for one: '
    .. "--profile debug", 1, true), said)
  equal(compose.complaints(PROFILES:format("", ", depends_on: {b: {required: false}}")), "")
  equal(compose.complaints(PROFILES:format(", depends_on: [c]", ", depends_on: {b: {required: false}}")), "")
end)

test("variables: files in their order, then the service's own words, then what is around", function()
  local asked = {}
  local function env_file(entry)
    asked[#asked + 1] = ("%s %s %s"):format(entry.path, entry.required, entry.format)
    if entry.path:find("lost") then return nil, entry.required and entry.path .. " does not exist" or nil end
    return { values = { A = entry.path:match("[^/]+$"), B = "file", C = "file" } }
  end
  local function lookup(name) return name == "B" and "around" or nil end
  local body = "env_file: [./one.env, {path: ./lost.env, required: false}, {path: /two.env, format: raw}], "
    .. "environment: {B: , C: , D: own}, label_file: ./labels.env, labels: {B: mine}"
  local made = service(body, { env_file = env_file, lookup = lookup })
  equal(made.environment, { A = "two.env", B = "around", D = "own" })
  equal(made.labels, { A = "labels.env", B = "mine", C = "file" })
  equal(asked, { "/home/anna/shop/one.env true nil", "/home/anna/shop/lost.env false nil", "/two.env true raw",
    "/home/anna/shop/labels.env true nil" })
  ok(compose.complaints("services: {a: {image: ./a.qcow2, env_file: [./one.env, ./lost.env]}}", { env_file = env_file })
    :find("1:56: services.a.env_file[2]: /home/anna/shop/lost.env does not exist", 1, true))
end)

test("files of services that are left out are not read", function()
  local function env_file() error "read" end
  compose.load("services: {a: {image: ./a.qcow2}, b: {image: ./a.qcow2, profiles: [xy], env_file: ./b.env}}",
    { env_file = env_file })
end)

test("findings about entries that stand for several, or were moved, name the entry", function()
  local text = "services: {a: {image: ./a.qcow2, ports: ['90-92:80-82', '80:1', '91:7']}}"
  equal(compose.complaints(text):match("^[^\n]*"), "holos.yaml:1:65: services.a.ports[3]: host port 91/tcp is also "
    .. "published by services.a.ports[1]")
  local mounts = "services: {a: {image: ./a.qcow2, volumes: ['/a'], tmpfs: ['/b', '/a']}}"
  ok(compose.complaints(mounts):find("holos.yaml:1:65: services.a.tmpfs[2]: the target \"/a\" is that of "
    .. "services.a.volumes[1] too", 1, true), compose.complaints(mounts))
end)

test("pools are no claim on a port, and hold as many as there are instances", function()
  equal(#service("ports: ['8000-8009:80', '8001:81', '8000-8009:82']").ports, 3)
  local said = compose.complaints "services: {a: {image: ./a.qcow2, ports: ['8000-8001:80'], replicas: 3}}"
  ok(said:find("holos.yaml:1:42: services.a.ports[1]: 2 host ports (8000-8001) for 3 replicas", 1, true), said)
end)

test("networks: the default one is there when somebody is in it", function()
  local function keys(text) return tables.keys(compose.load(text).networks) end
  equal(keys "services: {a: {image: ./a.qcow2}}", { "default" })
  equal(keys "services: {a: {image: ./a.qcow2, networks: [x]}}\nnetworks: {x: }", { "x" })
  equal(keys "services: {a: {image: ./a.qcow2, network_mode: none}}", {})
  equal(keys "services: {a: {image: ./a.qcow2, networks: [default]}}", { "default" })
  equal(keys "services: {a: {image: ./a.qcow2, network_mode: bridge}}\nnetworks: {unused: }", { "default", "unused" })
  local subnet = compose.load "services: {a: {image: ./a.qcow2}}\nnetworks: {default: {ipam: {config: [{subnet: 10.5.0.0/24}]}}}"
  equal(subnet.networks.default.subnet, "10.5.0.0/24")
end)

test("networks in order: the highest priority first, then by name", function()
  local made = service("networks: {c: , b: {priority: 1}, a: , default: {priority: 5}}",
    { text = "services: {a: {image: ./a.qcow2, networks: {c: , b: {priority: 1}, a: , default: {priority: 5}}}}\n"
      .. "networks: {a: , b: , c: }" })
  equal(tables.map(made.networks, function(one) return one.network end), { "default", "b", "a", "c" })
end)

test("settings of a program that is not there are told", function()
  local text = "services: {a: {image: ./a.qcow2, user: www-data, command: []}}"
  equal(compose.load(text).warnings, { "holos.yaml:1:34: services.a.user: has no effect without command: or entrypoint:; "
    .. "who logs in is cloud_init.user" })
end)

test("a machine without an image starts from something else, or is built", function()
  equal(complaint("restart: 'no'"):find("missing"), nil)
  for _, body in ipairs { "iso: ./x.iso", "cdrom: ./x.iso", "boot: {kernel: ./k.bin}" } do
    equal(compose.load("services: {a: {" .. body .. "}}").services.a.image, nil, body)
  end
  for _, body in ipairs { "build: .", "build: {dockerfile_inline: FROM ./image.qcow2}", "dockerfile: ./Dockerfile" } do
    equal(compose.load("services: {a: {" .. body .. "}}").services.a.image.path, compose.DIRECTORY .. "/image.qcow2", body)
  end
  ok(compose.complaints("services: {a: {boot: {firmware: uefi}}}"):find('"image" is missing', 1, true))
end)
