--- Configs and secrets in a guest: files of the seed, put in place at every boot. Pure.
--- Configs are written to the guest's disk. Secrets never are: they are files of a ramfs, which is not even swapped out;
--- a secret that belongs elsewhere is mounted over an empty file there.
local library = require "holos.plan.seed.library"
local table_ = require "holos.core.table"

local M = {}

--- Where secrets are.
M.SECRETS = "/run/secrets"

M.FUNCTIONS = [[

# holos_give FILE UID GID MODE: users and groups may be made later in a first boot, then late.sh sees to it.
holos_give() {
    chown "$2:$3" "$1" 2>/dev/null || if holos_is_provisioned; then
        echo "there is no user $2 or no group $3"
        return 1
    fi
    chmod "$4" "$1"
}

# holos_put_config NUMBER TARGET UID GID MODE
holos_put_config() {
    holos_staged=/run/holos/config
    rm -f "$holos_staged" && (umask 077 && cat "$holos_here/configs/$1" >"$holos_staged") || return 1
    holos_give "$holos_staged" "$3" "$4" "$5" && holos_place "$holos_staged" "$2"
}

# holos_has_memory: whether what is mounted at /run/secrets is ours. A file system of somebody else's may be a disk.
holos_has_memory() { holos_is_mounted /run/secrets && [ "$holos_source" = holos-secrets ]; }

holos_mount_secrets() {
    if holos_has_memory; then return 0; fi
    if holos_is_mounted /run/secrets; then
        echo "/run/secrets is where $holos_source is mounted"
        return 1
    fi
    mkdir -p /run/secrets || return 1
    mount -t ramfs -o mode=755 holos-secrets /run/secrets || mount -t tmpfs -o mode=755 holos-secrets /run/secrets
}

# holos_put_secret NUMBER TARGET UID GID MODE
holos_put_secret() {
    holos_has_memory || return 1
    case $2 in
        /run/secrets/*) holos_secret=$2 ;;
        *) holos_secret=/run/secrets/.elsewhere/$1 ;;
    esac
    mkdir -p "${holos_secret%/*}" && (umask 077 && cat "$holos_here/secrets/$1" >"$holos_secret") || return 1
    holos_give "$holos_secret" "$3" "$4" "$5" || return 1
    [ "$holos_secret" = "$2" ] || holos_cover "$holos_secret" "$2"
}
]]

local function grant_lines(list, what, command, lines)
  for number, grant in ipairs(list or {}) do
    lines[#lines + 1] = library.attempt(("%s %s"):format(what, grant.key), command, number, grant.target, grant.uid, grant.gid,
      ("%o"):format(grant.mode))
  end
end

--- The lines of boot.sh, and of late.sh.
---@return string[]
function M.lines(spec)
  local lines = {}
  grant_lines(spec.configs, "config", "holos_put_config", lines)
  if spec.secrets then lines[#lines + 1] = library.attempt("secrets", "holos_mount_secrets") end
  grant_lines(spec.secrets, "secret", "holos_put_secret", lines)
  return lines
end

--- The contents as files of the seed.
---@param paths table<string, string>  where the host keeps each, by digest
---@return {name: string, path: string}[]
function M.files(spec, paths)
  local files = {}
  for _, kind in ipairs { "configs", "secrets" } do
    table_.extend(files, table_.map(spec[kind] or {}, function(grant, number)
      return { name = ("holos/%s/%d"):format(kind, number), path = paths[grant.digest] }
    end))
  end
  return files
end

return M
