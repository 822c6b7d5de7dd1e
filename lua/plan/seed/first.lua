--- The first part of a seed as a script: steps that run once per instance-id, each reported with number and title.
--- Pure. Packages, users and files of cloud-init guests are cloud-init's; plain guests have files and commands only.
local boot = require "holos.plan.seed.boot"
local path = require "holos.core.path"
local text = require "holos.core.text"

local M = {}

local function quote(word) return text.shell_quote(word) end

local FUNCTIONS = [[
if is_provisioned; then exit 0; fi
log=/var/log/holos-first.log
output=/run/holos/step.log
mkdir -p "$books" /run/holos /var/log

# step NUMBER TITLE COMMAND…: the first that fails ends the provisioning.
step() {
    number=$1
    title=$2
    shift 2
    report "step $number $total $title"
    printf '== step %s/%s %s\n' "$number" "$total" "$title" >>"$log"
    status=0
    "$@" >"$output" 2>&1 </dev/null || status=$?
    cat "$output" >>"$log"
    [ "$status" -eq 0 ] && return 0
    report_failure "$number" "$status" "$title" "$output"
    exit 1
}

# put PATH MODE OWNER CONTENT
put() {
    mkdir -p "$(dirname "$1")" && printf '%s' "$4" >"$1" && chmod "$2" "$1" && chown "$3" "$1"
}

# cloud-init goes on when packages cannot be installed; we do not.
packages_are_there() {
    missing=
    for package; do
        if command -v dpkg-query >/dev/null; then
            dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
        elif command -v rpm >/dev/null; then
            rpm -q --whatprovides "$package" >/dev/null 2>&1 || missing="$missing $package"
        elif command -v apk >/dev/null; then
            apk info -e "$package" >/dev/null || missing="$missing $package"
        fi
    done
    [ -z "$missing" ] && return 0
    grep -E '^(E|W|Error):' /var/log/cloud-init-output.log 2>/dev/null | tail -n 10
    echo "not installed:$missing"
    return 100
}
]]

local function file_steps(spec, steps)
  if spec.image.os ~= "plain" then return end
  for _, file in ipairs(spec.cloud_init.write_files or {}) do
    steps[#steps + 1] = { title = "write " .. file.path, command = ("put %s %s %s %s"):format(quote(file.path),
      quote(file.permissions or "0644"), quote(file.owner or "root:root"), quote(file.content or "")) }
  end
end

local function package_step(spec, steps)
  local packages = spec.cloud_init.packages or {}
  if #packages == 0 then return end
  local words = { "packages_are_there" }
  for _, package in ipairs(packages) do words[#words + 1] = quote(type(package) == "table" and package[1] or package) end
  steps[#steps + 1] = { title = "packages", command = table.concat(words, " ") }
end

--- The steps in order: {title, command}; command is shell text.
function M.steps(spec)
  local steps = {}
  file_steps(spec, steps)
  package_step(spec, steps)
  for _, command in ipairs(spec.cloud_init.runcmd or {}) do
    steps[#steps + 1] = { title = boot.title(command), command = boot.command(command) }
  end
  return steps
end

--- first.sh
function M.script(spec)
  local steps = M.steps(spec)
  local lines = { "#!/bin/sh", '. "$(dirname "$0")/lib.sh"', "total=" .. #steps, FUNCTIONS }
  for number, step in ipairs(steps) do
    lines[#lines + 1] = ("step %d %s %s"):format(number, quote(step.title), step.command)
  end
  lines[#lines + 1] = 'printf "%s\\n" "$instance_id" >"$books/provisioned"'
  lines[#lines + 1] = 'report "provisioned $instance_id"'
  return table.concat(lines, "\n") .. "\n"
end

--- Where the guest keeps the whole log of its first steps.
M.LOG = path.join("/var/log", "holos-first.log")

return M
