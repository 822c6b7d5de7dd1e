--- How a shell of root's becomes somebody else: shared by the app and by commands that run at a start and before a stop.
--- Pure. Its names begin with holos_, and `fail TEXT` has to be there.
local library = require "holos.plan.seed.library"

local M = {}

--- Rights are given up for good, by whatever a system has for it.
M.FUNCTIONS = [[
# group_list GROUP... : for setpriv.
group_list() {
    holos_list=
    for holos_one; do holos_list=$holos_list,$holos_one; done
    echo "${holos_list#,}"
}

# As in Docker: a group that is named is the only one, but for those in $holos_more; a number that is no user has group 0.
become_by_setpriv() {
    if [ -z "$holos_group" ]; then
        holos_more="$(id -G "$holos_user" 2>/dev/null) $holos_more"
        holos_group=$(id -g "$holos_user" 2>/dev/null || echo 0)
    fi
    holos_list=$(group_list $holos_more)
    if [ -z "$holos_list" ]; then exec setpriv --reuid "$holos_user" --regid "$holos_group" --clear-groups "$@"; fi
    exec setpriv --reuid "$holos_user" --regid "$holos_group" --groups "$holos_list" "$@"
}

# Runs its arguments as $holos_user, in $holos_group (when it is empty the user's own, with all the user's groups) and in those of
# $holos_more.
become() {
    if [ "$holos_user" = root ] && [ -z "$holos_group$holos_more" ]; then exec "$@"; fi
    if setpriv --help 2>&1 | grep -q -e --reuid; then become_by_setpriv "$@"; fi
    [ -z "$holos_more" ] || fail "group_add needs the setpriv of util-linux, which is not here"
    # With -p, or any other process of the program would count as this one.
    if start-stop-daemon --help 2>&1 | grep -q BusyBox; then
        exec start-stop-daemon -S -q -p /run/holos/no.pid -c "$holos_user${holos_group:+:$holos_group}" -x /bin/sh -- \
            -c 'exec "$@"' sh "$@"
    fi
    [ -z "$holos_group" ] || fail "a group of its own needs setpriv or busybox's start-stop-daemon, and neither is here"
    exec su -s /bin/sh "$holos_user" -c 'exec "$@"' -- sh "$@"
}

# home_of USER: name or number.
home_of() {
    while IFS=: read -r holos_name _ holos_number _ _ holos_home _; do
        if [ "$holos_name" = "$1" ] || [ "$holos_number" = "$1" ]; then
            echo "$holos_home"
            return
        fi
    done </etc/passwd
    echo /
}
]]

--- Who `become` becomes: "USER" or "USER:GROUP", root where nobody is named, and further groups.
---@param name string?
---@param groups string[]?
---@return string[] lines
function M.assignments(name, groups)
  local user, group = (name or "root"):match("^([^:]*):?(.*)$")
  local function assign(variable, value) return variable .. "=" .. library.words { value } end
  return { assign("holos_user", user), assign("holos_group", group), assign("holos_more", table.concat(groups or {}, " ")) }
end

--- The names that go with a user, once it is known who that is.
M.NAMES = [[
case $holos_user in
    *[!0-9]*)
        id "$holos_user" >/dev/null || fail "there is no user $holos_user"
        USER=$holos_user LOGNAME=$holos_user
        export USER LOGNAME
        ;;
esac
HOME=$(home_of "$holos_user")
export HOME]]

return M
