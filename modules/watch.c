/* fs.watch: being told of changes to files and directories (inotify). */
#include "sys.h"

#include <limits.h>
#include <string.h>
#include <sys/inotify.h>

#define WATCH "sys.watch"

int luaopen_sys_watch(lua_State *L);

struct watch {
    int fd;
    size_t at, end; /* what is left of the last read */
    _Alignas(struct inotify_event) char buffer[4096];
};

/* Each name asks for the events of its mask, and is reported for any of them. */
static const struct event_kind {
    const char *name;
    uint32_t mask;
} event_kinds[] = {
    { "modify", IN_MODIFY },
    { "close_write", IN_CLOSE_WRITE },
    { "create", IN_CREATE },
    { "delete", IN_DELETE | IN_DELETE_SELF },
    { "move", IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF },
    { "attributes", IN_ATTRIB },
    /* Reported unasked: the watch is gone; events were lost, so look at everything again. */
    { "ignored", IN_IGNORED },
    { "overflow", IN_Q_OVERFLOW },
};
#define EVENT_KINDS (sizeof event_kinds / sizeof event_kinds[0])

static struct watch *check_watch(lua_State *L)
{
    struct watch *watch = luaL_checkudata(L, 1, WATCH);
    luaL_argcheck(L, watch->fd >= 0, 1, "closed");
    return watch;
}

/* fs.watch() -> watch | nil, message, code ("EMFILE": fs.inotify.max_user_instances) */
static int l_open(lua_State *L)
{
    struct watch *watch = lua_newuserdatauv(L, sizeof *watch, 0);
    watch->fd = -1;
    watch->at = watch->end = 0;
    luaL_setmetatable(L, WATCH);
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0 && errno == EMFILE)
        return sys_refuse(L, "EMFILE", "inotify: too many open files or fs.inotify.max_user_instances too small");
    return watch->fd < 0 ? sys_fail(L, errno, "inotify") : 1;
}

static uint32_t mask_of(const char *name)
{
    for (size_t i = 0; i < EVENT_KINDS; i++)
        if (!strcmp(event_kinds[i].name, name))
            return event_kinds[i].mask & ~(uint32_t)(IN_IGNORED | IN_Q_OVERFLOW);
    return 0;
}

static uint32_t check_mask(lua_State *L, int index)
{
    uint32_t mask = 0;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    luaL_argcheck(L, count > 0, index, "no events");
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, index, i);
        uint32_t one = lua_type(L, -1) == LUA_TSTRING ? mask_of(lua_tostring(L, -1)) : 0;
        if (!one)
            luaL_error(L, "item %I is no name of an event", i);
        mask |= one;
        lua_pop(L, 1);
    }
    return mask;
}

/* watch:add(path, {"modify", "close_write", "create", "delete", "move", "attributes"}) -> id | nil, message, code
 * A path that is added again keeps its id and gets the new events. */
static int l_add(lua_State *L)
{
    const struct watch *watch = check_watch(L);
    const char *path = sys_check_path(L, 2);
    int id = inotify_add_watch(watch->fd, path, check_mask(L, 3));
    if (id < 0 && errno == ENOSPC)
        return sys_refuse(L, "ENOSPC", "%s: cannot be watched, fs.inotify.max_user_watches is too small", path);
    if (id < 0)
        return sys_fail(L, errno, "%s", path);
    lua_pushinteger(L, id);
    return 1;
}

/* watch:remove(id) -> true | nil, message, code ("EINVAL": gone already). An event with `ignored` follows. */
static int l_remove(lua_State *L)
{
    const struct watch *watch = check_watch(L);
    lua_Integer id = luaL_checkinteger(L, 2);
    luaL_argcheck(L, id >= 0 && id <= INT_MAX, 2, "not an id");
    if (inotify_rm_watch(watch->fd, (int)id) < 0)
        return sys_fail(L, errno, "watch %d", (int)id);
    lua_pushboolean(L, true);
    return 1;
}

static int push_event(lua_State *L, const struct inotify_event *event)
{
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, event->wd);
    lua_setfield(L, -2, "id");
    if (event->len) {
        lua_pushstring(L, event->name);
        lua_setfield(L, -2, "name");
    }
    lua_createtable(L, 0, 2);
    for (size_t i = 0; i < EVENT_KINDS; i++) {
        if (!(event->mask & event_kinds[i].mask))
            continue;
        lua_pushboolean(L, true);
        lua_setfield(L, -2, event_kinds[i].name);
    }
    lua_setfield(L, -2, "events");
    return 1;
}

/* watch:try_next() -> {id=, name=, events={modify=true, …}} | nil, "EAGAIN", "r" | nil, message, code
 * name: of what changed in a watched directory. Besides those asked for: `ignored`, the watch is gone with its file;
 * `overflow` (id -1), events were lost. */
static int l_try_next(lua_State *L)
{
    struct watch *watch = check_watch(L);
    if (watch->at == watch->end) {
        ssize_t got = read(watch->fd, watch->buffer, sizeof watch->buffer);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR ? sys_again(L, "r") : sys_fail(L, errno, "inotify");
        watch->at = 0;
        watch->end = (size_t)got;
    }
    const struct inotify_event *event = (const struct inotify_event *)(watch->buffer + watch->at);
    watch->at += sizeof *event + event->len;
    return push_event(L, event);
}

static int l_fileno(lua_State *L)
{
    lua_pushinteger(L, check_watch(L)->fd);
    return 1;
}

/* watch:close() -> true. Idempotent; also __close and __gc. */
static int l_close(lua_State *L)
{
    struct watch *watch = luaL_checkudata(L, 1, WATCH);
    int fd = sys_steal_fd(&watch->fd);
    if (fd >= 0)
        close(fd);
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg watch_methods[] = {
    { "add", l_add },       { "remove", l_remove }, { "try_next", l_try_next },
    { "fileno", l_fileno }, { "close", l_close },   { NULL, NULL },
};
static const luaL_Reg watch_meta[] = { { "__gc", l_close }, { "__close", l_close }, { NULL, NULL } };

int luaopen_sys_watch(lua_State *L)
{
    luaL_newmetatable(L, WATCH);
    luaL_setfuncs(L, watch_meta, 0);
    luaL_newlib(L, watch_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_open);
    return 1;
}
