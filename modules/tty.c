/* sys.tty: is it a terminal, how large, raw mode and back. */
#include <sys/ioctl.h>
#include <termios.h>

#include "sys.h"

#define GUARD "sys.tty.guard"

struct guard {
    int fd; /* -1 once the modes are restored */
    struct termios before;
};

/* tty.is_terminal(fd) -> boolean */
static int l_is_terminal(lua_State *L)
{
    lua_pushboolean(L, isatty(sys_fd_check(L, 1)));
    return 1;
}

/* tty.size(fd) -> columns, rows | nil, message, code */
static int l_size(lua_State *L)
{
    struct winsize size;
    if (ioctl(sys_fd_check(L, 1), TIOCGWINSZ, &size) < 0)
        return sys_fail(L, errno, "terminal size");
    lua_pushinteger(L, size.ws_col);
    lua_pushinteger(L, size.ws_row);
    return 2;
}

/* Raw mode as cfmakeraw(3) has it: every key arrives as it is, nothing is echoed. */
static int make_raw(int fd, struct termios *before)
{
    if (tcgetattr(fd, before) < 0)
        return -errno;
    struct termios raw = *before;
    cfmakeraw(&raw);
    return tcsetattr(fd, TCSADRAIN, &raw) < 0 ? -errno : 0;
}

/* tty.raw(fd) -> guard | nil, message, code. The modes come back by guard:close(), <close> or the collector. */
static int l_raw(lua_State *L)
{
    int fd = sys_fd_check(L, 1);
    struct guard *guard = lua_newuserdatauv(L, sizeof *guard, 0);
    guard->fd = -1;
    luaL_setmetatable(L, GUARD);
    int failure = make_raw(fd, &guard->before);
    if (failure < 0)
        return sys_fail(L, -failure, "terminal");
    guard->fd = fd;
    return 1;
}

/* guard:close() -> true | nil, message, code. Idempotent. */
static int l_restore(lua_State *L)
{
    struct guard *guard = luaL_checkudata(L, 1, GUARD);
    int fd = sys_steal_fd(&guard->fd);
    if (fd >= 0 && tcsetattr(fd, TCSADRAIN, &guard->before) < 0)
        return sys_fail(L, errno, "terminal");
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg tty_functions[] = {
    { "is_terminal", l_is_terminal }, { "size", l_size }, { "raw", l_raw }, { NULL, NULL },
};
static const luaL_Reg guard_methods[] = { { "close", l_restore }, { NULL, NULL } };
static const luaL_Reg guard_meta[] = { { "__gc", l_restore }, { "__close", l_restore }, { NULL, NULL } };

int luaopen_sys_tty(lua_State *L)
{
    luaL_newmetatable(L, GUARD);
    luaL_setfuncs(L, guard_meta, 0);
    luaL_newlib(L, guard_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, tty_functions);
    return 1;
}
