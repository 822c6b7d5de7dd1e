--- holos args --explain: every option of QEMU has its cause, and the file is named by the line.

local compose = require "tests.support.compose"
local explain = require "holos.plan.explain"
local files = require "tests.support.files"
local instance = require "holos.plan.instance"
local override = require "holos.core.override"
local made = require "tests.support.project"
local qemu = require "holos.plan.qemu"
local tables = require "holos.core.table"

if not compose.has_yaml then skip "this Lua has no sys.yaml" end

local TEXT = files.read(files.directory .. "/golden/args/rich.yaml")

local function host_of(project)
  local images, seen = {}, {}
  for _, service in pairs(project.services) do
    images[service.image.path] = { path = service.image.path, format = service.image.format, size_bytes = 1 << 30, mtime_ns = 1,
      inode = 2 }
    for _, name in ipairs { "vmlinuz.bin", "initrd.img", "tools.iso", "first.iso", "second.iso" } do
      seen[compose.DIRECTORY .. "/" .. name] = { type = "file", mode = tonumber("644", 8) }
    end
  end
  return made.facts { images = images, files = seen, firmware = { code = "/fw/CODE.fd", vars = "/fw/VARS.fd" } }
end

local function command_of(spec)
  local forwards = { { protocol = "tcp", host_ip = "127.0.0.1", host = 0, guest = 22 } }
  tables.extend(forwards, spec.ports)
  return qemu.command(spec, { directory = "/state", volumes_directory = "/volumes", forwards = forwards,
    firmware = { code = "/fw/CODE.fd", vars = "/fw/VARS.fd" } })
end

-- The options of each instance, with reasons.
local function explained(text, with_file)
  local project, by_name = compose.load(text), {}
  local result, findings = instance.specs(project, made.record(), host_of(project))
  ok(result, made.messages(findings))
  for _, spec in ipairs(result.specs) do
    local command = command_of(spec)
    by_name[spec.name] = { command = command, options = explain.options(command.options, { name = spec.service,
      service = with_file and project.services[spec.service], place = with_file and project.marks or nil }) }
  end
  return by_name
end

local function lines_of(options)
  local lines = {}
  for _, option in ipairs(options) do
    lines[#lines + 1] = table.concat(option.words, " ")
    for _, reason in ipairs(option.reasons) do lines[#lines + 1] = "    " .. explain.line(reason) end
  end
  return table.concat(lines, "\n") .. "\n"
end

test("each option with the line that it is there for", function()
  for name, item in pairs(explained(TEXT, true)) do golden(("args/%s.txt"):format(name), lines_of(item.options)) end
end)

test("no option is without a reason, and all options together are the command line", function()
  for _, with_file in ipairs { true, false } do
    for name, item in pairs(explained(TEXT, with_file)) do
      local words = {}
      for _, option in ipairs(item.options) do
        ok(#option.reasons > 0, name .. ": " .. table.concat(option.words, " "))
        ok(option.words[1]:sub(1, 1) == "-", "an option begins with a dash: " .. option.words[1])
        for _, reason in ipairs(option.reasons) do
          ok(reason.from ~= "file" or reason.where:find("^holos%.yaml:%d+:%d+$"), reason.where)
          ok(reason.from ~= "script", "nothing of ours is a script's: " .. option.words[1])
        end
        tables.extend(words, option.words)
      end
      equal(words, item.command.argv)
    end
  end
end)

test("what a script adds is said to be a script's", function()
  local undo = override.install("holos.plan.qemu", "sections", function(base, spec)
    local sections = base(spec)
    table.insert(sections, function(b) b:add("-mem-prealloc") end)
    return sections
  end)
  local options = explained(TEXT, true)["plain-0"].options
  undo()
  equal(options[#options], { words = { "-mem-prealloc" }, reasons = { { from = "script", why = "a script added it" } } })
end)

test("a service that comes from another file is explained by that file", function()
  local project = compose.load_files { ["holos.yaml"] = "services: {a: {extends: {file: sub/base.yaml, service: b}, cpus: 3}}",
    ["sub/base.yaml"] = "services:\n  b:\n    image: ./tiny.qcow2\n    memory: 1g\n    ports: ['80']\n" }
  local spec = assert(instance.specs(project, made.record(), host_of(project))).specs[1]
  local seen = {}
  for _, option in ipairs(explain.options(command_of(spec).options, { name = "a", service = project.services.a,
    place = project.marks })) do
    for _, reason in ipairs(option.reasons) do seen[reason.key or ""] = reason.where end
  end
  equal({ seen["services.a.memory"], seen["services.a.cpus"], seen["services.a.ports[1]"] },
    { "sub/base.yaml:4:5", "holos.yaml:1:60", "sub/base.yaml:5:13" })
end)

-- The line of the file that has `text`.
local function line_with(text)
  local line = 0
  for content in (TEXT .. "\n"):gmatch("(.-)\n") do
    line = line + 1
    if content:find(text, 1, true) then return line end
  end
end

test("the places are those of the keys in the file", function()
  local reasons = {}
  for _, option in ipairs(explained(TEXT, true)["app-0"].options) do
    for _, reason in ipairs(option.reasons) do
      if reason.from == "file" then reasons[reason.key:gsub("^services%.app%.", "")] = tonumber(reason.where:match(":(%d+):")) end
    end
  end
  for key, text in pairs { image = "image: ./app.raw", ["deploy.resources.limits.memory"] = "memory: 2g", cpus = "cpus: 2",
    ["vm.machine"] = "machine: pc", ["vm.accel"] = "accel:", ["vm.cpu_model"] = "cpu_model:", ["vm.uefi"] = "uefi:",
    ["vm.disk"] = "disk: 30G", ["vm.extra_args[1]"] = "extra_args", ["boot.kernel"] = "kernel:", ["boot.initrd"] = "initrd:",
    ["boot.cmdline"] = "cmdline:", iso = "iso: ./tools", ["cdrom[1]"] = "cdrom:", ["cdrom[2]"] = "cdrom:", rtc = "rtc:",
    mac_address = "mac_address: 52:54:00:aa:bb:01", ["ports[1]"] = "8080:80", ["ports[2]"] = "8100", ["ports[3]"] = "8000-8010",
    ["volumes[1]"] = "- data:",
    ["volumes[2]"] = "/srv/more", ["volumes[3]"] = "./www", ["volumes[4]"] = "./src", ["volumes[5]"] = "/srv/scratch",
    cloud_init = "cloud_init" } do
    equal({ key, reasons[key] }, { key, line_with(text) })
  end
end)
