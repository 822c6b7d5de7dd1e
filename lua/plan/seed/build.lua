--- The steps of a Dockerfile in a guest: a script for each, holos/build/N.sh, beside what they share, holos/build.sh. Pure.
--- A RUN has a shell, an environment, a user and a directory of its own, and hands nothing on.
local become = require "holos.plan.seed.become"
local copy = require "holos.plan.seed.copy"
local environment = require "holos.plan.seed.environment"
local library = require "holos.plan.seed.library"
local table_ = require "holos.core.table"

local M = {}

local FAIL = [[

fail() {
    echo "$1"
    exit 1
}

]]

local SHARED = FAIL .. copy.FUNCTIONS .. "\n" .. become.FUNCTIONS

-- Where a program is put that stands in the file itself: nobody but root reads the seed.
local PROGRAM = "/var/lib/holos/program"
local DEFAULT_SHELL = { "/bin/sh", "-c" }

local writers = {}

-- -- RUN ----------------------------------------------------------------------------------------------------------------

-- Variables go by assignments: what ARG and ENV hold is in nobody's list of processes. env(1) sets those that a shell cannot.
local function variable_lines(step, lines)
  local odd = {}
  for _, pair in ipairs(step.env or {}) do
    if environment.is_plain(pair.name, pair.value) then
      lines[#lines + 1] = ("%s=%s; export %s"):format(pair.name, library.words { pair.value }, pair.name)
    else
      odd[#odd + 1] = pair.name .. "=" .. pair.value
    end
  end
  return odd
end

-- The program and its arguments.
local function command_of(step)
  if step.argv then return step.argv end
  if step.program then return { PROGRAM .. "/run" } end
  local words = table_.copy(step.shell or DEFAULT_SHELL)
  words[#words + 1] = step.script
  return words
end

local mounters = {}

function mounters.tmpfs(mount)
  local options = mount.size_bytes and { "-o", "size=" .. mount.size_bytes } or {}
  return { "mount", "-t", "tmpfs", table.unpack(table_.extend(options, { "tmpfs", mount.target })) }
end

-- What steps leave in a cache stays in the guest, and later steps find it there.
function mounters.cache(mount)
  return { "holos_bind_cache", mount.id or mount.target, mount.target, ("%o"):format(mount.mode or tonumber("755", 8)),
    ("%s:%s"):format(mount.uid or 0, mount.gid or 0) }
end

function mounters.bind(mount, place)
  return { "holos_bind_context", mount.number, mount.target, mount.rw and "rw" or "ro", "/var/lib/holos/bound." .. place }
end

local MOUNTING = [[
# holos_bind_cache ID TARGET MODE OWNER
holos_bind_cache() {
    holos_cache=/var/cache/holos/$(printf '%s' "$1" | sha256sum | cut -c 1-16)
    if [ ! -d "$holos_cache" ]; then
        mkdir -p "$holos_cache" && chmod "$3" "$holos_cache" && chown "$4" "$holos_cache" || return 1
    fi
    mount -o bind "$holos_cache" "$2"
}

# holos_bind_context NUMBER TARGET ro|rw PLACE: what is written there goes with the step.
holos_bind_context() {
    holos_stage=$4
    holos_stage_number "$1" || return 1
    if [ -d "$4/d" ]; then
        mount -o bind "$4/d" "$2" || return 1
    else
        rmdir "$2" 2>/dev/null
        [ -e "$2" ] || : >"$2" || return 1
        for holos_one in "$4/f"/* "$4/f"/.[!.]* "$4/f"/..?*; do
            [ -e "$holos_one" ] || continue
            mount -o bind "$holos_one" "$2" || return 1
        done
    fi
    [ "$3" = rw ] || mount -o remount,bind,ro "$2"
}
]]

-- Mounts are there for one step; directories that were made for them go with them.
local function mount_lines(step, lines)
  local mounts = step.mounts or {}
  if #mounts == 0 then return lines end
  lines[#lines + 1] = MOUNTING
  local undo, done = {}, {}
  for place, mount in ipairs(mounts) do
    local target = library.words { mount.target }
    table_.extend(done, { ("[ -e %s ] || { holos_made_%d=yes; holos_make_directory %s 0:0 0:0 || exit 1; }"):format(target, place,
      target), library.words(mounters[mount.type](mount, place)) .. " || exit 1", ("holos_mounted_%d=yes"):format(place) })
    table.insert(undo, 1, ('    [ -z "${holos_mounted_%d-}" ] || umount %s'):format(place, target))
    table_.extend(undo, { ('    [ -z "${holos_made_%d-}" ] || rmdir %s 2>/dev/null || rm -f %s'):format(place, target, target),
      "    rm -rf /var/lib/holos/bound." .. place })
  end
  return table_.extend(table_.extend(lines, { "holos_undo() {", table.concat(undo, "\n"), "}", "trap holos_undo EXIT" }), done)
end

local function program_lines(number, lines)
  lines[#lines + 1] = ('mkdir -p %s && cat "$holos_here/build/%d.program" >%s/run'):format(PROGRAM, number, PROGRAM)
  lines[#lines + 1] = ("chmod 755 %s %s/run || exit 1"):format(PROGRAM, PROGRAM)
end

function writers.run(step, number)
  local lines = mount_lines(step, {})
  -- In a network of its own, where nothing but the loopback is, and that is down at first.
  if step.network == "none" then table.insert(lines, 1, 'ip link set lo up || fail "the loopback cannot be brought up"') end
  if step.program then program_lines(number, lines) end
  lines[#lines + 1] = "("
  table_.extend(lines, become.assignments(step.user))
  lines[#lines + 1] = become.NAMES
  lines[#lines + 1] = "holos_tools=$PATH"
  local odd = variable_lines(step, lines)
  table_.extend(lines, become.assignments(step.user)) -- again: no variable of the file says who it runs as
  lines[#lines + 1] = ("cd %s || exit 1"):format(library.words { step.workdir or "/" })
  lines[#lines + 1] = ('set -- env %s "PATH=$PATH" %s'):format(library.words(odd), library.words(command_of(step)))
  table_.extend(lines, { "unset holos_books holos_here holos_instance_id holos_log holos_trouble holos_context holos_stage",
    "PATH=$holos_tools", 'become "$@"', ")" })
  if step.program then table_.extend(lines, { "holos_status=$?", "rm -rf " .. PROGRAM, "exit $holos_status" }) end
  return lines
end

-- -- COPY, ADD, WORKDIR -------------------------------------------------------------------------------------------------

local function attempt(...) return library.words { ... } .. " || exit 1" end

-- The path of a directory or of a file, without a slash at its end; "" is the root.
local function bare(target) return (target:gsub("/+$", "")) end

-- The lines that fetch one source, and unpack it where that was said.
local function fetch_lines(step, remote, lines, place)
  if remote.kind == "git" then
    lines[#lines + 1] = attempt("holos_clone", remote.url, remote.ref or "", remote.subdir or "",
      step.keep_git_dir and "keep" or "drop", step.checksum or "")
    return
  end
  local name = remote.name or "file"
  lines[#lines + 1] = attempt("holos_fetch", remote.url, name, step.checksum or "", remote.shown or remote.url)
  if remote.unpack then lines[#lines + 1] = attempt("holos_unpack_fetched", name, place) end
end

function writers.copy(step)
  local target, lines = bare(step.target), { attempt("holos_stage_number", step.number or "") }
  for number, remote in ipairs(step.remotes or {}) do fetch_lines(step, remote, lines, ("r%06d"):format(number)) end
  for number, archive in ipairs(step.archives or {}) do
    lines[#lines + 1] = ('holos_unpack "$holos_stage/a/%d" %s || exit 1'):format(number,
      library.words { archive.name, archive.kind, ("a%06d"):format(number) })
  end
  lines[#lines + 1] = attempt("holos_belongs", step.chown or "", step.chmod or "")
  lines[#lines + 1] = attempt("holos_copy", target, step.is_directory and "directory" or "file")
  lines[#lines + 1] = 'rm -rf "$holos_stage"'
  return lines
end

writers.add = writers.copy

function writers.workdir(step)
  local lines = { "holos_who=0:0" }
  if step.user and step.user ~= "" then
    lines[2] = ("holos_who=$(holos_owner_of %s) || fail %s"):format(library.words { step.user },
      library.words { "there is no user " .. step.user })
  end
  lines[#lines + 1] = ('holos_make_directory %s "$holos_who" "$holos_who"'):format(library.words { bare(step.path) })
  return lines
end

-- -- the seed -----------------------------------------------------------------------------------------------------------

--- The steps of first.sh: a title, and what runs the step's own script.
---@return {title: string, text: string}[]
function M.steps(spec)
  local steps = {}
  for number, step in ipairs(spec.build and spec.build.steps or {}) do
    local without = step.network == "none" and "unshare -n " or ""
    steps[number] = { title = library.title(step.title),
      text = ('env -i PATH="$PATH" %ssh "$holos_here/build/%d.sh"'):format(without, number) }
  end
  return steps
end

--- The scripts.
---@return {name: string, data: string}[]
function M.files(spec)
  if not spec.build then return {} end
  local files = { { name = "holos/build.sh", data = SHARED } }
  for number, step in ipairs(spec.build.steps) do
    local lines = { library.START .. '. "$holos_here/build.sh"' }
    table_.extend(lines, writers[step.kind](step, number))
    files[#files + 1] = { name = ("holos/build/%d.sh"):format(number), data = table.concat(lines, "\n") .. "\n" }
    if step.program then files[#files + 1] = { name = ("holos/build/%d.program"):format(number), data = step.program } end
  end
  return files
end

return M
