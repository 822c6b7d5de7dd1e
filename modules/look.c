/* The part of sys.fs that only looks: stat, lstat, list, readlink, realpath, space. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fs.h"
#include "sys.h"

#define LISTING "sys.fs.listing"

int luaopen_sys_look(lua_State *L);

static const char *type_name(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "symlink";
    case S_IFSOCK: return "socket";
    case S_IFIFO: return "fifo";
    case S_IFBLK: return "block";
    case S_IFCHR: return "char";
    default: return "unknown";
    }
}

/* Nanoseconds after 1970, or as near to that as 64 bits come: any owner of a file can give it any time. */
static lua_Integer nanoseconds(struct timespec time)
{
    long long result;
    if (__builtin_mul_overflow((long long)time.tv_sec, 1000000000LL, &result) ||
        __builtin_add_overflow(result, (long long)time.tv_nsec, &result))
        return time.tv_sec < 0 ? LUA_MININTEGER : LUA_MAXINTEGER;
    return result;
}

/* The same for all names of a file, and for all nodes of a device. */
static void push_id(lua_State *L, const struct stat *status)
{
    char id[64];
    if (S_ISBLK(status->st_mode) || S_ISCHR(status->st_mode))
        snprintf(id, sizeof id, "%s:%llx", type_name(status->st_mode), (unsigned long long)status->st_rdev);
    else
        snprintf(id, sizeof id, "%llx:%llx", (unsigned long long)status->st_dev, (unsigned long long)status->st_ino);
    lua_pushstring(L, id);
}

static int push_status(lua_State *L, const struct stat *status)
{
    const struct { const char *name; lua_Integer value; } fields[] = {
        { "size_bytes", status->st_size }, { "allocated_bytes", (lua_Integer)status->st_blocks * 512 },
        { "mode", status->st_mode & 07777 }, { "uid", status->st_uid }, { "gid", status->st_gid },
        { "mtime_ns", nanoseconds(status->st_mtim) }, { "device", (lua_Integer)status->st_dev },
        { "inode", (lua_Integer)status->st_ino }, { "links", (lua_Integer)status->st_nlink },
    };
    lua_createtable(L, 0, 11);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        lua_pushinteger(L, fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    lua_pushstring(L, type_name(status->st_mode));
    lua_setfield(L, -2, "type");
    push_id(L, status);
    lua_setfield(L, -2, "id");
    return 1;
}

/* fs.stat(path) and, for a symbolic link itself, fs.lstat(path) -> status | nil, message, code
 * status: {type="file|directory|symlink|socket|fifo|block|char", size_bytes, allocated_bytes, mode, uid, gid, mtime_ns,
 * device, inode, links, id = text, the same for all names of a file and all nodes of a device} */
static int l_stat(lua_State *L)
{
    struct stat status;
    const char *path = sys_check_path(L, 1);
    return stat(path, &status) < 0 ? sys_fail(L, errno, "%s", path) : push_status(L, &status);
}

static int l_lstat(lua_State *L)
{
    struct stat status;
    const char *path = sys_check_path(L, 1);
    return lstat(path, &status) < 0 ? sys_fail(L, errno, "%s", path) : push_status(L, &status);
}

/* fs.size(path) -> bytes, of a block device too, whose status says 0 | nil, message, code */
static int l_size(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), errnum = errno;
    off_t bytes = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (fd >= 0) {
        errnum = errno;
        close(fd);
    }
    if (bytes < 0)
        return sys_fail(L, errnum, "%s", path);
    lua_pushinteger(L, (lua_Integer)bytes);
    return 1;
}

/* fs.list(path) -> {{name=, type=as in fs.lstat or "unknown"}, …} by the bytes of the names | nil, message, code */
static int l_list(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    struct fs_listing *listing = lua_newuserdatauv(L, sizeof *listing, 0);
    *listing = (struct fs_listing){ 0 };
    luaL_setmetatable(L, LISTING); /* frees it whatever happens from here on */
    int result = fs_list(path, listing);
    if (result < 0)
        return sys_fail(L, -result, "%s", path);
    lua_createtable(L, listing->count < INT_MAX ? (int)listing->count : 0, 0);
    for (size_t i = 0; i < listing->count; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, listing->entries[i].name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, type_name(listing->entries[i].type));
        lua_setfield(L, -2, "type");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    fs_listing_free(listing);
    return 1;
}

static int l_listing_free(lua_State *L)
{
    fs_listing_free(luaL_checkudata(L, 1, LISTING));
    return 0;
}

/* fs.readlink(path) -> the target as it is written | nil, message, code ("EINVAL": no symbolic link) */
static int l_readlink(lua_State *L)
{
    char target[PATH_MAX];
    const char *path = sys_check_path(L, 1);
    ssize_t length = readlink(path, target, sizeof target);
    if (length < 0)
        return sys_fail(L, errno, "%s", path);
    lua_pushlstring(L, target, (size_t)length);
    return 1;
}

/* fs.realpath(path) -> absolute path without symbolic links | nil, message, code */
static int l_realpath(lua_State *L)
{
    char resolved[PATH_MAX];
    const char *path = sys_check_path(L, 1);
    if (!realpath(path, resolved))
        return sys_fail(L, errno, "%s", path);
    lua_pushstring(L, resolved);
    return 1;
}

/* fs.space(path) -> {free_bytes = for this user, total_bytes} of its file system | nil, message, code */
static int l_space(lua_State *L)
{
    struct statvfs status;
    const char *path = sys_check_path(L, 1);
    if (statvfs(path, &status) < 0)
        return sys_fail(L, errno, "%s", path);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, (lua_Integer)status.f_bavail * (lua_Integer)status.f_frsize);
    lua_setfield(L, -2, "free_bytes");
    lua_pushinteger(L, (lua_Integer)status.f_blocks * (lua_Integer)status.f_frsize);
    lua_setfield(L, -2, "total_bytes");
    return 1;
}

static const luaL_Reg look_functions[] = {
    { "stat", l_stat },         { "lstat", l_lstat },       { "list", l_list },
    { "readlink", l_readlink }, { "realpath", l_realpath }, { "size", l_size },
    { "space", l_space },
    { NULL, NULL },
};

/* Adds the functions to the table on top of the stack. */
int luaopen_sys_look(lua_State *L)
{
    luaL_newmetatable(L, LISTING);
    lua_pushcfunction(L, l_listing_free);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, look_functions, 0);
    return 1;
}
