/* sys.json: strict JSON to and from Lua values. Lists carry a metatable with __jsontype = "array"; null is json.null */
#include <jansson.h>
#include <string.h>

#include "json_scan.h"

#define HOLDER_TYPE "sys.json.holder"
#define LIST_TYPE   "sys.json.list"
#define DEPTH_MAX   1000 /* below jansson's JSON_PARSER_MAX_DEPTH, and shallow enough for any C stack */

/* -- memory ------------------------------------------------------------------------------------------------
 * jansson takes many small blocks and gives all back at once, for which musl maps pages and unmaps them. Lua's memory does
 * it without a system call; it wants the size of a block back, which is kept in front of it. */

enum { SIZE_BYTES = 16 }; /* so that the block behind is aligned */

static lua_Alloc resize;
static void *memory;

static void *take_block(size_t size)
{
    size_t *block = resize(memory, NULL, 0, SIZE_BYTES + size);
    if (!block)
        return NULL;
    *block = size;
    return (char *)block + SIZE_BYTES;
}

static void give_block_back(void *pointer)
{
    size_t *block = pointer ? (void *)((char *)pointer - SIZE_BYTES) : NULL;
    if (block)
        resize(memory, block, SIZE_BYTES + *block, 0);
}

/* Owns what jansson made while Lua calls may raise. */
struct holder {
    json_t *root;
    char *text;
};

static int l_release(lua_State *L)
{
    struct holder *holder = luaL_checkudata(L, 1, HOLDER_TYPE);
    json_decref(holder->root);
    give_block_back(holder->text);
    *holder = (struct holder){ 0 };
    return 0;
}

static struct holder *new_holder(lua_State *L)
{
    struct holder *holder = lua_newuserdatauv(L, sizeof *holder, 0);
    *holder = (struct holder){ 0 };
    luaL_setmetatable(L, HOLDER_TYPE);
    return holder;
}

/* Frees now what the collector would free later; the holder is at `index`. */
static void release(lua_State *L, int index)
{
    lua_pushcfunction(L, l_release);
    lua_pushvalue(L, index);
    lua_call(L, 1, 0);
}

/* -- decode ------------------------------------------------------------------------------------------------ */

static void push_value(lua_State *L, const json_t *value);

static void push_list(lua_State *L, const json_t *list)
{
    size_t count = json_array_size(list);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_value(L, json_array_get(list, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    luaL_setmetatable(L, LIST_TYPE);
}

static void push_object(lua_State *L, json_t *object)
{
    lua_createtable(L, 0, (int)json_object_size(object));
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        lua_pushlstring(L, json_object_iter_key(at), json_object_iter_key_len(at));
        push_value(L, json_object_iter_value(at));
        lua_rawset(L, -3);
    }
}

static void push_value(lua_State *L, const json_t *value)
{
    luaL_checkstack(L, 6, "JSON nested too deep");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_object(L, (json_t *)value); /* iterating wants it writable */
        break;
    case JSON_ARRAY:
        push_list(L, value);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(L, NULL);
        break;
    default:
        lua_pushboolean(L, json_is_true(value));
    }
}

static size_t check_depth(lua_State *L, int index)
{
    static const char *const known[] = { "max_depth", NULL };
    if (lua_isnoneornil(L, index))
        return 128;
    sys_check_keys(L, index, known);
    return (size_t)sys_option_integer(L, index, "max_depth", 128, 0, DEPTH_MAX);
}

/* json.decode(text, {max_depth=128}) -> value | nil, "line:column: reason", "EINVAL"
 * Any JSON value may stand alone. Refused: keys that occur twice, integers beyond 64 bits, numbers beyond double, text
 * that is not UTF-8, anything after the value. Integers are Lua integers, 1.0 is a float. */
static int l_decode(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    size_t max_depth = check_depth(L, 2);
    struct sys_error error;
    if (json_scan_check(text, length, max_depth, &error) < 0)
        return sys_push_error(L, &error);
    struct holder *holder = new_holder(L);
    json_error_t reason;
    holder->root = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &reason);
    if (!holder->root)
        return sys_refuse(L, "EINVAL", "%d:%d: %s", reason.line < 1 ? 1 : reason.line,
                          reason.column < 1 ? 1 : reason.column, reason.text);
    int index = lua_gettop(L);
    push_value(L, holder->root);
    release(L, index);
    return 1;
}

/* -- encode ------------------------------------------------------------------------------------------------ */

/* Makes the JSON of the Lua value on top of the stack (left there) and hangs it into `parent` under `key` or at its
 * end, or makes it the holder's root; at once, so that nothing is lost when a later call raises. False: a text is not
 * UTF-8. */
struct place {
    struct holder *holder;
    json_t *parent;
    const char *key;
    size_t key_length;
};

static bool put_value(lua_State *L, struct place place, int depth);

static bool hang(struct place place, json_t *value)
{
    if (!value)
        return false;
    if (!place.parent)
        place.holder->root = value;
    else if (place.key)
        return json_object_setn_new(place.parent, place.key, place.key_length, value) == 0;
    else
        return json_array_append_new(place.parent, value) == 0;
    return true;
}

/* Whether the table at `index` says in its metatable that it is a list, or holds something at 1. */
static bool is_list(lua_State *L, int index)
{
    bool is = false;
    if (luaL_getmetafield(L, index, "__jsontype") != LUA_TNIL) {
        is = lua_type(L, -1) == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "array");
        lua_pop(L, 1);
    }
    if (!is) {
        is = lua_geti(L, index, 1) != LUA_TNIL;
        lua_pop(L, 1);
    }
    return is;
}

static bool is_null(lua_State *L, int index)
{
    if (lua_islightuserdata(L, index))
        return !lua_touserdata(L, index);
    if (!lua_istable(L, index) || luaL_getmetafield(L, index, "__jsontype") == LUA_TNIL)
        return false;
    bool is = lua_type(L, -1) == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "null");
    lua_pop(L, 1);
    return is;
}

static bool put_list(lua_State *L, struct place inside, int depth)
{
    int list = lua_gettop(L);
    lua_Integer count = luaL_len(L, list);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, list, i);
        if (lua_isnil(L, -1))
            luaL_error(L, "a list with a hole at %I has no JSON form", i);
        if (!put_value(L, inside, depth))
            return false;
        lua_pop(L, 1);
    }
    return true;
}

/* Key at -2, value at -1. */
static bool put_field(lua_State *L, struct place inside, int depth)
{
    if (lua_type(L, -2) != LUA_TSTRING)
        luaL_error(L, "a JSON object has text keys, got a %s", luaL_typename(L, -2));
    inside.key = lua_tolstring(L, -2, &inside.key_length);
    return put_value(L, inside, depth);
}

/* Through __pairs: read-only views keep their fields elsewhere. */
static bool put_viewed_fields(lua_State *L, struct place inside, int depth)
{
    lua_pushvalue(L, -2);
    lua_call(L, 1, 3);
    int step = lua_gettop(L) - 2;
    for (;;) {
        lua_pushvalue(L, step);
        lua_pushvalue(L, step + 1);
        lua_pushvalue(L, step + 2);
        lua_call(L, 2, 2);
        if (lua_isnil(L, -2))
            break;
        if (!put_field(L, inside, depth))
            return false;
        lua_pop(L, 1);
        lua_replace(L, step + 2);
    }
    lua_settop(L, step - 1);
    return true;
}

static bool put_fields(lua_State *L, struct place inside, int depth)
{
    int object = lua_gettop(L);
    if (luaL_getmetafield(L, object, "__pairs") != LUA_TNIL)
        return put_viewed_fields(L, inside, depth);
    for (lua_pushnil(L); lua_next(L, object); lua_pop(L, 1))
        if (!put_field(L, inside, depth))
            return false;
    return true;
}

static bool put_table(lua_State *L, struct place place, int depth)
{
    if (depth >= DEPTH_MAX)
        luaL_error(L, "a table nested deeper than %d levels has no JSON form", DEPTH_MAX);
    luaL_checkstack(L, 10, "table nested too deep");
    bool list = is_list(L, lua_gettop(L));
    struct place inside = { .holder = place.holder, .parent = list ? json_array() : json_object() };
    if (!hang(place, inside.parent))
        return false;
    return list ? put_list(L, inside, depth + 1) : put_fields(L, inside, depth + 1);
}

static bool put_number(lua_State *L, struct place place)
{
    if (lua_isinteger(L, -1))
        return hang(place, json_integer(lua_tointeger(L, -1)));
    json_t *real = json_real(lua_tonumber(L, -1));
    if (!real)
        luaL_error(L, "the number %f has no JSON form", lua_tonumber(L, -1));
    return hang(place, real);
}

static bool put_value(lua_State *L, struct place place, int depth)
{
    size_t length;
    const char *text;
    if (is_null(L, lua_gettop(L)))
        return hang(place, json_null());
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, -1, &length);
        return hang(place, json_stringn(text, length));
    case LUA_TNUMBER:
        return put_number(L, place);
    case LUA_TBOOLEAN:
        return hang(place, json_boolean(lua_toboolean(L, -1)));
    case LUA_TTABLE:
        return put_table(L, place, depth);
    default:
        return luaL_error(L, "a %s has no JSON form", luaL_typename(L, -1)), false;
    }
}

static size_t check_indent(lua_State *L, int index)
{
    static const char *const known[] = { "indent", NULL };
    if (lua_isnoneornil(L, index))
        return 0;
    sys_check_keys(L, index, known);
    return (size_t)sys_option_integer(L, index, "indent", 0, 0, 31);
}

/* json.encode(value, {indent=0}) -> text | nil, reason, "EILSEQ"
 * Keys are sorted by bytes; no newline at the end; indent 0 gives one line without spaces. A table is a list when its
 * metatable says so (__jsontype = "array") or when it holds something at 1, else an object. Fails for text that is not
 * UTF-8; values that JSON does not have are the caller's bug and raise. */
static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    size_t indent = check_indent(L, 2);
    struct holder *holder = new_holder(L);
    int index = lua_gettop(L);
    lua_pushvalue(L, 1);
    if (!put_value(L, (struct place){ .holder = holder }, 0)) {
        release(L, index);
        return sys_refuse(L, "EILSEQ", "a text that is not UTF-8 has no JSON form");
    }
    size_t style = indent ? JSON_INDENT(indent) : JSON_COMPACT;
    holder->text = json_dumps(holder->root, style | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (!holder->text)
        return luaL_error(L, "not enough memory for JSON text");
    lua_pushstring(L, holder->text);
    release(L, index);
    return 1;
}

static const luaL_Reg json_functions[] = { { "decode", l_decode }, { "encode", l_encode }, { NULL, NULL } };
static const luaL_Reg holder_meta[] = { { "__gc", l_release }, { NULL, NULL } };

int luaopen_sys_json(lua_State *L)
{
    resize = lua_getallocf(L, &memory);
    json_set_alloc_funcs(take_block, give_block_back);
    luaL_newmetatable(L, HOLDER_TYPE);
    luaL_setfuncs(L, holder_meta, 0);
    luaL_newmetatable(L, LIST_TYPE);
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__jsontype");
    luaL_newlib(L, json_functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}
