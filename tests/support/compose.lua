--- Loads compose text for tests, on a host that exists in words only.

local compose = require "holos.compose"
local err = require "holos.core.err"
local findings = require "holos.compose.findings"
local found, yaml = pcall(require, "sys.yaml")

local M = { has_yaml = found, parse = found and yaml.parse }

M.DIRECTORY = "/home/anna/shop"

--- What is in the project's directory where a test asks for names.
M.NAMES = { "debian.qcow2", "www", "notes.txt" }

function M.list(directory) return directory == M.DIRECTORY and M.NAMES or {} end

-- What lies at a path: told by its name.
function M.stat(path)
  if path:find("missing") or path:find("debain") or path:find("wwww") then return nil end
  if path:find("fifo") then return "fifo" end
  return path:find("%.%w+$") and "file" or "directory"
end

function M.read(path)
  if path:find("missing") then return nil, path .. ": No such file or directory" end
  if path:find("Dockerfile", 1, true) then return "FROM ./image.qcow2 AS x\n" end
  return path:find("%.sh$") and "#!/bin/sh\n" or "#cloud-config\nusers: []\n"
end

-- How large the disk in an image is: told by its name.
function M.image_bytes(path) return path:find("large") and 30 << 30 or 2 << 30 end

local function with_defaults(text, options)
  local all = {
    text = text, file = M.DIRECTORY .. "/holos.yaml", directory = M.DIRECTORY, environment = { HOME = "/home/anna" },
    parse = M.parse, stat = M.stat, read = M.read, list = M.list, image_bytes = M.image_bytes,
  }
  for name, value in pairs(options or {}) do all[name] = value or nil end -- false takes a default away
  return all
end

--- The project of a text; raises as compose.load does.
function M.load(text, options)
  return compose.load(with_defaults(text, options))
end

local function with_files(texts, options)
  options = options or {}
  local all = with_defaults(nil, options)
  all.files, all.names = {}, nil
  for position, name in ipairs(options.names or { "holos.yaml" }) do
    all.files[position] = { file = M.DIRECTORY .. "/" .. name, text = texts[name], shown = name }
  end
  all.read = options.read or function(path)
    local text = texts[path:match("^" .. M.DIRECTORY .. "/(.*)$")]
    if text then return text end
    if path:find("%.yaml$") then return nil, path .. ": No such file or directory" end
    return M.read(path)
  end
  return all
end

--- The project of several texts, {["holos.yaml"] = "…", ["sub/a.yaml"] = "…"}: files below DIRECTORY. Those in
--- `options.names` are given, in this order (without it, holos.yaml alone); any other can be included and extended.
function M.load_files(texts, options)
  return compose.load(with_files(texts, options))
end

--- What the stages make of one text, or of several by name as in `load_files`.
---@return holos.ComposeState
function M.run(texts, options)
  return compose.run(type(texts) == "string" and with_defaults(texts, options) or with_files(texts, options))
end

local function rendered(placed)
  local lines = {}
  for position, finding in ipairs(placed) do lines[position] = err.render_finding(finding) end
  return lines
end

local function merge(options)
  local state = compose.begin(options)
  compose.gather(state)
  return state.tree, rendered(findings.placed(state.findings, state.files)), state
end

--- What files are merged to, before anything is checked: the tree, and findings as lines without their hints.
function M.merge_with(options) return merge(with_defaults(nil, options)) end

--- The same for texts as in `load_files`.
function M.merge_files(texts, options) return merge(with_files(texts, options)) end

--- The same for texts that are laid over each other: base.yaml, over1.yaml, over2.yaml, …
function M.merge(base, ...)
  local texts, names = { ["base.yaml"] = base }, { "base.yaml" }
  for position, text in ipairs { ... } do
    names[position + 1] = ("over%d.yaml"):format(position)
    texts[names[position + 1]] = text
  end
  return M.merge_files(texts, { names = names })
end

local function complaints(load, ...)
  local fine, problem = pcall(load, ...)
  if fine then return "" end
  if not err.is(problem) then error(problem, 0) end
  local lines = {}
  for _, finding in ipairs(problem.findings) do
    lines[#lines + 1] = err.render_finding(finding)
    if finding.hint then lines[#lines + 1] = "    " .. finding.hint:gsub("\n", "\n    ") end
  end
  lines[#lines + 1] = problem.message .. "; nothing was changed."
  lines[#lines + 1] = problem.hint and "  " .. problem.hint
  return table.concat(lines, "\n") .. "\n"
end

--- What a user sees of a text that is wrong, as the command line prints it; "" when nothing is.
function M.complaints(text, options) return complaints(M.load, text, options) end

--- The same for several texts.
function M.complaints_of_files(texts, options) return complaints(M.load_files, texts, options) end

local SERVICE = [[
  service%d:
    image: ./debian.qcow2
    replicas: 1
    vm:
      vcpu: 2
      memory_mb: 1024
      disk_size: 20G
    ports:
      - "%d:80"
      - "443"
    volumes:
      - data%d:/var/lib/data
      - ./www:/srv/www:ro
%s    healthcheck:
      test: ["pg_isready", "-U", "postgres"]
      interval: 2s
      retries: 30
    cloud_init:
      packages:
        - nginx
      write_files:
        - path: /etc/nginx/sites-enabled/default
          content: |
            server { listen 80; }
      runcmd:
        - systemctl restart nginx
    labels:
      tier: web
]]

--- A file of `count` services, each waiting for the one before.
function M.many_services(count)
  local parts = { "name: many\nservices:\n" }
  for number = 1, count do
    local needs = number > 1 and ("    depends_on:\n      - service%d\n"):format(number - 1) or ""
    parts[#parts + 1] = SERVICE:format(number, 8000 + number, number, needs)
  end
  parts[#parts + 1] = "volumes:\n"
  for number = 1, count do parts[#parts + 1] = ("  data%d: {size: 20G}\n"):format(number) end
  return table.concat(parts)
end

return M
