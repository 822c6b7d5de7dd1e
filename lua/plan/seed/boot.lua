--- holos/boot.sh: the boot part of a seed, a POSIX shell script for every boot (also busybox's). Pure.
--- It does all it can: what does not work is reported, and the guest stays there to be looked at.
local console = require "holos.plan.seed.console"
local content = require "holos.plan.seed.content"
local environment = require "holos.plan.seed.environment"
local kernel = require "holos.plan.seed.kernel"
local late = require "holos.plan.seed.late"
local library = require "holos.plan.seed.library"
local mounts = require "holos.plan.seed.mounts"
local names = require "holos.plan.seed.names"
local resolver = require "holos.plan.seed.resolver"
local table_ = require "holos.core.table"

local M = {}

-- A module that has just been loaded takes a moment to show its ports; afterwards nobody waits for them.
local BEGIN = [[
mkdir -p "$holos_books" /run/holos
rm -f "$holos_trouble" /run/holos/console-login
modprobe virtio_console 2>/dev/null
holos_await 20 holos_report_port || :
holos_report boot
]]

-- cloud-init runs what is in this directory at every boot, late, after packages and deferred files. Its runcmd would
-- run once only: a guest that lost power half way would never finish.
local CLOUD_INIT = [[

holos_arrange_first_steps() {
    holos_script=/var/lib/cloud/scripts/per-boot/holos
    if holos_is_provisioned; then
        rm -f "$holos_script"
    elif [ ! -e "$holos_script" ]; then
        mkdir -p "${holos_script%/*}"
        printf '#!/bin/sh\nif [ -e %s ]; then exec sh %s; fi\n' "$holos_here/first.sh" "$holos_here/first.sh" \
            >"$holos_script"
        chmod 755 "$holos_script"
    fi
}
]]

local FINISH = [[
holos_report ready
if holos_is_provisioned; then holos_report "provisioned $holos_instance_id"; fi
]]

--- What is done, in order: a line of shell each.
function M.lines(spec)
  local lines = {}
  if spec.image.os ~= "plain" then lines[1] = library.attempt("first steps", "holos_arrange_first_steps") end
  table_.extend(lines, names.lines(spec))
  table_.extend(lines, mounts.lines(spec))
  lines[#lines + 1] = environment.line(spec)
  lines[#lines + 1] = resolver.line(spec)
  table_.extend(lines, content.lines(spec))
  lines[#lines + 1] = console.line(spec)
  if spec.image.os == "openrc" and not spec.app then
    lines[#lines + 1] = library.attempt("no app", "rm", "-f", "/etc/init.d/holos-app")
  end
  for _, command in ipairs(spec.cloud_init.bootcmd or {}) do
    lines[#lines + 1] = library.attempt("bootcmd " .. library.title(command), "sh", "-c", library.shell_text(command))
  end
  return table_.extend(lines, kernel.lines(spec))
end

--- boot.sh
function M.script(spec)
  return table.concat { library.START, library.AWAIT, BEGIN, library.ATTEMPT, names.FUNCTIONS, library.PLACES, mounts.FUNCTIONS,
    CLOUD_INIT, environment.FUNCTIONS, kernel.functions(spec), resolver.FUNCTIONS, content.FUNCTIONS, console.FUNCTIONS, "\n",
    table.concat(M.lines(spec), "\n"), "\n", late.BOOT, FINISH }
end

--- The files that boot.sh and late.sh work with.
---@param paths table<string, string>  contents of configs and secrets, by digest
---@return {name: string, data: string?, path: string?}[]
function M.files(spec, paths)
  local files = content.files(spec, paths)
  for _, part in ipairs { environment, kernel, resolver, late } do table_.extend(files, part.files(spec)) end
  return files
end

--- What a guest of this kind cannot do of what the file says.
---@return string[]
function M.warnings(service) return table_.extend(late.warnings(service), kernel.warnings(service)) end

return M
