--- holos/first.sh: the first part of a seed, steps that run once for an instance-id, each reported by title. Pure.
--- Packages, users and files of cloud-init guests are cloud-init's; plain guests have files and commands only.
--- The text of a step is a file of its own, holos/steps/N.sh. Steps share their directory and variables, as commands of
--- one script would; a guest that lost power goes on with the step that it was at.
local lazy = require "holos.core.lazy"
local build = lazy "holos.plan.seed.build"
local library = require "holos.plan.seed.library"
local table_ = require "holos.core.table"

local M = {}

local FUNCTIONS = [[

holos_begin() {
    mkdir -p "$holos_books" /run/holos "${holos_log%/*}"
    if holos_is_provisioned; then exit 0; fi
    if [ -e "$holos_trouble" ]; then
        echo "holos: the first steps wait until this boot's trouble is mended:"
        cat "$holos_trouble"
        exit 1
    fi
    holos_done=0
    if [ "$(cut -d ' ' -f 1 "$holos_books/steps" 2>/dev/null)" = "$holos_instance_id" ]; then
        holos_done=$(cut -d ' ' -f 2 "$holos_books/steps")
    else
        rm -f "$holos_books/variables" "$holos_books/directory"
    fi
}

# holos_step NUMBER TITLE: the first that fails ends the provisioning.
holos_step() {
    [ "$1" -gt "$holos_done" ] || return 0
    holos_report "step $1 $holos_total $2"
    printf 'holos: step %s of %s: %s\n' "$1" "$holos_total" "$2" | tee -a "$holos_log"
    holos_begun=$(date +%s)
    holos_logged "$holos_log" sh "$holos_here/step.sh" "$1"
    holos_took=$(($(date +%s) - holos_begun))
    tail -c "+$holos_from" "$holos_log" | tail -n 100
    if [ "$holos_status" -ne 0 ]; then
        echo "holos: step $1 failed with status $holos_status after $holos_took s"
        tail -c "+$holos_from" "$holos_log" | holos_report_failure "$1" "$holos_status" "$2"
        exit 1
    fi
    echo "holos: step $1 done in $holos_took s"
    sync
    echo "$holos_instance_id $1" >"$holos_books/steps.new" && mv "$holos_books/steps.new" "$holos_books/steps"
}

holos_finish() {
    sync
    echo "$holos_instance_id" >"$holos_books/provisioned"
    rm -f "$holos_books/variables" "$holos_books/directory" "$holos_books/steps" /var/lib/cloud/scripts/per-boot/holos
    if [ -e "$holos_here/late.sh" ]; then sh "$holos_here/late.sh" first; fi
    holos_report "provisioned $holos_instance_id"
    echo "holos: provisioned"
}

holos_begin
]]

-- Runs one step. `set -a` exports what the step assigns, so that `export -p` hands it on to the next.
local STEP = [[
HOME=${HOME:-/root}
export HOME
cd /
if [ -e "$holos_books/variables" ]; then
    . "$holos_books/variables"
    cd "$(cat "$holos_books/directory")" || exit
fi

holos_hand_on() {
    holos_status=$?
    pwd >"$holos_books/directory"
    (umask 077 && export -p >"$holos_books/variables")
    exit "$holos_status"
}

# holos_put PATH MODE OWNER NUMBER: writes a file from the seed.
holos_put() {
    mkdir -p "$(dirname "$1")" && (umask 077 && cat "$holos_here/files/$4" >"$1") && chown "$3" "$1" && chmod "$2" "$1"
}

holos_has_package() {
    if command -v dpkg-query >/dev/null; then
        dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' 2>/dev/null | sed -n 's/^installed //p' |
            tr ',' '\n' | sed 's/^ *//; s/ .*//' | grep -qxF -- "$1"
    elif command -v apk >/dev/null; then
        apk info -e "$1" >/dev/null
    elif command -v rpm >/dev/null; then
        rpm -q --whatprovides "$1" >/dev/null 2>&1
    elif command -v pacman >/dev/null; then
        pacman -T "$1" >/dev/null
    fi
}

# cloud-init goes on when packages cannot be installed; we do not.
holos_check_packages() {
    holos_missing=
    for holos_package; do
        holos_has_package "$holos_package" || holos_missing="$holos_missing $holos_package"
    done
    [ -n "$holos_missing" ] || return 0
    grep -E '^(E|W|Error|ERROR|error):' /var/log/cloud-init-output.log 2>/dev/null | tail -n 10
    echo "not installed:$holos_missing"
    return 100
}

trap holos_hand_on EXIT
set -a
. "$holos_here/steps/$1.sh"
]]

local function file_steps(spec, steps)
  for number, file in ipairs(spec.cloud_init.write_files or {}) do
    local words = { "holos_put", file.path, file.permissions or "0644", file.owner or "root:root", number }
    steps[#steps + 1] = { title = "write " .. file.path, text = library.words(words) }
  end
end

--- The bare name of a package: "nginx" of "nginx=1.22*", "nginx/stable", "nginx:amd64" and { "nginx", "1.22" };
--- nil for a pattern, which names no one package.
function M.package_name(package)
  local name = type(package) == "table" and tostring(package[1]) or package
  if name:match("^[^=/:<>~@]*"):find("*", 1, true) then return nil end
  return name:match("^[^=/:<>~@]+")
end

local function package_step(spec, steps)
  local words = {}
  for _, package in ipairs(spec.cloud_init.packages or {}) do words[#words + 1] = M.package_name(package) end
  if #words == 0 then return end
  local text = "holos_check_packages " .. library.words(words)
  if spec.image.os == "plain" then text = "echo 'a plain guest has no package manager'; exit 100" end
  steps[#steps + 1] = { title = "packages", text = text }
end

--- The steps in order.
---@return {title: string, text: string}[]  text is for a shell
function M.steps(spec)
  local steps = {}
  if spec.image.os == "plain" then file_steps(spec, steps) end
  package_step(spec, steps)
  if spec.build then table_.extend(steps, build.steps(spec)) end
  for _, command in ipairs(spec.cloud_init.runcmd or {}) do
    steps[#steps + 1] = { title = library.title(command), text = library.shell_text(command) }
  end
  return steps
end

--- first.sh
function M.script(spec)
  local steps = M.steps(spec)
  local lines = { library.START .. "holos_total=" .. #steps, FUNCTIONS }
  for number, step in ipairs(steps) do
    lines[#lines + 1] = "holos_step " .. library.words { number, step.title }
  end
  lines[#lines + 1] = "holos_finish\n"
  return table.concat(lines, "\n")
end

--- The other files: step.sh, the text of each step, and for plain guests what is written.
---@return {name: string, data: string, mode: integer}[]
function M.files(spec)
  local files = { { name = "holos/step.sh", data = library.START .. STEP } }
  for number, step in ipairs(M.steps(spec)) do
    files[#files + 1] = { name = ("holos/steps/%d.sh"):format(number), data = step.text .. "\n" }
  end
  if spec.image.os == "plain" then
    for number, file in ipairs(spec.cloud_init.write_files or {}) do
      files[#files + 1] = { name = "holos/files/" .. number, data = file.content or "" }
    end
  end
  return files
end

--- Where the guest keeps the whole log of its first steps.
M.LOG = "/var/log/holos-first.log"

return M
