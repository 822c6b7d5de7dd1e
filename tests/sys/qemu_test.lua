--- sys.qemu: finding programs, and what KVM is here.

local fs = require "sys.fs"
local host = require "sys.host"
local qemu = require "sys.qemu"

local RUN = tonumber("700", 8)

local function program(path)
  ok(fs.write_atomic(path, "#!/bin/sh\n", { mode = RUN, sync = false }))
end

test("qemu: programs are found along a search path, which skips what is not absolute or no program", function()
  local base = tmpdir()
  for _, name in ipairs { "/a", "/b", "/b/prog", "/c" } do ok(fs.mkdir_all(base .. name, RUN)) end
  ok(fs.write_atomic(base .. "/a/prog", "not executable", { mode = 384, sync = false }))
  program(base .. "/c/prog")
  local search = ("%s/a:.::%s/b:%s/none:%s/c"):format(base, base, base, base)
  equal(qemu.find("prog", search), base .. "/c/prog")
  equal({ qemu.find("other", search) }, { nil, "other: not found in PATH", "ENOENT" })
  equal(qemu.find(base .. "/c/prog"), base .. "/c/prog")
  equal({ qemu.find(base .. "/b/prog") }, { nil, base .. "/b/prog: not a program", "ENOENT" })
  equal(qemu.find("sh"), run_tool({ "sh", "-c", "command -v sh" }).stdout:gsub("\n", ""))
end)

local function fake_host(flags, modules)
  local base = tmpdir()
  ok(fs.mkdir_all(base .. "/module", RUN))
  for _, name in ipairs(modules or {}) do ok(fs.mkdir_all(base .. "/module/" .. name, RUN)) end
  local cpuinfo = "processor\t: 0\nmodel name\t: svmvmx\nflags\t\t: fpu vme" .. flags .. "\nbugs\t\t: vmx\n\n"
  ok(fs.write_atomic(base .. "/cpuinfo", cpuinfo, { mode = 384, sync = false }))
  ok(fs.write_atomic(base .. "/kvm", "", { mode = 384, sync = false }))
  return { device = base .. "/kvm", cpuinfo = base .. "/cpuinfo", modules = base .. "/module" }
end

test("qemu: no device is ENOENT, KVM in software is ESOFT, neither is usable", function()
  local paths = fake_host(" vmxish svm_lock")
  equal(qemu.kvm_status(paths), { usable = false, code = "ESOFT",
    reason = "this processor has neither vmx nor svm: KVM here is in software" })
  equal(qemu.kvm_status { device = "/no/kvm" }, { usable = false, code = "ENOENT", reason = "/no/kvm: no such device" })
end)

test("qemu: flags or a module make KVM a real one; then the device itself is asked", function()
  for _, paths in ipairs { fake_host(" vmx"), fake_host(" svm lm"), fake_host("", { "kvm_intel" }),
    fake_host("", { "kvm_amd" }) } do
    equal(qemu.kvm_status(paths).code, "ENOTTY") -- a plain file does not know KVM's calls
  end
end)

test("qemu: a device that may not be opened is EACCES", function()
  if host.uid() == 0 then skip("root may open everything") end
  local paths = fake_host(" vmx")
  ok(fs.chmod(paths.device, 0))
  local status = qemu.kvm_status(paths)
  equal({ status.usable, status.code, status.reason }, { false, "EACCES", paths.device .. ": Permission denied" })
end)

test("qemu: this host's answer agrees with its processor", function()
  local status = qemu.kvm_status()
  local flags = run_tool({ "grep", "-cwE", "-m1", "vmx|svm", "/proc/cpuinfo" }).stdout:match("%d")
  if status.usable then
    ok(fs.stat("/dev/kvm"))
  elseif status.code == "ESOFT" then
    equal(flags, "0")
  else
    ok(status.reason:find("/dev/kvm", 1, true), status.reason)
  end
end)
