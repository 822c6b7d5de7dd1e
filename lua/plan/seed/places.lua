--- How the scripts of a seed come to places in a guest that may belong to others than root, as the directories of an app
--- do. Who owns a directory can put links there, and root must not write where these lead. Pure.
local M = {}

--- Functions of boot.sh and late.sh.
M.FUNCTIONS = [[

# /proc/mounts writes blanks and backslashes as octal numbers.
holos_is_mounted() {
    while read -r holos_source holos_target holos_rest; do
        if [ "$(printf '%b' "$holos_target")" = "$1" ]; then return 0; fi
    done </proc/mounts
    return 1
}

# holos_step_into NAME: goes into a directory in this one, by a link only when root has made it. What is a directory when
# we look can be a link when we go: then we are somewhere else.
holos_step_into() {
    if [ -L "./$1" ]; then
        if [ "$(stat -c %u "./$1")" != "$(id -u)" ]; then
            echo "${PWD%/}/$1 is a link that root has not made"
            return 1
        fi
        cd -P "./$1"
        return
    fi
    [ -d "./$1" ] || mkdir "./$1" || return 1
    holos_from=${PWD%/}
    cd -P "./$1" || return 1
    if [ "$PWD" != "$holos_from/$1" ]; then
        echo "$holos_from/$1 has become a link"
        return 1
    fi
}

# holos_enter DIRECTORY: makes it, and goes there.
holos_enter() {
    cd -P / || return 1
    holos_rest=${1#/}
    while [ -n "$holos_rest" ]; do
        holos_part=${holos_rest%%/*}
        case $holos_rest in
            */*) holos_rest=${holos_rest#*/} ;;
            *) holos_rest= ;;
        esac
        holos_step_into "$holos_part" || return 1
    done
}

# holos_replace FILE NAME: a copy of the file takes this name here, in one step. Nobody else can look into the directory
# where it is made, and renaming it follows no link.
holos_replace() (
    holos_private=$(mktemp -d ./.holos-XXXXXX) || exit 1
    holos_step_into "${holos_private#./}" && [ -O . ] || exit 1
    cp -p "$1" ./new && mv -T ./new "../$2"
    holos_status=$?
    rm -f ./new
    cd .. && rmdir "$holos_private"
    exit "$holos_status"
)

holos_is_no_directory() {
    [ -d "$1" ] || return 0
    echo "${PWD%/}/${1#./} is a directory"
    return 1
}

# holos_looks FILE: its kind, owner and mode; of a link, not of what it leads to.
holos_looks() { stat -c '%F %u %g %a' "$1"; }

# holos_place FILE TARGET: the target becomes a copy of the file, with its owner and mode.
holos_place() (
    holos_enter "${2%/*}" || exit 1
    holos_name=${2##*/}
    holos_is_no_directory "./$holos_name" || exit 1
    if [ "$(holos_looks "./$holos_name" 2>/dev/null)" = "$(holos_looks "$1")" ] && cmp -s "$1" "./$holos_name"; then exit 0; fi
    holos_replace "$1" "$holos_name"
)

# holos_cover FILE TARGET: mounts the file of /run/secrets at the target, over an empty file when there is none.
holos_cover() (
    holos_enter "${2%/*}" || exit 1
    holos_name=${2##*/}
    if holos_is_mounted "${PWD%/}/$holos_name"; then
        [ "$holos_source" != holos-secrets ] || exit 0
        echo "$2 is where $holos_source is mounted"
        exit 1
    fi
    holos_is_no_directory "./$holos_name" || exit 1
    if [ -L "./$holos_name" ] || [ ! -e "./$holos_name" ]; then
        : >/run/holos/empty && holos_replace /run/holos/empty "$holos_name" || exit 1
    fi
    mount -o bind "$1" "${PWD%/}/$holos_name"
)
]]

return M
