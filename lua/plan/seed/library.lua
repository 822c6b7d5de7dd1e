--- holos/lib.sh: what the scripts of a seed share: where they keep their books, and how they report. Pure.
--- Names begin with holos_, so that commands of the user's, which run beside them, can use any others.
local places = require "holos.plan.seed.places"
local text = require "holos.core.text"

local M = {}

-- The port's node is looked up by name: numbers vary, and a redirect to a node that is not there would make a plain
-- file.
local BODY = [[
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
holos_books=/var/lib/holos
holos_log=/var/log/holos-first.log
holos_trouble=/run/holos/trouble

holos_report_port() {
    for holos_name in /sys/class/virtio-ports/*/name; do
        if [ "$(cat "$holos_name" 2>/dev/null)" = org.holos.report ]; then
            holos_name=${holos_name%/name}
            holos_port=/dev/${holos_name##*/}
            if [ -c "$holos_port" ]; then return 0; fi
        fi
    done
    return 1
}

# holos_report WORD... : one line for the host. A guest without the port, or with a broken one, goes on without.
holos_report() {
    if holos_report_port; then
        printf 'holos1 %s\n' "$*" 2>/dev/null >"$holos_port" || :
    fi
}

# holos_report_failure STEP STATUS TITLE: that a step failed, after the last lines of its output, which are on stdin.
holos_report_failure() {
    tail -n 20 | cut -c 1-380 | while IFS= read -r holos_line; do holos_report "log $holos_line"; done
    holos_report "failed $1 $2 $3"
}

# holos_logged FILE COMMAND... : runs it with its output at the end of a file, so that what it leaves running can go on
# writing. Sets holos_status, and holos_from, where in the file its output begins.
holos_logged() {
    holos_file=$1
    shift
    touch "$holos_file"
    holos_from=$(($(wc -c <"$holos_file") + 1))
    holos_status=0
    "$@" >>"$holos_file" 2>&1 </dev/null || holos_status=$?
}

holos_is_provisioned() { [ "$(cat "$holos_books/provisioned" 2>/dev/null)" = "$holos_instance_id" ]; }
]]

--- Of boot.sh, and of scripts for guests that run: what the kernel of a guest shows a moment after it was told. A shell hears of
--- no event there.
M.AWAIT = [[

# holos_await TRIES COMMAND... : ten a second where sleep can do that.
holos_await() {
    holos_tries=$1
    shift
    until "$@"; do
        holos_tries=$((holos_tries - 1))
        [ "$holos_tries" -gt 0 ] || return 1
        sleep 0.1 2>/dev/null || sleep 1
    done
}
]]

--- Of boot.sh and late.sh. What fails is noted in a file: first.sh does not start on a guest whose volumes are missing.
M.ATTEMPT = [[

# holos_attempt_beside TITLE COMMAND... : what fails is reported, and keeps nothing from going on.
holos_attempt_beside() {
    holos_title=$1
    shift
    holos_logged /run/holos/boot.log "$@"
    tail -c "+$holos_from" /run/holos/boot.log
    [ "$holos_status" -ne 0 ] || return 0
    tail -c "+$holos_from" /run/holos/boot.log | holos_report_failure 0 "$holos_status" "$holos_title"
    return 1
}

# holos_attempt TITLE COMMAND...
holos_attempt() {
    holos_attempt_beside "$@" ||
        printf 'holos: %s: failed with status %s\n' "$holos_title" "$holos_status" | tee -a "$holos_trouble"
}
]]

--- Of boot.sh and late.sh: how they come to places that are not root's alone.
M.PLACES = places.FUNCTIONS

--- lib.sh
function M.script(spec)
  return ("# Made by holos for %s of project %s.\nholos_here=%s\nholos_instance_id=%s\n%s"):format(spec.name,
    spec.project, M.DIRECTORY, text.shell_quote(spec.instance_id), BODY)
end

--- Where guests mount the seed, and where in it the scripts are.
M.SEED = "/run/holos/seed"
M.DIRECTORY = M.SEED .. "/holos"

--- How every script begins.
M.START = "#!/bin/sh\n. " .. M.DIRECTORY .. "/lib.sh\n"

--- One line that names a command: "nginx -t".
---@param command string|string[]
function M.title(command)
  local line = type(command) == "string" and command or table.concat(command, " ")
  line = (line:match("^%s*([^\n]*)") or ""):gsub("%c", " ")
  return #line > 60 and line:sub(1, utf8.offset(line, 0, 58) - 1) .. "..." or line
end

--- A list of words as a shell command.
function M.words(list)
  local quoted = {}
  for i, word in ipairs(list) do quoted[i] = text.shell_quote(tostring(word)) end
  return table.concat(quoted, " ")
end

--- A line that runs a command of ours; what fails is told under this title.
function M.attempt(title, ...) return "holos_attempt " .. M.words { title, ... } end

--- The same, where what fails keeps nothing from going on.
function M.attempt_beside(title, ...) return "holos_attempt_beside " .. M.words { title, ... } end

--- A command of the user's as shell text: text is for a shell already, a list is a program and its arguments.
function M.shell_text(command)
  return type(command) == "string" and command or M.words(command)
end

return M
