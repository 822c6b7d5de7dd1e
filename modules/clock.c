/* sys.clock: the time that passes and the time of day. */
#include "sys.h"

#include <stdio.h>
#include <time.h>

static lua_Integer milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now); /* cannot fail: both clocks exist on every Linux that has openat2 */
    return (lua_Integer)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* clock.monotonic_ms() -> milliseconds since boot. Goes on while the host sleeps, never jumps back. */
static int l_monotonic_ms(lua_State *L)
{
    lua_pushinteger(L, milliseconds(CLOCK_BOOTTIME));
    return 1;
}

/* clock.utc_ms() -> milliseconds since 1970-01-01T00:00:00Z. May jump either way. */
static int l_utc_ms(lua_State *L)
{
    lua_pushinteger(L, milliseconds(CLOCK_REALTIME));
    return 1;
}

/* clock.iso(utc_ms) -> "2026-11-21T01:02:03Z", rounded down to the second. Years 0 to 9999. */
static int l_iso(lua_State *L)
{
    lua_Integer utc_ms = luaL_checkinteger(L, 1);
    time_t seconds = (time_t)(utc_ms / 1000 - (utc_ms % 1000 < 0));
    struct tm date;
    if (!gmtime_r(&seconds, &date) || date.tm_year < -1900 || date.tm_year > 9999 - 1900)
        return luaL_argerror(L, 1, "out of the years 0 to 9999");
    char text[80];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", date.tm_year + 1900, date.tm_mon + 1, date.tm_mday,
             date.tm_hour, date.tm_min, date.tm_sec);
    lua_pushstring(L, text);
    return 1;
}

static const luaL_Reg clock_functions[] = {
    { "monotonic_ms", l_monotonic_ms }, { "utc_ms", l_utc_ms }, { "iso", l_iso }, { NULL, NULL },
};

int luaopen_sys_clock(lua_State *L)
{
    luaL_newlib(L, clock_functions);
    return 1;
}
