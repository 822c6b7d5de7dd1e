-- Documents laid over each other: what wins, what is appended, what takes whose place.

local compose = require "tests.support.compose"
local json = require "holos.core.json"
local marks = require "holos.compose.marks"
local unicity = require "holos.compose.unicity"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local function service(text, ...)
  local texts = { text, ... }
  for position, layer in ipairs(texts) do texts[position] = "services:\n  web:\n    " .. layer:gsub("\n", "\n    ") end
  local tree, findings, state = compose.merge(table.unpack(texts))
  equal(findings, {})
  return tree.services.web, state
end

test("scalars: the later one; a null keeps what is there; a mapping: key by key", function()
  equal(service("image: a\nreplicas: 1\nvm: {vcpu: 1, uefi: true}", "image: b\nreplicas:\nvm: {vcpu: 2}"),
    { image = "b", replicas = 1, vm = { vcpu = 2, uefi = true } })
  equal(service("vm:", "vm: {vcpu: 2}", "vm:"), { vm = { vcpu = 2 } })
  equal(service("image: a", "image: b", "image: c"), { image = "c" })
end)

test("lists are appended, also those of cloud-init; commands are replaced", function()
  equal(service("cloud_init: {runcmd: [a]}", "cloud_init: {runcmd: [a, [b]]}"), { cloud_init = { runcmd = { "a", "a", { "b" } } } })
  equal(service("command: [a, b]\nentrypoint: x\nhealthcheck: {test: [CMD, a], retries: 2}",
    "command: c\nentrypoint: [y]\nhealthcheck: {test: b}"),
    { command = "c", entrypoint = { "y" }, healthcheck = { test = "b", retries = 2 } })
end)

test("packages and keys stand once; a file that cloud-init writes takes the place of one with its path", function()
  equal(service("cloud_init: {packages: [a, b], write_files: [{path: /x, content: 1}, {path: /y}]}",
    "cloud_init: {packages: [b, c], write_files: [{path: /x, content: 2}, {path: /z}]}").cloud_init,
    { packages = { "a", "b", "c" }, write_files = { { path = "/x", content = 2 }, { path = "/y" }, { path = "/z" } } })
end)

test("ports: one for each address, pair of ports and protocol, in any form", function()
  equal(service('ports: ["8080:80", "127.0.0.1:53:53/udp", 443]',
    'ports: ["127.0.0.1:8080:80", {target: 53, published: 53, protocol: udp}, "443/tcp", "8081:80"]').ports,
    { "127.0.0.1:8080:80", { target = 53, published = 53, protocol = "udp" }, "443/tcp", "8081:80" })
  equal(service('ports: ["8080:80", "8080:80"]', 'ports: ["8080:80/udp"]').ports, { "8080:80", "8080:80", "8080:80/udp" })
end)

test("mounts: one for each target; devices, secrets, configs alike", function()
  equal(service("volumes: ['a:/srv/', './b:/b:ro']", "volumes: [{type: volume, source: c, target: /srv}, 'd:/b']").volumes,
    { { type = "volume", source = "c", target = "/srv" }, "d:/b" })
  equal({ unicity.mount "${A:-x:y}:/srv/", unicity.mount "/srv", unicity.mount "a:/b/../srv:ro" }, { "/srv", "/srv", "/srv" })
  equal(service("devices: ['/dev/a:/dev/x', {pci: '01:00.0'}]", "devices: ['/dev/b:/dev/x:r', {pci: '01:00.0', x: 1}]").devices,
    { "/dev/b:/dev/x:r", { pci = "01:00.0", x = 1 } })
  equal(service("secrets: [a]\nconfigs: [c]", "secrets: [{source: b, target: a}]\nconfigs: [{source: d, target: /c}]"),
    { secrets = { { source = "b", target = "a" } }, configs = { { source = "d", target = "/c" } } })
end)

test("ranges of ports are single ones to another file; file systems in memory go by their target", function()
  local tree = compose.merge("services: {a: {ports: ['8080-8082:80-82/udp', 9000], tmpfs: ['/run:size=1m', /tmp]}}",
    "services: {a: {ports: [{target: 81, published: 8081, protocol: udp, name: x}, '7000-7001'], tmpfs: /run/}}")
  equal(tree.services.a, { tmpfs = { "/run/", "/tmp" }, ports = { "127.0.0.1:8080:80/udp",
    { target = 81, published = 8081, protocol = "udp", name = "x" }, "127.0.0.1:8082:82/udp", 9000,
    "127.0.0.1::7000/tcp", "127.0.0.1::7001/tcp" } })
end)

test("two of a kind in one file stay for the checks to report", function()
  equal(service("volumes: ['a:/x']", "volumes: ['b:/x', 'c:/x']").volumes, { "b:/x", "c:/x" })
end)

test("what has no name is appended", function()
  for name, item in pairs { port = { published = 1 }, mount = {}, device = true, secret = {}, config = 1, file = {}, name = 1,
    value = {}, host = {} } do
    equal({ name, unicity[name](item) }, { name })
  end
end)

test("names and values: in either form, on either side", function()
  equal(service("environment: [A=1, B]\nlabels: {a: 1}", "environment: {A: 2, B: , C: x=y}\nlabels: [a=2, b]"),
    { environment = { A = 2, B = json.null, C = "x=y" }, labels = { a = "2", b = json.null } })
  equal(service("environment: {A: 1}", "environment: [A]").environment, { A = json.null })
end)

test("a list that is no list of names is left as it is, for the schema", function()
  equal(service("labels: {a: 1}", "labels: [[x]]").labels, { { "x" } })
  equal(service("labels: [[x]]", "labels: [b=1]").labels, { { "x" } })
  equal(service("extra_hosts: {a: {b: c}}", "extra_hosts: ['d:1']").extra_hosts, { a = { b = "c" } })
end)

test("dependencies: a name alone says nothing about its condition", function()
  equal(service("depends_on: [db]", "depends_on: {db: {condition: service_healthy}, cache: }").depends_on,
    { db = { condition = "service_healthy" }, cache = json.null })
  equal(service("depends_on: {db: {condition: service_healthy}}", "depends_on: [db, cache]").depends_on,
    { db = { condition = "service_healthy" }, cache = json.null })
end)

test("text or list: one list; of files by their path", function()
  equal(service("dns: 8.8.8.8\nenv_file: a.env", "dns: [8.8.8.8, 9.9.9.9]\nenv_file: [{path: a.env, required: false}, b.env]"),
    { dns = { "8.8.8.8", "9.9.9.9" }, env_file = { { path = "a.env", required = false }, "b.env" } })
end)

test("build: a text is its context", function()
  equal(service("build: ./a", "build: {args: [A=1]}").build, { context = "./a", args = { "A=1" } })
  equal(service("build: {context: ., args: {A: 1}}", "build: ./b").build, { context = "./b", args = { A = 1 } })
end)

test("!override replaces, !reset removes, at any depth", function()
  equal(service("ports: ['1:1']\nvm: {vcpu: 1, extra_args: [-a]}\nlabels: [a=1, b=2]",
    "ports: !override ['2:2']\nvm: {vcpu: !reset , extra_args: !override [-b]}\nlabels: {a: !reset 1}"),
    { ports = { "2:2" }, vm = { extra_args = { "-b" } }, labels = { b = "2" } })
  local tree = compose.merge("services: {a: {image: x}, b: {image: y}}\nvolumes: {v: }",
    "services: {a: !reset {}}\nvolumes: !reset")
  equal(tree, { services = { b = { image = "y" } } })
end)

test("!reset holds for what is below; what is above may say the key anew", function()
  equal(service("command: a", "command: !reset", "command: b"), { command = "b" })
  equal(service("command: a", "command: !reset", "command:"), {})
  equal(service("command: !reset a"), {})
  equal(service("ports: ['1:1']", "ports: !override ['2:2']", "ports: ['3:3']").ports, { "2:2", "3:3" })
end)

test("kinds that differ: where both are written, and what to do", function()
  local base = "services:\n  web:\n    image: ./a.qcow2\n    ports:\n      - '80:80'\n    labels: {a: b}\n"
  local over = "services:\n  web:\n    ports: {a: b}\n    labels: text\n    image: [x]\n"
  equal(select(2, compose.merge(base, over)), {
    "over1.yaml:3:5: services.web.ports: cannot override: a list there (base.yaml:4:5), a mapping here",
    "over1.yaml:4:5: services.web.labels: cannot override: a mapping there (base.yaml:6:5), a single value here",
  })
  equal(select(2, compose.merge("services: {}", "services: [web]")),
    { "over1.yaml:1:1: services: cannot override: a mapping there (base.yaml:1:1), a list here" })
  equal(select(2, compose.merge("networks: {n: {ipam: {config: [{subnet: a}]}}}", "networks: {n: {ipam: {config: x}}}")),
    { "over1.yaml:1:23: networks.n.ipam.config: cannot override: a list there (base.yaml:1:23), a single value here" })
end)

test("every value knows the file it is from", function()
  local _, state = service("image: a\nports: ['1:1', '2:2']\nlabels: {a: 1, b: 1}\nenvironment: [A=1]",
    "labels: [b=2]\nports: ['2:2', '3:3']\nenvironment: {B: 2}", "image: c")
  local function at(...)
    local mark = marks.find(state, { "services", "web", ... })
    return mark and marks.text(mark, state.files)
  end
  equal({ at "image", at("ports", 1), at("ports", 2), at("ports", 3) },
    { "over2.yaml:3:5", "base.yaml:4:13", "over1.yaml:4:13", "over1.yaml:4:20" })
  equal({ at("labels", "a"), at("labels", "b"), at("environment", "A"), at("environment", "B") },
    { "base.yaml:5:14", "over1.yaml:3:14", "base.yaml:6:19", "over1.yaml:5:19" })
end)

test("documents of one file are laid over each other, empty ones say nothing", function()
  local tree = compose.merge "services: {a: {image: x}}\n---\n---\nservices: {a: {image: y}, b: {image: z}}\n"
  equal(tree, { services = { a = { image = "y" }, b = { image = "z" } } })
  equal(compose.merge("a: 1", "# nothing", "---\n", "b: 2"), { a = 1, b = 2 })
end)

test("files without anything, and files of another kind", function()
  equal(select(2, compose.merge("# nothing", "---\n")), { "base.yaml:1:1: the file is empty" })
  equal(select(2, compose.merge("a: 1", "- b", "text", "c: [")), {
    'over1.yaml:1:1: expected keys such as services:, got a list',
    'over2.yaml:1:1: expected keys such as services:, got "text"',
    "over3.yaml:2:1: expected a value here",
  })
end)
