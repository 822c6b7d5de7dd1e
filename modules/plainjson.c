/* JSON as programs write it; see plainjson.h. A record of 50 instances is read in a fraction of the time that it takes to
 * make jansson's values of it first. */
#include "plainjson.h"

#include <string.h>

enum { BATCH = 24 };

struct plain {
    lua_State *L;
    const char *at, *end;
    size_t depth, max_depth;
    const char *list_type;
};

static bool take_value(struct plain *plain);

static void skip_space(struct plain *plain)
{
    while (plain->at < plain->end && (*plain->at == ' ' || *plain->at == '\n' || *plain->at == '\t' || *plain->at == '\r'))
        plain->at++;
}

/* Whether `byte` comes next; then it is passed. */
static bool take_byte(struct plain *plain, char byte)
{
    skip_space(plain);
    if (plain->at == plain->end || *plain->at != byte)
        return false;
    plain->at++;
    return true;
}

/* -- simple values --------------------------------------------------------------------------------------------------- */

static bool is_printable(char byte)
{
    return byte >= 0x20 && byte < 0x7f;
}

/* The byte that stands for what follows a backslash, 0 for what is rare or wrong. */
static char unescape(char byte)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found = byte ? strchr(from, byte) : NULL;
    return found ? to[found - from] : 0;
}

/* A text with escapes; `begin` is behind its quote, and plain->at at its first backslash. */
static bool take_escaped(struct plain *plain, const char *begin)
{
    luaL_Buffer text;
    luaL_buffinit(plain->L, &text);
    luaL_addlstring(&text, begin, (size_t)(plain->at - begin));
    while (plain->at < plain->end && *plain->at != '"') {
        char byte = *plain->at++;
        if (byte == '\\')
            byte = plain->at < plain->end ? unescape(*plain->at++) : 0;
        else if (!is_printable(byte))
            byte = 0;
        if (!byte)
            return false;
        luaL_addchar(&text, byte);
    }
    luaL_pushresult(&text);
    return true;
}

static bool take_text(struct plain *plain)
{
    if (!take_byte(plain, '"'))
        return false;
    const char *begin = plain->at;
    while (plain->at < plain->end && *plain->at != '"' && *plain->at != '\\' && is_printable(*plain->at))
        plain->at++;
    if (plain->at < plain->end && *plain->at == '\\') {
        if (!take_escaped(plain, begin))
            return false;
    } else
        lua_pushlstring(plain->L, begin, (size_t)(plain->at - begin));
    return plain->at < plain->end && *plain->at++ == '"';
}

static bool is_digit(const struct plain *plain)
{
    return plain->at < plain->end && *plain->at >= '0' && *plain->at <= '9';
}

static bool take_integer(struct plain *plain)
{
    bool is_negative = *plain->at == '-';
    plain->at += is_negative;
    const char *begin = plain->at;
    lua_Integer number = 0;
    for (; is_digit(plain); plain->at++)
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, *plain->at - '0', &number))
            return false;
    long digits = plain->at - begin;
    if (!digits || (*begin == '0' && (digits > 1 || is_negative)))
        return false;
    if (plain->at < plain->end && strchr(".eE", *plain->at))
        return false;
    lua_pushinteger(plain->L, is_negative ? -number : number);
    return true;
}

static bool take_word(struct plain *plain, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(plain->end - plain->at) < length || memcmp(plain->at, word, length) != 0)
        return false;
    plain->at += length;
    return true;
}

static bool take_name(struct plain *plain)
{
    if (take_word(plain, "null"))
        lua_pushlightuserdata(plain->L, NULL);
    else if (take_word(plain, "true"))
        lua_pushboolean(plain->L, true);
    else if (take_word(plain, "false"))
        lua_pushboolean(plain->L, false);
    else
        return false;
    return true;
}

/* -- tables: some of what they hold waits on the stack, so that most are made in their size ------------------------------- */

static void make_table(lua_State *L, int place, int items, int fields)
{
    if (!lua_isnil(L, place))
        return;
    lua_createtable(L, items, fields);
    lua_replace(L, place);
}

static void store_items(lua_State *L, int place, lua_Integer last, int count)
{
    make_table(L, place, count, 0);
    for (int i = 0; i < count; i++)
        lua_rawseti(L, place, last - i);
}

static bool take_list(struct plain *plain)
{
    lua_State *L = plain->L;
    lua_pushnil(L);
    int place = lua_gettop(L), held = 0;
    lua_Integer count = 0;
    if (!take_byte(plain, ']')) {
        do {
            if (!take_value(plain))
                return false;
            count++;
            if (++held == BATCH) {
                store_items(L, place, count, held);
                held = 0;
            }
        } while (take_byte(plain, ','));
        if (!take_byte(plain, ']'))
            return false;
    }
    store_items(L, place, count, held);
    luaL_setmetatable(L, plain->list_type);
    return true;
}

/* False when a key is there already. */
static bool store_fields(lua_State *L, int place, int count)
{
    make_table(L, place, 0, count);
    for (; count; count--) {
        lua_pushvalue(L, -2);
        if (lua_rawget(L, place) != LUA_TNIL)
            return false;
        lua_pop(L, 1);
        lua_rawset(L, place);
    }
    return true;
}

static bool take_object(struct plain *plain)
{
    lua_State *L = plain->L;
    lua_pushnil(L);
    int place = lua_gettop(L), held = 0;
    if (!take_byte(plain, '}')) {
        do {
            if (!take_text(plain) || !take_byte(plain, ':') || !take_value(plain))
                return false;
            if (++held == BATCH) {
                if (!store_fields(L, place, held))
                    return false;
                held = 0;
            }
        } while (take_byte(plain, ','));
        if (!take_byte(plain, '}'))
            return false;
    }
    return store_fields(L, place, held);
}

static bool take_table(struct plain *plain, bool (*take)(struct plain *))
{
    if (plain->depth == plain->max_depth)
        return false;
    luaL_checkstack(plain->L, 2 * BATCH + 8, "JSON nested too deep");
    plain->at++;
    plain->depth++;
    bool taken = take(plain);
    plain->depth--;
    return taken;
}

static bool take_value(struct plain *plain)
{
    skip_space(plain);
    if (plain->at == plain->end)
        return false;
    switch (*plain->at) {
    case '{':
        return take_table(plain, take_object);
    case '[':
        return take_table(plain, take_list);
    case '"':
        return take_text(plain);
    case 'n':
    case 't':
    case 'f':
        return take_name(plain);
    default:
        return *plain->at == '-' || is_digit(plain) ? take_integer(plain) : false;
    }
}

bool plainjson_push(lua_State *L, const char *text, size_t length, size_t max_depth, const char *list_type)
{
    struct plain plain = { .L = L, .at = text, .end = text + length, .max_depth = max_depth, .list_type = list_type };
    int top = lua_gettop(L);
    luaL_checkstack(L, 8, "no room for JSON");
    if (take_value(&plain)) {
        skip_space(&plain);
        if (plain.at == plain.end)
            return true;
    }
    lua_settop(L, top);
    return false;
}
