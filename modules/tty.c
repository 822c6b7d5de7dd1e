/* sys.tty: the terminal at a descriptor: whether it is one, its size, raw mode and back. */
#include "sys.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#define RAW "sys.tty.raw"

struct raw_mode {
    int fd; /* our own copy, so that the terminal can be restored whatever the caller closed */
    struct termios before;
};

/* -- mechanism ----------------------------------------------------------------------------------------------------- */

static int enter_raw(int fd, struct raw_mode *raw)
{
    struct termios wanted;
    if (tcgetattr(fd, &raw->before) < 0)
        return -errno;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return -errno;
    wanted = raw->before;
    cfmakeraw(&wanted);
    /* At once: waiting for output to drain would hang on a terminal that was stopped with ^S. */
    if (tcsetattr(copy, TCSANOW, &wanted) < 0) {
        int error = errno;
        close(copy);
        return -error;
    }
    raw->fd = copy;
    return 0;
}

static int leave_raw(struct raw_mode *raw)
{
    int fd = sys_steal_fd(&raw->fd);
    if (fd < 0)
        return 0;
    /* A process in the background would be stopped for touching the terminal, unless it blocks SIGTTOU. */
    sigset_t ttou, before;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    sigprocmask(SIG_BLOCK, &ttou, &before);
    int result = tcsetattr(fd, TCSANOW, &raw->before) < 0 ? -errno : 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(fd);
    return result;
}

/* -- binding ------------------------------------------------------------------------------------------------------- */

/* tty.is_terminal(fd) -> boolean */
static int l_is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty(sys_fd_check(L, 1)));
    return 1;
}

/* tty.size(fd) -> columns, rows | nil, message, code ("ENOTTY": no terminal; "ENODATA": one that does not know) */
static int l_size(lua_State *L)
{
    struct winsize size;
    if (ioctl(sys_fd_check(L, 1), TIOCGWINSZ, &size) < 0)
        return sys_fail(L, errno, "terminal size");
    if (size.ws_col == 0 || size.ws_row == 0)
        return sys_refuse(L, "ENODATA", "terminal size: unknown");
    lua_pushinteger(L, size.ws_col);
    lua_pushinteger(L, size.ws_row);
    return 2;
}

/* tty.raw(fd) -> guard | nil, message, code ("ENOTTY")
 * Every key arrives as it is typed, unseen, and none sends a signal, until guard:restore(), __close or __gc. */
static int l_raw(lua_State *L)
{
    int fd = sys_fd_check(L, 1);
    struct raw_mode *raw = lua_newuserdatauv(L, sizeof *raw, 0);
    raw->fd = -1;
    luaL_setmetatable(L, RAW);
    int result = enter_raw(fd, raw);
    return result < 0 ? sys_fail(L, -result, "terminal") : 1;
}

/* guard:restore(), guard:close() -> true | nil, message, code ("EIO": the terminal is gone). Idempotent. */
static int l_restore(lua_State *L)
{
    int result = leave_raw(luaL_checkudata(L, 1, RAW));
    if (result < 0)
        return sys_fail(L, -result, "terminal");
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg tty_functions[] = {
    { "is_terminal", l_is_terminal }, { "size", l_size }, { "raw", l_raw }, { NULL, NULL },
};
static const luaL_Reg raw_methods[] = { { "restore", l_restore }, { "close", l_restore }, { NULL, NULL } };
static const luaL_Reg raw_meta[] = { { "__gc", l_restore }, { "__close", l_restore }, { NULL, NULL } };

int luaopen_sys_tty(lua_State *L)
{
    luaL_newmetatable(L, RAW);
    luaL_setfuncs(L, raw_meta, 0);
    luaL_newlib(L, raw_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, tty_functions);
    return 1;
}
