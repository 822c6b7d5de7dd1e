--- How COPY, ADD and WORKDIR of a Dockerfile are done in a guest: functions of holos/build.sh. Pure.
--- What a step brings along is unpacked beside its target first, gets its owner and mode there, and is then laid over what the
--- target holds: as in Docker, no link is followed at the end of a path, and a directory never takes the place of something else.
local M = {}

local PLACING = [[

# holos_owner_of USER[:GROUP]: for chown; a number alone is the group's, too, and a name has a group.
holos_owner_of() {
    case $1 in
        *:*) echo "$1" ;;
        *[!0-9]*)
            id -u "$1" >/dev/null 2>&1 || return 1
            echo "$(id -u "$1"):$(id -g "$1")"
            ;;
        *) echo "$1:$1" ;;
    esac
}

# holos_make_directory PATH OWNER OTHERS: makes it, and those above it, which belong to OTHERS.
holos_make_directory() {
    if [ -z "$1" ] || [ -d "$1" ]; then return 0; fi
    if [ -e "$1" ] || [ -L "$1" ]; then
        echo "$1 is no directory"
        return 1
    fi
    holos_make_directory "${1%/*}" "$3" "$3" && mkdir -m 755 "$1" && chown "$2" "$1"
}

# holos_each FROM TO look|remove: says what of TO cannot be replaced; removes what will be.
holos_each() {
    (cd "$1" && find . ! -name . -exec sh -c '
        how=$1 to=$2
        shift 2
        for one; do
            there=$to/${one#./}
            if [ -d "$one" ] && [ ! -L "$one" ]; then
                if [ "$how" = remove ] || { [ -d "$there" ] && [ ! -L "$there" ]; }; then continue; fi
                if [ -e "$there" ] || [ -L "$there" ]; then echo "cannot copy to non-directory: $there"; fi
            elif [ "$how" = remove ]; then
                rm -f "$there"
            elif [ -d "$there" ] && [ ! -L "$there" ]; then
                echo "cannot replace the directory $there by a file"
            fi
        done' sh "$3" "$2" {} +)
}

# holos_merge FROM TO: lays what FROM holds over TO, which keeps its own owner and mode.
holos_merge() {
    holos_said=$(holos_each "$1" "$2" look) || return 1
    if [ -n "$holos_said" ]; then
        echo "$holos_said"
        return 1
    fi
    holos_each "$1" "$2" remove && chown "$(stat -L -c %u:%g "$2")" "$1" && chmod "$(stat -L -c %a "$2")" "$1" &&
        cp -pPR "$1/." "$2/"
}

# holos_put_file DIRECTORY TARGET: the one file of the directory becomes the target.
holos_put_file() {
    holos_make_directory "${2%/*}" 0:0 0:0 || return 1
    for holos_one in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        [ -e "$holos_one" ] || continue
        rm -f "$2" && cp -pPR "$holos_one" "$2" || return 1
    done
}
]]

local STAGING = [[

holos_stage=/var/lib/holos/stage

# holos_find_context: where the disk with what the steps bring along is mounted.
holos_mount_context() {
    if [ -e "$holos_context/context.tar" ]; then return 0; fi
    for holos_disk in /sys/block/vd*; do
        if [ "$(cat "$holos_disk/serial" 2>/dev/null)" = context ]; then
            mkdir -p "$holos_context" && mount -t iso9660 -o ro "/dev/${holos_disk##*/}" "$holos_context"
            return
        fi
    done
    echo "there is no disk with the context"
    return 1
}

# holos_stage_number NUMBER: what a step brings along lies in $holos_stage then.
holos_stage_number() {
    rm -rf "$holos_stage" && (umask 077 && mkdir -p "$holos_stage") || return 1
    [ -n "$1" ] || return 0
    holos_mount_context && (cd "$holos_stage" && umask 0 && tar -xpf "$holos_context/context.tar" "$1") &&
        mv "$holos_stage/$1" "$holos_stage/brought" || return 1
    for holos_one in d f a; do
        [ -d "$holos_stage/brought/$holos_one" ] || continue
        mv "$holos_stage/brought/$holos_one" "$holos_stage/$holos_one" || return 1
    done
}

# holos_change_modes DIRECTORY MODE: of what is in it. A link has none.
holos_change_modes() {
    for holos_member in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        if [ ! -L "$holos_member" ] && [ -e "$holos_member" ]; then chmod -R "$2" "$holos_member" || return 1; fi
    done
}

# holos_belongs OWNER MODE: what is staged gets them.
holos_belongs() {
    holos_who=0:0
    if [ -n "$1" ] && ! holos_who=$(holos_owner_of "$1"); then
        echo "there is no user $1"
        return 1
    fi
    for holos_one in d f; do
        [ -d "$holos_stage/$holos_one" ] || continue
        if [ -n "$1" ]; then chown -hR "$holos_who" "$holos_stage/$holos_one" || return 1; fi
        if [ -n "$2" ]; then holos_change_modes "$holos_stage/$holos_one" "$2" || return 1; fi
    done
}

# holos_copy TARGET directory|file: what is staged goes to its place.
holos_copy() {
    holos_to=${1:-/}
    for holos_one in "$holos_stage/x"/*; do
        [ -d "$holos_one" ] || continue
        holos_make_directory "$1" "$holos_who" 0:0 && holos_merge "$holos_one" "$holos_to" || return 1
    done
    if [ "$2" = directory ]; then holos_make_directory "$1" "$holos_who" 0:0 || return 1; fi
    if [ -d "$holos_stage/d" ]; then holos_merge "$holos_stage/d" "$holos_to" || return 1; fi
    if [ -d "$holos_stage/f" ] && [ -d "$holos_to" ]; then
        holos_merge "$holos_stage/f" "$holos_to"
    elif [ -d "$holos_stage/f" ]; then
        holos_put_file "$holos_stage/f" "$1"
    fi
}
]]

local ADDING = [[

# holos_open KIND FILE: what is in it, to the output.
holos_open() {
    case $1 in
        tar) cat "$2" ;;
        *) "$1" -dc <"$2" ;;
    esac
}

# holos_unpack FILE NAME KIND PLACE: an archive is unpacked into x/PLACE of what is staged, and keeps the owners and modes in
# it; what is only compressed is a file like any other.
holos_unpack() {
    mkdir -p "$holos_stage/x/$4" "$holos_stage/f" || return 1
    if [ "$3" != tar ] && ! command -v "$3" >/dev/null; then
        echo "unpacking $2 takes $3, which is not in the guest: install it before"
        return 1
    fi
    if [ -n "$(holos_open "$3" "$1" 2>/dev/null | tar -tf - 2>/dev/null | head -n 1)" ]; then
        holos_open "$3" "$1" | tar --numeric-owner -xpf - -C "$holos_stage/x/$4"
    elif [ "$3" != tar ] && "$3" -t <"$1" >/dev/null; then
        rm -r "$holos_stage/x/$4" && mv "$1" "$holos_stage/f/$2"
    else
        echo "$2 cannot be unpacked"
        return 1
    fi
}

# holos_kind FILE: what unpacks it, by its first bytes; nothing for what is no archive.
holos_kind() {
    case $(head -c 6 <"$1" | od -An -tx1 | tr -d ' \n') in
        1f8b*) echo gzip ;;
        425a68*) echo bzip2 ;;
        fd377a585a00) echo xz ;;
        28b52ffd*) echo zstd ;;
        *) if tar -tf - <"$1" >/dev/null 2>&1; then echo tar; fi ;;
    esac
}

# holos_unpack_fetched NAME PLACE: what is no archive stays as it is.
holos_unpack_fetched() {
    holos_kind=$(holos_kind "$holos_stage/f/$1")
    if [ -z "$holos_kind" ]; then return 0; fi
    mv "$holos_stage/f/$1" "$holos_stage/fetched" && holos_unpack "$holos_stage/fetched" "$1" "$holos_kind" "$2"
}

# holos_check_sum FILE sha256:HEX
holos_check_sum() {
    holos_sum=$("${2%%:*}sum" <"$1") || return 1
    if [ "${holos_sum%% *}" = "${2#*:}" ]; then return 0; fi
    echo "the checksum is ${2%%:*}:${holos_sum%% *}, and not $2"
    return 1
}

# holos_fetch URL NAME SUM SHOWN: the address as it may be told. A server that says nothing for a minute is given up. An address
# with a password is in nobody's list of processes: curl reads it, and wget cannot.
holos_fetch() {
    mkdir -p "$holos_stage/f" || return 1
    if command -v curl >/dev/null; then
        printf 'url = "%s"\n' "$1" | curl -fsSL --retry 3 --connect-timeout 30 --speed-limit 1 --speed-time 60 -R \
            -o "$holos_stage/f/$2" -K - || return 1
    elif [ "$1" != "$4" ]; then
        echo "fetching $4 with a password takes curl, which is not in the guest: install it before"
        return 1
    elif command -v wget >/dev/null; then
        wget -q -T 60 -O "$holos_stage/f/$2" "$1" || return 1
    else
        echo "fetching $4 takes curl or wget, and neither is in the guest: install one before"
        return 1
    fi
    if [ -n "$3" ]; then holos_check_sum "$holos_stage/f/$2" "$3" || return 1; fi
    chmod 600 "$holos_stage/f/$2"
}

# holos_git WORDS...: in the clone. A server that sends nothing for a minute is given up, and nobody is asked for a password.
holos_git() {
    GIT_TERMINAL_PROMPT=0 git -C "$holos_clone_of" -c http.lowSpeedLimit=1 -c http.lowSpeedTime=60 "$@"
}

# holos_clone URL REF DIRECTORY keep|drop COMMIT: a repository's files are staged; a directory of it, where one is named.
holos_clone() {
    if ! command -v git >/dev/null; then
        echo "fetching $1 takes git, which is not in the guest: install it before"
        return 1
    fi
    holos_clone_of=$holos_stage/git
    git init -q "$holos_clone_of" && holos_git fetch -q --depth 1 "$1" "${2:-HEAD}" &&
        git -C "$holos_clone_of" -c advice.detachedHead=false checkout -q FETCH_HEAD || return 1
    holos_commit=$(git -C "$holos_clone_of" rev-parse HEAD) || return 1
    case $holos_commit in
        "$5"*) ;;
        *)
            echo "the commit is $holos_commit, and not $5"
            return 1
            ;;
    esac
    if [ "$4" = drop ]; then rm -rf "$holos_clone_of/.git"; fi
    if [ ! -d "$holos_clone_of${3:+/$3}" ]; then
        echo "there is no directory $3 in $1"
        return 1
    fi
    mv "$holos_clone_of${3:+/$3}" "$holos_stage/d"
}
]]

--- Functions of holos/build.sh; `$holos_context` is where the disk is mounted.
M.FUNCTIONS = "holos_context=/run/holos/context\n" .. PLACING .. STAGING .. ADDING

return M
