/* sys.fs: files and directories, for a program that may run as root among files that others can change.
 *
 * No function waits for a fifo or a device. Which symbolic links are followed is said at each function; a path always
 * follows those before its last component. What a path named can be kept by opening it (open, open_beneath); read, list
 * and stat take "/proc/self/fd/<fileno>" for it. Modes are exact: the umask is not asked. */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>

#include "sys.h"

#define DEFAULT_MAX_BYTES (16 << 20) /* far above any file that is read as a whole here: project files, records, keys */
#define MOST_BYTES ((lua_Integer)1 << 30)
#define COPY_SLICE_BYTES (4 << 20) /* of a copy, at a time */
#define MODE_MASK 07777
#define PAGE_BYTES 4096

int luaopen_sys_look(lua_State *L);  /* look.c: adds stat, list and their like to the table on top */
int luaopen_sys_watch(lua_State *L); /* watch.c: pushes fs.watch */

/* -- helpers ------------------------------------------------------------------------------------------------------- */

/* An absent option table counts as an empty one. */
static void check_options(lua_State *L, int index, const char *const known[])
{
    if (lua_isnoneornil(L, index)) {
        lua_settop(L, index - 1);
        lua_newtable(L);
    }
    sys_check_keys(L, index, known);
}

static mode_t option_mode(lua_State *L, int index, mode_t fallback)
{
    return (mode_t)sys_option_integer(L, index, "mode", fallback, 0, MODE_MASK);
}

/* The words for codes whose own do not fit what happened here. */
static int fail(lua_State *L, int error, const char *path)
{
    if (error == EINVAL)
        return sys_refuse(L, "EINVAL", "%s: not a regular file", path);
    if (error == EXDEV)
        return sys_refuse(L, "EXDEV", "%s: leads out of its directory", path);
    return sys_fail(L, error, "%s", path);
}

static int finish(lua_State *L, int result, const char *path)
{
    if (result < 0)
        return sys_fail(L, -result, "%s", path);
    lua_pushboolean(L, true);
    return 1;
}

/* Stores a just opened descriptor into the closed object on top of the stack. */
static int keep_fd(lua_State *L, int *slot, int fd, const char *path)
{
    if (fd < 0)
        return fail(L, -fd, path);
    *slot = fd;
    return 1;
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

/* Pushes what `fd` holds from where it stands, `limit` bytes at most; what is longer is EFBIG when `whole`. */
static int push_open_text(lua_State *L, int fd, const char *path, size_t limit, bool whole)
{
    struct stat status;
    size_t expected = fstat(fd, &status) == 0 && status.st_size > 0 ? (size_t)status.st_size : 0, total = 0;
    if (whole && expected > limit)
        return sys_refuse(L, "EFBIG", "%s: larger than %zu bytes", path, limit);
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    size_t wanted = 0;
    /* A file that knows its size gives less than it was asked for at its end only. */
    for (ssize_t got = 1; got > 0 && total < limit + whole && !(expected && total >= expected && (size_t)got < wanted);) {
        /* One byte more than expected, so that the end shows; a page where nothing is, as in /proc, whose files may give all
         * at once or nothing. */
        size_t room = limit + whole - total;
        wanted = total < expected ? expected - total + 1 : PAGE_BYTES;
        wanted = wanted < room ? wanted : room;
        got = fs_read_some(fd, luaL_prepbuffsize(&text, wanted), wanted);
        if (got < 0)
            return sys_fail(L, (int)-got, "%s", path);
        luaL_addsize(&text, (size_t)got);
        total += (size_t)got;
    }
    if (total > limit)
        return sys_refuse(L, "EFBIG", "%s: larger than %zu bytes", path, limit);
    luaL_pushresult(&text);
    return 1;
}

/* The same for the descriptor of an object, which is closed then, not when the collector comes to it. */
static int push_text(lua_State *L, int *fd, const char *path, size_t limit, bool whole)
{
    int results = push_open_text(L, *fd, path, limit, whole);
    close(sys_steal_fd(fd));
    return results;
}

static size_t option_max_bytes(lua_State *L, int index)
{
    return (size_t)sys_option_integer(L, index, "max_bytes", DEFAULT_MAX_BYTES, 0, MOST_BYTES);
}

/* fs.read(path [, {max_bytes = 16 MiB, nofollow = false}]) -> text | nil, message, code
 * "EFBIG": longer than max_bytes. "EISDIR", "EINVAL": a directory; a fifo, socket or device. */
static int l_read(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    check_options(L, 2, (const char *const[]){ "max_bytes", "nofollow", NULL });
    size_t limit = option_max_bytes(L, 2);
    int flags = sys_option_boolean(L, 2, "nofollow", false) ? O_NOFOLLOW : 0, *fd = sys_fd_new(L);
    *fd = fs_open_regular(path, flags);
    return *fd < 0 ? fail(L, -*fd, path) : push_text(L, fd, path, limit, true);
}

/* fs.read_beneath(directory, relative_path [, {max_bytes = 16 MiB}]) -> text | nil, message, code
 * Symbolic links are followed as long as they stay beneath; "EXDEV": the path leads out. Else as fs.read. */
static int l_read_beneath(lua_State *L)
{
    const char *directory = sys_check_path(L, 1), *relative = sys_check_path(L, 2);
    check_options(L, 3, (const char *const[]){ "max_bytes", NULL });
    size_t limit = option_max_bytes(L, 3);
    int *fd = sys_fd_new(L);
    *fd = fs_keep_regular(fs_open_beneath(directory, relative, O_RDONLY));
    return *fd < 0 ? fail(L, -*fd, relative) : push_text(L, fd, relative, limit, true);
}

/* Opens the file at index 1, no symbolic link, and pushes up to `limit` bytes from `offset`; below 0: the last ones. */
static int push_part(lua_State *L, lua_Integer offset, lua_Integer limit)
{
    const char *path = lua_tostring(L, 1);
    int *fd = sys_fd_new(L);
    *fd = fs_open_regular(path, O_NOFOLLOW);
    if (*fd < 0)
        return fail(L, -*fd, path);
    if (offset < 0) {
        off_t size = lseek(*fd, 0, SEEK_END);
        offset = size > limit ? size - limit : 0;
    }
    if (lseek(*fd, offset, SEEK_SET) < 0)
        return sys_fail(L, errno, "%s", path);
    int results = push_text(L, fd, path, (size_t)limit, false);
    if (results != 1)
        return results;
    lua_pushinteger(L, offset);
    return 2;
}

/* fs.read_at(path, offset, max_bytes) -> text ("" at the end), offset | nil, message, code. No symbolic link. */
static int l_read_at(lua_State *L)
{
    sys_check_path(L, 1);
    lua_Integer offset = luaL_checkinteger(L, 2), limit = luaL_checkinteger(L, 3);
    luaL_argcheck(L, offset >= 0, 2, "0 or more bytes");
    luaL_argcheck(L, limit > 0 && limit <= MOST_BYTES, 3, "1 byte to 1 GiB");
    return push_part(L, offset, limit);
}

/* fs.tail(path, max_bytes) -> the last bytes, the offset where they begin | nil, message, code. No symbolic link. */
static int l_tail(lua_State *L)
{
    sys_check_path(L, 1);
    lua_Integer limit = luaL_checkinteger(L, 2);
    luaL_argcheck(L, limit > 0 && limit <= MOST_BYTES, 2, "1 byte to 1 GiB");
    return push_part(L, -1, limit);
}

/* fs.open(path [, {read, write, append, create, exclusive, truncate, directory, nofollow = false, mode = 0600}])
 * -> sys.fd | nil, message, code. Reads unless only write or append is asked for; does not block. A file it creates
 * gets `mode`; where a symbolic link leads, none is created ("ENOENT"). */
static int l_open(lua_State *L)
{
    static const struct { const char *name; int flag; } flags[] = {
        { "append", O_APPEND }, { "create", O_CREAT }, { "exclusive", O_EXCL }, { "truncate", O_TRUNC },
        { "directory", O_DIRECTORY }, { "nofollow", O_NOFOLLOW },
    };
    const char *path = sys_check_path(L, 1);
    check_options(L, 2, (const char *const[]){ "read", "write", "append", "create", "exclusive", "truncate",
                                               "directory", "nofollow", "mode", NULL });
    bool writes = sys_option_boolean(L, 2, "write", false) || sys_option_boolean(L, 2, "append", false);
    bool reads = sys_option_boolean(L, 2, "read", !writes);
    int wanted = O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (!writes ? O_RDONLY : reads ? O_RDWR : O_WRONLY);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (sys_option_boolean(L, 2, flags[i].name, false))
            wanted |= flags[i].flag;
    mode_t mode = option_mode(L, 2, 0600);
    int *slot = sys_fd_new(L), fd = fs_open_exact(path, wanted, mode);
    *slot = fd < 0 ? -1 : fd;
    return fd < 0 ? sys_fail(L, -fd, "%s", path) : 1;
}

/* fs.open_beneath(directory, relative_path [, {directory = false}]) -> sys.fd for reading | nil, message, code
 * "EXDEV": the path leads out. */
static int l_open_beneath(lua_State *L)
{
    const char *directory = sys_check_path(L, 1), *relative = sys_check_path(L, 2);
    check_options(L, 3, (const char *const[]){ "directory", NULL });
    int flags = O_RDONLY | (sys_option_boolean(L, 3, "directory", false) ? O_DIRECTORY : 0);
    int *slot = sys_fd_new(L);
    return keep_fd(L, slot, fs_open_beneath(directory, relative, flags), relative);
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

/* fs.write_atomic(path, text [, {mode = 0600, sync = true}]) -> true | nil, message, code
 * The file has its old or its new contents, through power loss when `sync`. Replaces a symbolic link, never follows it.
 * Works in ".<16 hex digits>.tmp" beside it, which only a killed process leaves behind. */
static int l_write_atomic(lua_State *L)
{
    size_t length;
    const char *path = sys_check_path(L, 1), *text = luaL_checklstring(L, 2, &length);
    check_options(L, 3, (const char *const[]){ "mode", "sync", NULL });
    mode_t mode = option_mode(L, 3, 0600);
    bool sync = sys_option_boolean(L, 3, "sync", true);
    return finish(L, fs_write_atomic(path, text, length, mode, sync), path);
}

/* fs.append(path, text [, {mode = 0600}]) -> true | nil, message, code
 * One write at the end, so that the lines of several processes do not mix. Creates the file with `mode`; no
 * symbolic link ("ELOOP"), regular files only. */
static int l_append(lua_State *L)
{
    size_t length;
    const char *path = sys_check_path(L, 1), *text = luaL_checklstring(L, 2, &length);
    check_options(L, 3, (const char *const[]){ "mode", NULL });
    int result = fs_append(path, text, length, option_mode(L, 3, 0600));
    return result < 0 ? fail(L, -result, path) : finish(L, 0, path);
}

/* fs.copy(from, to [, {mode = 0600, sync = true}]) -> size in bytes | nil, message, code
 * Atomic as write_atomic; shares blocks where it can, keeps holes. */
static int l_copy(lua_State *L)
{
    const char *from = sys_check_path(L, 1), *to = sys_check_path(L, 2);
    check_options(L, 3, (const char *const[]){ "mode", "sync", NULL });
    mode_t mode = option_mode(L, 3, 0600);
    long long size = fs_copy(from, to, mode, sys_option_boolean(L, 3, "sync", true));
    if (size == -EINVAL)
        return fail(L, EINVAL, from);
    if (size < 0)
        return sys_fail(L, (int)-size, "copying %s to %s", from, to);
    lua_pushinteger(L, size);
    return 1;
}

/* fs.copy_part(from_fd, to_fd, offset [, max_bytes = 4 MiB]) -> offset behind it | nil, message, code
 * What a file has from there on, to the same place of another one; holes are passed over. All of it is there, holes at the end
 * too, when `offset` itself comes back: a task that copies a large file yields after each. "EBUSY": it became shorter. */
static int l_copy_part(lua_State *L)
{
    int from = sys_fd_check(L, 1), to = sys_fd_check(L, 2);
    lua_Integer at = luaL_checkinteger(L, 3), most = luaL_optinteger(L, 4, COPY_SLICE_BYTES);
    luaL_argcheck(L, at >= 0, 3, "0 or more bytes");
    luaL_argcheck(L, most > 0, 4, "at least one byte must be asked for");
    off_t next = fs_copy_part(from, to, at, most);
    if (next < 0)
        return sys_fail(L, (int)-next, "copying");
    lua_pushinteger(L, next);
    return 1;
}

/* fs.truncate(path, size_bytes) -> true | nil, message, code. No symbolic link, regular files only. */
static int l_truncate(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    lua_Integer size = luaL_checkinteger(L, 2);
    luaL_argcheck(L, size >= 0, 2, "0 or more bytes");
    int result = fs_truncate(path, size);
    return result < 0 ? fail(L, -result, path) : finish(L, 0, path);
}

/* fs.sync(path) -> true | nil, message, code. To the disk, whoever wrote it; regular files, no symbolic link. */
static int l_sync(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    int result = fs_sync(path);
    return result < 0 ? fail(L, -result, path) : finish(L, 0, path);
}

/* fs.mkdir_all(path [, mode = 0700]) -> true | nil, message, code. What it makes gets `mode`; what is there stays. */
static int l_mkdir_all(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    lua_Integer mode = luaL_optinteger(L, 2, 0700);
    luaL_argcheck(L, mode >= 0 && mode <= MODE_MASK, 2, "not a mode");
    return finish(L, fs_make_all(path, (mode_t)mode), path);
}

/* fs.rename(from, to [, {sync = false, replace = true}]) -> true | nil, message, code ("EEXIST" unless replace) */
static int l_rename(lua_State *L)
{
    const char *from = sys_check_path(L, 1), *to = sys_check_path(L, 2);
    check_options(L, 3, (const char *const[]){ "sync", "replace", NULL });
    bool replace = sys_option_boolean(L, 3, "replace", true), sync = sys_option_boolean(L, 3, "sync", false);
    int result = fs_rename(from, to, replace, sync);
    return result < 0 ? sys_fail(L, -result, "renaming %s to %s", from, to) : finish(L, 0, from);
}

/* fs.remove(path) -> true | nil, message, code. A file, a symbolic link itself, or an empty directory. */
static int l_remove(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    return finish(L, fs_remove(path), path);
}

/* fs.remove_tree(path) -> true, also when nothing is there | nil, message, code
 * Follows no symbolic link. "EXDEV": something is mounted in it, which stays untouched. */
static int l_remove_tree(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    int result = fs_remove_tree(path);
    return result == -EXDEV ? sys_refuse(L, "EXDEV", "%s: another file system is mounted in it", path)
                            : finish(L, result, path);
}

/* fs.link(from, to), fs.symlink(target, path) -> true | nil, message, code. link does not follow `from`. */
static int l_link(lua_State *L)
{
    const char *from = sys_check_path(L, 1), *to = sys_check_path(L, 2);
    return finish(L, link(from, to) < 0 ? -errno : 0, to);
}

static int l_symlink(lua_State *L)
{
    const char *target = sys_check_path(L, 1), *path = sys_check_path(L, 2);
    return finish(L, symlink(target, path) < 0 ? -errno : 0, path);
}

/* fs.chmod(path, mode) -> true | nil, message, code ("ELOOP": a symbolic link) */
static int l_chmod(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    lua_Integer mode = luaL_checkinteger(L, 2);
    luaL_argcheck(L, mode >= 0 && mode <= MODE_MASK, 2, "not a mode");
    return finish(L, fs_chmod(path, (mode_t)mode), path);
}

/* fs.chown(path, uid, gid) -> true | nil, message, code. A symbolic link is changed itself; -1 leaves one as it is. */
static int l_chown(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    lua_Integer uid = luaL_checkinteger(L, 2), gid = luaL_checkinteger(L, 3);
    luaL_argcheck(L, uid >= -1 && uid < UINT32_MAX, 2, "not a user id");
    luaL_argcheck(L, gid >= -1 && gid < UINT32_MAX, 3, "not a group id");
    return finish(L, lchown(path, (uid_t)uid, (gid_t)gid) < 0 ? -errno : 0, path);
}

/* -- tables -------------------------------------------------------------------------------------------------------- */

static const luaL_Reg fs_functions[] = {
    { "read", l_read },           { "read_beneath", l_read_beneath }, { "read_at", l_read_at },
    { "tail", l_tail },           { "open", l_open },                 { "open_beneath", l_open_beneath },
    { "copy", l_copy },           { "write_atomic", l_write_atomic }, { "append", l_append },
    { "truncate", l_truncate },   { "mkdir_all", l_mkdir_all },       { "rename", l_rename },
    { "sync", l_sync },           { "copy_part", l_copy_part },
    { "remove", l_remove },       { "remove_tree", l_remove_tree },   { "link", l_link },
    { "symlink", l_symlink },     { "chmod", l_chmod },               { "chown", l_chown },
    { NULL, NULL },
};

int luaopen_sys_fs(lua_State *L)
{
    luaL_newlib(L, fs_functions);
    luaopen_sys_look(L);
    luaopen_sys_watch(L);
    lua_setfield(L, -2, "watch");
    return 1;
}
