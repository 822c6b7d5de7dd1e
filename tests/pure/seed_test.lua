local base64 = require "holos.core.base64"
local boot = require "holos.plan.seed.boot"
local cloudinit = require "holos.plan.seed.cloudinit"
local first = require "holos.plan.seed.first"
local instance = require "holos.plan.instance"
local json = require "holos.core.json"
local late = require "holos.plan.seed.late"
local library = require "holos.plan.seed.library"
local made = require "tests.support.project"
local mime = require "holos.plan.seed.mime"
local names = require "holos.plan.seed.names"
local seed = require "holos.plan.seed"
local seed_spec = require "tests.support.seed_spec"

local function as_text(files)
  local parts = {}
  for _, file in ipairs(files) do
    parts[#parts + 1] = ("=== %s %o ===\n%s"):format(file.name, file.mode, file.data)
  end
  return table.concat(parts)
end

for _, os in ipairs { "systemd", "openrc", "plain" } do
  test("the whole seed of a guest with " .. os, function()
    golden("seed/" .. os .. ".txt", as_text(seed.files(seed_spec.new(os), seed_spec.KEYS, seed_spec.HOSTS)))
  end)
end

test("the steps of a Dockerfile, each in a script of its own", function()
  local spec = seed_spec.new("plain", { build = { digest = "d", context = "c", steps = {
    { kind = "workdir", title = "WORKDIR /srv/app", path = "/srv/app", user = "app:www" },
    { kind = "run", title = "RUN it's \n done", shell = { "/bin/bash", "-ec" }, script = "it's \n done", user = "app",
      workdir = "/srv/app",
      env = { { name = "PATH", value = "/opt:/bin" }, { name = "KEY", value = "it's $1" }, { name = "UID", value = "odd" } },
      network = "none", mounts = { { type = "cache", target = "/var/cache/a b", id = "x", mode = 493 },
        { type = "tmpfs", target = "/t", size_bytes = 4096 }, { type = "bind", target = "/b", number = 2, rw = true } } },
    { kind = "run", title = "RUN <<EOF", program = "#!/bin/sh\necho it\n", env = {}, workdir = "/" },
    { kind = "run", title = "RUN [...]", argv = { "touch", "/a b" }, env = {}, workdir = "/" },
    { kind = "copy", title = "COPY a b", number = 1, target = "/it's/", is_directory = true, chown = "app:app",
      chmod = "u=rwX" },
    { kind = "add", title = "ADD x", number = 3, target = "/", is_directory = true,
      archives = { { name = "x.tgz", kind = "gzip" } },
      remotes = { { kind = "url", url = "https://e.org/f", name = "f" },
        { kind = "git", url = "https://e.org/g.git", ref = "v1" } },
      checksum = "sha256:00" } } } })
  local files = {}
  for _, file in ipairs(seed.files(spec, seed_spec.KEYS, seed_spec.HOSTS)) do
    local number = file.name:match("^holos/steps/(%d+)%.sh$")
    if number or file.name:find("^holos/build") then files[#files + 1] = file end
  end
  golden("seed/build.txt", as_text(files))
end)

-- What is done in a guest, without the functions that do it; and the files that they work with.
local function deeds(spec, all, paths)
  local parts = { "=== boot.sh does ===\n", table.concat(boot.lines(spec), "\n"), "\n=== late.sh does ===\n",
    table.concat(late.lines(spec), "\n"), "\n" }
  for _, file in ipairs(seed.files(spec, seed_spec.KEYS, all, paths)) do
    local is_script = file.name:find("%.sh$") and not file.name:find("app", 1, true)
    local is_known = file.name == "meta-data" or file.name == "user-data" or file.name:find("key")
    if not is_script and not is_known then
      parts[#parts + 1] = ("=== %s %o ===\n%s"):format(file.name, file.mode, file.data or "(" .. file.path .. ")\n")
    end
  end
  return table.concat(parts)
end

for _, os in ipairs { "systemd", "openrc", "plain" } do
  test("what is done in a guest with " .. os .. " that is asked for everything", function()
    local project, facts = made.whole(os)
    local result, findings = instance.specs(project, made.record(), facts)
    ok(result, made.messages(findings))
    local paths = { c0ffee = "/state/c0ffee", ["5ec2e7"] = "/state/5ec2e7" }
    golden("language/" .. os .. ".txt", deeds(result.specs[1], result.hosts, paths))
    local warned = table.concat(result.warnings, "\n")
    equal(warned:find("pids_limit has no effect", 1, true) ~= nil, os ~= "systemd")
    equal(warned:find("stop_signal has no effect", 1, true) ~= nil, os == "plain")
  end)
end

test("one spec makes one seed, byte for byte", function()
  local spec = seed_spec.new("systemd")
  equal(as_text(seed.files(spec, seed_spec.KEYS, seed_spec.HOSTS)),
    as_text(seed.files(seed_spec.new("systemd"), seed_spec.KEYS, seed_spec.HOSTS)))
end)

test("the first part is what the instance-id hangs on, the boot part is not", function()
  local before = seed.first_hash_input(seed_spec.new("systemd"))
  local same = { mounts = {}, console_login = "none", cloud_init = { bootcmd = { "other" } } }
  equal(seed.first_hash_input(seed_spec.new("systemd", same)), before)
  for key, value in pairs { packages = { "vim" }, runcmd = { "true" }, extra = { ntp = json.null },
    user_data = "#!/bin/sh\n", write_files = {}, ssh_authorized_keys = {}, user = "me" } do
    ok(seed.first_hash_input(seed_spec.new("systemd", { cloud_init = { [key] = value } })) ~= before, key)
  end
end)

test("the user's own keys of cloud-config pass, but for what holos decides", function()
  local config = cloudinit.config(seed_spec.new("systemd", { cloud_init = { extra = { ssh_pwauth = true,
    manage_etc_hosts = true, timezone = json.null, users = { "default", { name = "eve" } },
    package_update = false } } }),
    seed_spec.KEYS)
  equal(config.ssh_pwauth, true)
  equal(config.manage_etc_hosts, false)
  equal(config.timezone, json.null)
  equal(config.package_update, false)
  equal({ config.users[1].name, config.users[2], config.users[3].name }, { "debian", "default", "eve" })
  equal(config.ssh_keys.ecdsa_private, seed_spec.KEYS.host_private)
  equal(config.write_files[1].defer, nil)
  equal(config.write_files[2].defer, true)
end)

test("root may be the login user", function()
  local config = cloudinit.config(seed_spec.new("systemd", { user = "root" }), seed_spec.KEYS)
  equal(config.disable_root, false)
  equal(config.users[1].sudo, nil)
end)

test("a guest that is in no network still knows its own name", function()
  equal(names.hosts(seed_spec.new("systemd"), {}), "# holos begin\n127.0.1.1 web-0\n# holos end\n")
end)

test("packages are checked by their bare names", function()
  local wanted = { nginx = "nginx", ["nginx=1.2*"] = "nginx", ["a/stable"] = "a", ["a:arm64"] = "a", ["g++"] = "g++",
    ["php8.2-*"] = false, ["@group"] = false, ["a~=1"] = "a" }
  for package, name in pairs(wanted) do equal(first.package_name(package) or false, name, package) end
  equal(first.package_name { "curl", "7.88" }, "curl")
end)

test("a title is one short line of whole characters", function()
  equal(library.title("  make\nmake install"), "make")
  equal(library.title { "echo", "a\tb" }, "echo a b")
  ok(utf8.len(library.title(("ü"):rep(100))))
  ok(#library.title(("ü"):rep(100)) <= 60)
  equal(library.title(""), "")
end)

test("Base64 is RFC 4648's", function()
  for plain, encoded in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
    foobar = "Zm9vYmFy", ["\0\255\0"] = "AP8A" } do equal(base64.encode(plain), encoded) end
  equal(base64.encode(("x"):rep(60), 76), ("eHh4"):rep(19) .. "\n" .. "eHh4")
end)

test("parts of user-data are known by how they begin", function()
  equal(mime.kind("#cloud-config\na: 1"), "text/cloud-config")
  equal(mime.kind("#cloud-config-archive\n"), "text/cloud-config-archive")
  equal(mime.kind("#!/bin/sh"), "text/x-shellscript")
  equal(mime.kind("## template: jinja\n#cloud-config"), "text/jinja2")
  equal(mime.kind("a: 1"), "text/cloud-config")
  equal(mime.kind("Content-Type: multipart/mixed; boundary=x\n"), nil)
end)
