/* sys.lock: one holder at a time among processes, by flock(2) on a file that stays.
 *
 * A waiter is woken by inotify on the lock file: a holder that lets go touches it, one that is killed has it closed.
 * The kernel tells of that close just *before* it drops the lock, so a waiter looks again now and then as well. */
#include "fs.h"
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define LOCK "sys.lock"
enum { OWNER_LIMIT_BYTES = 4096 };

struct lock {
    int file;
    int watch; /* inotify, only while this lock is waited for: there are few instances per user */
    bool held;
};

/* -- mechanism ----------------------------------------------------------------------------------------------------- */

/* For writing, or else closing it would not be a close_write to those who wait. */
static int open_file(const char *path)
{
    struct stat status;
    int fd = fs_open_exact(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0)
        return fd;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    close(fd);
    return -EINVAL;
}

/* The watch goes to the open file itself, whatever its path names by now. */
static int start_watch(struct lock *lock)
{
    char path[40];
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return -errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", lock->file);
    if (inotify_add_watch(fd, path, IN_CLOSE_WRITE | IN_ATTRIB) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    lock->watch = fd;
    return 0;
}

static void stop_watch(struct lock *lock)
{
    int fd = sys_steal_fd(&lock->watch);
    if (fd >= 0)
        close(fd);
}

static void drain_watch(const struct lock *lock)
{
    _Alignas(struct inotify_event) char events[4096];
    while (read(lock->watch, events, sizeof events) > 0)
        ;
}

static int try_flock(const struct lock *lock)
{
    int result;
    do {
        result = flock(lock->file, LOCK_EX | LOCK_NB);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

/* 0 when held. -EAGAIN: another holds it, the watch tells of changes from now on. -ESTALE: the file was removed. */
static int take(struct lock *lock)
{
    if (lock->watch >= 0)
        drain_watch(lock);
    int result = try_flock(lock);
    if (result == -EAGAIN && lock->watch < 0) {
        result = start_watch(lock);
        if (!result) /* it may have been let go just before the watch began */
            result = try_flock(lock);
    }
    if (result < 0)
        return result;
    struct stat status;
    if (fstat(lock->file, &status) < 0 || status.st_nlink == 0) {
        flock(lock->file, LOCK_UN);
        return -ESTALE;
    }
    stop_watch(lock);
    lock->held = true;
    return 0;
}

/* Unlocks by name, not only by closing: a child between fork and exec still has a copy of the descriptor. The new time,
 * set when the lock is free, is what wakes the others. */
static void let_go(struct lock *lock)
{
    int fd = sys_steal_fd(&lock->file);
    stop_watch(lock);
    if (fd < 0)
        return;
    if (lock->held) {
        /* An owner's name that stays does no harm: it is only shown while the lock is held. */
        (void)!ftruncate(fd, 0);
        flock(fd, LOCK_UN);
        futimens(fd, NULL);
        lock->held = false;
    }
    close(fd);
}

static int write_owner(const struct lock *lock, const char *text, size_t length)
{
    ssize_t put = pwrite(lock->file, text, length, 0);
    if (put < 0 || ftruncate(lock->file, put) < 0)
        return -errno;
    return (size_t)put == length ? 0 : -ENOSPC;
}

/* -- binding ------------------------------------------------------------------------------------------------------- */

static struct lock *check_lock(lua_State *L)
{
    struct lock *lock = luaL_checkudata(L, 1, LOCK);
    luaL_argcheck(L, lock->file >= 0, 1, "closed");
    return lock;
}

/* lock.open(path) -> lock, not held | nil, message, code
 * Makes the file (0600) when it is missing. "ELOOP": a symbolic link; "EINVAL" and others: no regular file. */
static int l_open(lua_State *L)
{
    const char *path = sys_check_path(L, 1);
    struct lock *lock = lua_newuserdatauv(L, sizeof *lock, 0);
    *lock = (struct lock){ .file = -1, .watch = -1 };
    luaL_setmetatable(L, LOCK);
    int fd = open_file(path);
    if (fd == -EINVAL)
        return sys_refuse(L, "EINVAL", "%s: not a regular file", path);
    if (fd < 0)
        return sys_fail(L, -fd, "%s", path);
    lock->file = fd;
    return 1;
}

/* lock:try_take() -> true | nil, "EAGAIN", "r" | nil, message, code
 * Also true when it is held already. After EAGAIN fileno() becomes readable when it may be free; try again then, and
 * now and then without being told. "ESTALE": somebody removed the file; open it anew. */
static int l_try_take(lua_State *L)
{
    struct lock *lock = check_lock(L);
    int result = lock->held ? 0 : take(lock);
    if (result == -EAGAIN)
        return sys_again(L, "r");
    if (result == -EMFILE)
        return sys_refuse(L, "EMFILE", "lock: too many open files or fs.inotify.max_user_instances too small");
    if (result < 0)
        return sys_fail(L, -result, "lock");
    lua_pushboolean(L, true);
    return 1;
}

/* lock:fileno() -> what to poll for reading; only between an EAGAIN and the next success of try_take */
static int l_fileno(lua_State *L)
{
    const struct lock *lock = check_lock(L);
    luaL_argcheck(L, lock->watch >= 0, 1, "not waiting");
    lua_pushinteger(L, lock->watch);
    return 1;
}

/* lock:write_owner(text) -> true | nil, message, code. Up to 4096 bytes for others to read; only while held. */
static int l_write_owner(lua_State *L)
{
    const struct lock *lock = check_lock(L);
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    luaL_argcheck(L, lock->held, 1, "not held");
    luaL_argcheck(L, length <= OWNER_LIMIT_BYTES, 2, "too long");
    int result = write_owner(lock, text, length);
    if (result < 0)
        return sys_fail(L, -result, "lock");
    lua_pushboolean(L, true);
    return 1;
}

/* lock:read_owner() -> what the holder wrote, "" when nobody did | nil, message, code */
static int l_read_owner(lua_State *L)
{
    char text[OWNER_LIMIT_BYTES];
    ssize_t got = pread(check_lock(L)->file, text, sizeof text, 0);
    if (got < 0)
        return sys_fail(L, errno, "lock");
    lua_pushlstring(L, text, (size_t)got);
    return 1;
}

/* lock:is_held() -> boolean */
static int l_is_held(lua_State *L)
{
    const struct lock *lock = luaL_checkudata(L, 1, LOCK);
    lua_pushboolean(L, lock->held);
    return 1;
}

/* lock:release(), lock:close() -> true. Lets go and closes; the file stays. Idempotent; also __close and __gc. */
static int l_release(lua_State *L)
{
    let_go(luaL_checkudata(L, 1, LOCK));
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg lock_functions[] = { { "open", l_open }, { NULL, NULL } };
static const luaL_Reg lock_methods[] = {
    { "try_take", l_try_take },       { "fileno", l_fileno },   { "write_owner", l_write_owner },
    { "read_owner", l_read_owner },   { "is_held", l_is_held }, { "release", l_release },
    { "close", l_release },           { NULL, NULL },
};
static const luaL_Reg lock_meta[] = { { "__gc", l_release }, { "__close", l_release }, { NULL, NULL } };

int luaopen_sys_lock(lua_State *L)
{
    luaL_newmetatable(L, LOCK);
    luaL_setfuncs(L, lock_meta, 0);
    luaL_newlib(L, lock_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, lock_functions);
    return 1;
}
