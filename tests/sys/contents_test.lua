-- Configs and secrets: read, kept under their digests, taken along to the trash and back, never left behind.

local contents = require "holos.run.contents"
local files = require "tests.support.files"
local fs = require "sys.fs"
local hash = require "sys.hash"
local made = require "tests.support.project"
local state_ = require "holos.run.state"

local world = { fs = fs, hash = hash, host = require "sys.host" }

local function new_state()
  local state = state_.locate(world, { state_dir = tmpdir() })
  state:prepare(world, "shop")
  return state
end

local function project_with(source, kind)
  local project = made.project { made.service("web", { [kind or "secrets"] = { { key = "pin", target = "/run/secrets/pin" } } }),
    made.service("off", { is_enabled = false, secrets = { { key = "unused", target = "/x" } } }) }
  project[kind or "secrets"] = { pin = { key = "pin", source = source } }
  return project
end

local function spec_of(gathered)
  return { name = "web-0", project = "shop", secrets = { { key = "pin", digest = gathered.digests.secrets.pin } } }
end

test("sources are files, texts and variables; services that are off are not asked", function()
  local state, directory = new_state(), tmpdir()
  files.write(directory .. "/pin", "hunter2")
  for _, source in ipairs { { kind = "file", path = directory .. "/pin" }, { kind = "content", text = "hunter2" },
    { kind = "environment", variable = "PIN" } } do
    local gathered, findings = contents.gather(world, state, project_with(source), function(name)
      return name == "PIN" and "hunter2" or nil
    end)
    equal(findings, {})
    equal(gathered.texts[gathered.digests.secrets.pin], "hunter2")
  end
end)

test("what cannot be read is told with its service", function()
  local wrong = { ["/no/such"] = { kind = "file", path = "/no/such" },
    ["not a regular file"] = { kind = "file", path = "/dev/zero" },
    ["NOBODY_SET_THIS is not set"] = { kind = "environment", variable = "NOBODY_SET_THIS" } }
  for reason, source in pairs(wrong) do
    local _, findings = contents.gather(world, new_state(), project_with(source))
    ok(findings[1].message:find("^web: secret pin: ") and findings[1].message:find(reason, 1, true), findings[1].message)
  end
  local project = project_with { kind = "content", text = "x" }
  project.secrets.pin.external = true
  local _, findings = contents.gather(world, new_state(), project)
  equal(findings[1].message, "web: secret pin: external ones are not available yet")
end)

test("a secret's digest tells nothing about it without the project's key; a config's is its hash", function()
  local state = new_state()
  local gathered = contents.gather(world, state, project_with { kind = "content", text = "1234" })
  ok(gathered.digests.secrets.pin ~= hash.sha256("1234"))
  contents.keep(world, state, "shop", gathered)
  local again = contents.gather(world, state, project_with { kind = "content", text = "1234" })
  equal(again.digests.secrets.pin, gathered.digests.secrets.pin)
  local other = contents.gather(world, new_state(), project_with { kind = "content", text = "1234" })
  ok(other.digests.secrets.pin ~= gathered.digests.secrets.pin)
  local config = contents.gather(world, state, project_with({ kind = "content", text = "1234" }, "configs"))
  equal(config.digests.configs.pin, hash.sha256("1234"))
end)

test("copies are root's alone, and go when no spec names them any more", function()
  local state = new_state()
  local gathered = contents.gather(world, state, project_with { kind = "content", text = "hunter2" })
  contents.keep(world, state, "shop", gathered)
  local spec = spec_of(gathered)
  local file = contents.paths(world, state, spec)[gathered.digests.secrets.pin]
  equal(fs.read(file, { max_bytes = 100 }), "hunter2")
  equal({ fs.stat(file).mode & 511, fs.stat(state:contents "shop").mode & 511 }, { 384, 448 })
  contents.sweep(world, state, { name = "shop", instances = { ["web-0"] = { spec = spec } } })
  ok(fs.stat(file))
  contents.sweep(world, state, { name = "shop", instances = {} })
  equal(fs.stat(file), nil)
  raises("the copy of secret pin is gone", contents.paths, world, state, spec)
  contents.remove(world, state, "shop")
  equal(fs.lstat(state:contents "shop"), nil)
  equal(fs.lstat((state:contents "shop"):match("^(.*)/")), nil)
end)

test("an instance that comes back from the trash finds what it needs", function()
  local state, batch = new_state(), tmpdir()
  local gathered = contents.gather(world, state, project_with { kind = "content", text = "hunter2" })
  contents.keep(world, state, "shop", gathered)
  contents.copy_to_trash(world, state, spec_of(gathered), batch)
  contents.remove(world, state, "shop")
  contents.restore(world, state, "shop", batch)
  local file = contents.paths(world, state, spec_of(gathered))[gathered.digests.secrets.pin]
  equal(fs.read(file, { max_bytes = 100 }), "hunter2")
  equal(fs.stat(file).mode & 511, 384)
  local again = contents.gather(world, state, project_with { kind = "content", text = "hunter2" })
  equal(again.digests.secrets.pin, gathered.digests.secrets.pin)
end)

test("a project without any leaves no trace", function()
  local state = new_state()
  local gathered, findings = contents.gather(world, state, made.project { made.service "web" })
  contents.keep(world, state, "shop", gathered)
  contents.sweep(world, state, { name = "shop", instances = {} })
  contents.remove(world, state, "shop")
  equal({ findings, gathered.texts, (fs.lstat(state:contents "shop")) }, { {}, {} })
end)
