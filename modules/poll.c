/* sys.poll: waiting for descriptors. Stateless: the caller brings the whole list each time. */
#include "sys.h"

#include <limits.h>
#include <poll.h>
#include <string.h>

static short events_of(const char *direction)
{
    if (!strcmp(direction, "r"))
        return POLLIN;
    if (!strcmp(direction, "w"))
        return POLLOUT;
    return strcmp(direction, "rw") ? 0 : POLLIN | POLLOUT;
}

/* Reads pair `position` (1-based) of the flat list at index 1. */
static struct pollfd read_pair(lua_State *L, lua_Integer position)
{
    struct pollfd entry = { .fd = -1 };
    lua_rawgeti(L, 1, 2 * position - 1);
    lua_rawgeti(L, 1, 2 * position);
    entry.fd = sys_fd_check(L, lua_gettop(L) - 1);
    const char *direction = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    entry.events = events_of(direction);
    if (!entry.events)
        luaL_error(L, "pair %I: the direction is 'r', 'w' or 'rw'", position);
    lua_pop(L, 2);
    return entry;
}

/* poll.wait(list, timeout_ms) -> ready | nil, message, code
 * list: {fd, "r"|"w"|"rw", fd, direction, …}. ready: the 1-based positions of the pairs that can be acted upon,
 * ascending; errors and hang-ups count, so that the caller's next call tells. timeout_ms: -1 waits for ever. Empty after
 * the time or a signal. */
static int l_wait(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer timeout_ms = luaL_checkinteger(L, 2);
    luaL_argcheck(L, timeout_ms >= -1, 2, "-1 or more milliseconds");
    lua_Integer length = (lua_Integer)lua_rawlen(L, 1);
    luaL_argcheck(L, length % 2 == 0 && length <= INT_MAX, 1, "pairs of descriptor and direction");
    nfds_t count = (nfds_t)(length / 2);
    struct pollfd *entries = lua_newuserdatauv(L, (count + 1) * sizeof *entries, 0);
    for (nfds_t i = 0; i < count; i++)
        entries[i] = read_pair(L, (lua_Integer)i + 1);
    int ready = poll(entries, count, timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms);
    if (ready < 0 && errno != EINTR)
        return sys_fail(L, errno, "poll");
    lua_createtable(L, ready > 0 ? ready : 0, 0);
    lua_Integer filled = 0;
    for (nfds_t i = 0; ready > 0 && i < count; i++) {
        if (!entries[i].revents)
            continue;
        lua_pushinteger(L, (lua_Integer)i + 1);
        lua_rawseti(L, -2, ++filled);
    }
    return 1;
}

static const luaL_Reg poll_functions[] = { { "wait", l_wait }, { NULL, NULL } };

int luaopen_sys_poll(lua_State *L)
{
    luaL_newlib(L, poll_functions);
    return 1;
}
