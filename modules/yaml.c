/* sys.yaml: YAML text to events. What they mean is decided in Lua. */
#include "yaml_events.h"

#define EVENTS_TYPE "sys.yaml.events"

static int l_free(lua_State *L)
{
    yaml_events_free(luaL_checkudata(L, 1, EVENTS_TYPE));
    return 0;
}

/* Pushes a userdata that owns the events: what is collected is freed even if pushing raises for want of memory. */
static struct yaml_events *new_events(lua_State *L)
{
    struct yaml_events *events = lua_newuserdatauv(L, sizeof *events, 0);
    *events = (struct yaml_events){ 0 };
    luaL_setmetatable(L, EVENTS_TYPE);
    return events;
}

static struct yaml_limits check_limits(lua_State *L, int index)
{
    static const char *const known[] = { "max_bytes", "max_nodes", "max_depth", NULL };
    struct yaml_limits limits = { 4 << 20, 250000, 100 };
    if (lua_isnoneornil(L, index))
        return limits;
    sys_check_keys(L, index, known);
    limits.max_bytes = (size_t)sys_option_integer(L, index, "max_bytes", (lua_Integer)limits.max_bytes, 0, 1 << 30);
    limits.max_nodes = (size_t)sys_option_integer(L, index, "max_nodes", (lua_Integer)limits.max_nodes, 0, 1 << 30);
    limits.max_depth = (size_t)sys_option_integer(L, index, "max_depth", (lua_Integer)limits.max_depth, 0, 10000);
    return limits;
}

static void push_slice(lua_State *L, const struct yaml_events *events, struct yaml_slice slice)
{
    lua_pushlstring(L, events->text + slice.offset, slice.length);
}

/* Sets names[i] in the table at `index` for the few events that have one. */
static void set_name(lua_State *L, int index, const struct yaml_events *events, struct yaml_slice name, size_t i)
{
    if (!name.length)
        return;
    push_slice(L, events, name);
    lua_rawseti(L, index, (lua_Integer)i + 1);
}

static bool has_text(const struct yaml_entry *entry)
{
    return (entry->head & 7) <= YAML_ALIAS;
}

static void push_events(lua_State *L, const struct yaml_events *events)
{
    int count = (int)events->count; /* max_nodes keeps it far below INT_MAX */
    lua_createtable(L, 0, 4);
    lua_createtable(L, count, 0);
    lua_createtable(L, count, 0);
    lua_newtable(L);
    lua_newtable(L);
    int heads = lua_absindex(L, -4), texts = heads + 1, anchors = heads + 2, tags = heads + 3;
    for (size_t i = 0; i < events->count; i++) {
        const struct yaml_entry *entry = &events->entries[i];
        lua_pushinteger(L, entry->head);
        lua_rawseti(L, heads, (lua_Integer)i + 1);
        if (has_text(entry))
            push_slice(L, events, entry->text);
        else
            lua_pushboolean(L, 0);
        lua_rawseti(L, texts, (lua_Integer)i + 1);
        set_name(L, anchors, events, entry->anchor, i);
        set_name(L, tags, events, entry->tag, i);
    }
    lua_setfield(L, heads - 1, "tags");
    lua_setfield(L, heads - 1, "anchors");
    lua_setfield(L, heads - 1, "texts");
    lua_setfield(L, heads - 1, "heads");
}

/* yaml.parse(text, {max_bytes=4 MiB, max_nodes=250000, max_depth=100}) -> events | nil, "line:column: reason", "EINVAL"
 * events = { heads, texts, anchors, tags }, four arrays with one position for each event of the text:
 * heads[i] = (line << 12 | column) << 3 | kind, kind one of yaml.kinds; line and column count from 1, columns in
 * characters, those above 4095 are 4095. texts[i] = a scalar's text or an alias's name, else false. anchors[i] and
 * tags[i] are mostly nil; tags are whole ("tag:yaml.org,2002:str", "!reset"). A file of no document gives no events. */
static int l_parse(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    struct yaml_limits limits = check_limits(L, 2);
    struct yaml_events *events = new_events(L);
    struct sys_error error;
    if (yaml_events_parse(events, text, length, &limits, &error) < 0) {
        yaml_events_free(events);
        return sys_push_error(L, &error);
    }
    push_events(L, events);
    yaml_events_free(events);
    return 1;
}

static void push_kinds(lua_State *L)
{
    static const char *const names[] = { "plain", "quoted", "alias", "sequence", "mapping", "end", "document" };
    lua_newtable(L);
    for (int kind = YAML_PLAIN; kind <= YAML_DOCUMENT; kind++) {
        lua_pushinteger(L, kind);
        lua_setfield(L, -2, names[kind]);
    }
}

static const luaL_Reg yaml_functions[] = { { "parse", l_parse }, { NULL, NULL } };
static const luaL_Reg events_meta[] = { { "__gc", l_free }, { NULL, NULL } };

int luaopen_sys_yaml(lua_State *L)
{
    luaL_newmetatable(L, EVENTS_TYPE);
    luaL_setfuncs(L, events_meta, 0);
    luaL_newlib(L, yaml_functions);
    push_kinds(L);
    lua_setfield(L, -2, "kinds");
    return 1;
}
