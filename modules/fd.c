/* sys.fd: an open descriptor as a value, with reads and writes that never block a task. */
#include "sys.h"

#include <fcntl.h>
#include <string.h>

int luaopen_sys_fd(lua_State *L);

/* One read hands out at most this much, whatever is asked for. */
#define READ_LIMIT_BYTES (1 << 20)
enum { ZEROS_BLOCK_BYTES = 128 * 1024 }; /* one read of skip_zeros */

int *sys_fd_new(lua_State *L)
{
    /* Other primitives give descriptors before anybody asked for sys.fd. */
    if (luaL_getmetatable(L, SYS_FD) == LUA_TNIL) {
        luaL_requiref(L, SYS_FD, luaopen_sys_fd, false);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
    *fd = -1;
    luaL_setmetatable(L, SYS_FD);
    return fd;
}

int sys_fd_check(lua_State *L, int index)
{
    int is_integer = 0;
    lua_Integer number = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &is_integer) : 0;
    if (is_integer) {
        luaL_argcheck(L, number >= 0 && number <= INT32_MAX, index, "not a descriptor number");
        return (int)number;
    }
    const int *fd = luaL_checkudata(L, index, SYS_FD);
    luaL_argcheck(L, *fd >= 0, index, "closed");
    return *fd;
}

int sys_option_fd(lua_State *L, int index, const char *name)
{
    int fd = -1;
    if (lua_getfield(L, index, name) != LUA_TNIL)
        fd = sys_fd_check(L, lua_gettop(L));
    lua_pop(L, 1);
    return fd;
}

/* fd:fileno() -> the descriptor's number */
static int l_fileno(lua_State *L)
{
    lua_pushinteger(L, sys_fd_check(L, 1));
    return 1;
}

/* fd:is_open() -> boolean */
static int l_is_open(lua_State *L)
{
    const int *fd = luaL_checkudata(L, 1, SYS_FD);
    lua_pushboolean(L, *fd >= 0);
    return 1;
}

/* fd:close() -> true | nil, message, code. Idempotent; also __close and __gc. */
static int l_close(lua_State *L)
{
    int *fd = luaL_checkudata(L, 1, SYS_FD);
    int number = sys_steal_fd(fd);
    /* EINTR from close has closed the descriptor on Linux: never repeated. */
    if (number >= 0 && close(number) < 0 && errno != EINTR)
        return sys_fail(L, errno, "close");
    lua_pushboolean(L, true);
    return 1;
}

/* fd:dup() -> another sys.fd for the same open file | nil, message, code */
static int l_dup(lua_State *L)
{
    int from = sys_fd_check(L, 1);
    int *copy = sys_fd_new(L);
    *copy = fcntl(from, F_DUPFD_CLOEXEC, 3);
    return *copy < 0 ? sys_fail(L, errno, "dup") : 1;
}

/* fd:try_read(max_bytes) -> text, "" at the end | nil, "EAGAIN", "r" | nil, message, code */
static int l_try_read(lua_State *L)
{
    int fd = sys_fd_check(L, 1);
    lua_Integer limit = luaL_checkinteger(L, 2);
    luaL_argcheck(L, limit > 0, 2, "at least one byte must be asked for");
    if (limit > READ_LIMIT_BYTES)
        limit = READ_LIMIT_BYTES;
    luaL_Buffer buffer;
    char *space = luaL_buffinitsize(L, &buffer, (size_t)limit);
    ssize_t got = read(fd, space, (size_t)limit);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? sys_again(L, "r") : sys_fail(L, errno, "read");
    luaL_pushresultsize(&buffer, (size_t)got);
    return 1;
}

/* fd:try_write(text [, from = 1]) -> bytes written | nil, "EAGAIN", "w" | nil, message, code
 * `from` is the index of the first byte to write, so that a caller can go on where it stopped. */
static int l_try_write(lua_State *L)
{
    int fd = sys_fd_check(L, 1);
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    luaL_argcheck(L, from >= 1 && (size_t)from <= length + 1, 3, "out of the text");
    ssize_t put = write(fd, text + from - 1, length - (size_t)(from - 1));
    if (put < 0)
        return errno == EAGAIN || errno == EINTR ? sys_again(L, "w") : sys_fail(L, errno, "write");
    lua_pushinteger(L, put);
    return 1;
}

/* fd:sync() -> true when what was written is on the disk | nil, message, code. Takes as long as the disk does. */
static int l_sync(lua_State *L)
{
    if (fsync(sys_fd_check(L, 1)) < 0)
        return sys_fail(L, errno, "fsync");
    lua_pushboolean(L, true);
    return 1;
}

static size_t leading_zeros(const unsigned char *bytes, size_t length)
{
    size_t at = 0;
    for (uint64_t words[8]; at + sizeof words <= length; at += sizeof words) {
        memcpy(words, bytes + at, sizeof words);
        if (words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7])
            break;
    }
    while (at < length && !bytes[at])
        at++;
    return at;
}

/* Where something may have been written at or after `at`: all of it where holes are unknown, as on block devices. What
 * is behind the end of a file is no hole. */
static off_t next_data(int fd, off_t at, off_t end)
{
    off_t found = lseek(fd, at, SEEK_DATA);
    if (found < 0 && errno == ENXIO && lseek(fd, 0, SEEK_END) >= end)
        return end;
    return found < 0 ? at : found < end ? found : end;
}

/* One block at `at`: how many of its bytes are zeros, and in `length` how many were read. */
static ssize_t zeros_of_block(int fd, off_t at, off_t end, ssize_t *length)
{
    unsigned char block[ZEROS_BLOCK_BYTES];
    size_t wanted = end - at < ZEROS_BLOCK_BYTES ? (size_t)(end - at) : ZEROS_BLOCK_BYTES;
    do
        *length = pread(fd, block, wanted, at);
    while (*length < 0 && errno == EINTR);
    if (*length == 0)
        errno = ENODATA;
    return *length <= 0 ? -1 : (ssize_t)leading_zeros(block, (size_t)*length);
}

/* fd:skip_zeros(from, to, max_bytes) -> offset, has_found, bytes read | nil, message, code
 * The offset of the first byte from `from` on, and before `to`, that is not zero; when has_found is false, how far it
 * looked, `to` at most. Holes of files are not read and do not count into max_bytes. "ENODATA": it ends before `to`. */
static int l_skip_zeros(lua_State *L)
{
    int fd = sys_fd_check(L, 1);
    off_t at = luaL_checkinteger(L, 2), end = luaL_checkinteger(L, 3);
    lua_Integer limit = luaL_checkinteger(L, 4), done = 0;
    luaL_argcheck(L, at >= 0, 2, "0 or more bytes");
    luaL_argcheck(L, limit > 0, 4, "at least one byte must be asked for");
    bool has_found = false;
    while (!has_found && done < limit && at < end && (at = next_data(fd, at, end)) < end) {
        ssize_t length, zeros = zeros_of_block(fd, at, end, &length);
        if (zeros < 0)
            return sys_fail(L, errno, "read");
        has_found = zeros < length;
        at += zeros;
        done += length;
    }
    lua_pushinteger(L, at);
    lua_pushboolean(L, has_found);
    lua_pushinteger(L, done);
    return 3;
}

/* fd.nonblocking(fd, on) -> true | nil, message, code. Sets O_NONBLOCK on the open file. */
static int l_nonblocking(lua_State *L)
{
    int fd = sys_fd_check(L, 1);
    int flags = fcntl(fd, F_GETFL);
    int wanted = lua_toboolean(L, 2) ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (flags < 0 || fcntl(fd, F_SETFL, wanted) < 0)
        return sys_fail(L, errno, "fcntl");
    lua_pushboolean(L, true);
    return 1;
}

/* fd.pipe() -> reader, writer | nil, message, code. Both close on exec and do not block. */
static int l_pipe(lua_State *L)
{
    int *reader = sys_fd_new(L), *writer = sys_fd_new(L);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return sys_fail(L, errno, "pipe");
    *reader = ends[0];
    *writer = ends[1];
    return 2;
}

/* fd.standard(number) -> a sys.fd of its own for descriptor 0, 1 or 2 | nil, message, code */
static int l_standard(lua_State *L)
{
    lua_Integer number = luaL_checkinteger(L, 1);
    luaL_argcheck(L, number >= 0 && number <= 2, 1, "not a standard descriptor");
    int *copy = sys_fd_new(L);
    *copy = fcntl((int)number, F_DUPFD_CLOEXEC, 3);
    return *copy < 0 ? sys_fail(L, errno, "standard descriptor %d", (int)number) : 1;
}

static const luaL_Reg fd_functions[] = {
    { "pipe", l_pipe }, { "nonblocking", l_nonblocking }, { "standard", l_standard }, { NULL, NULL },
};
static const luaL_Reg fd_methods[] = {
    { "fileno", l_fileno }, { "is_open", l_is_open },   { "close", l_close },         { "dup", l_dup },
    { "try_read", l_try_read }, { "try_write", l_try_write }, { "sync", l_sync },
    { "skip_zeros", l_skip_zeros },
    { NULL, NULL },
};
static const luaL_Reg fd_meta[] = { { "__gc", l_close }, { "__close", l_close }, { NULL, NULL } };

int luaopen_sys_fd(lua_State *L)
{
    luaL_newmetatable(L, SYS_FD);
    luaL_setfuncs(L, fd_meta, 0);
    luaL_newlib(L, fd_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, fd_functions);
    return 1;
}
