/* sys.hash: SHA-256 and SHA-512, of texts and, in slices, of what a descriptor gives. */
#include "hash.h"
#include "sys.h"

#define SLICE_BYTES (1 << 20) /* what try_update_from hashes at a time when not told otherwise */

/* -- binding ------------------------------------------------------------------------------------------------------- */

static int push_hex(lua_State *L, const unsigned char *digest, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * HASH_BYTES];
    for (size_t i = 0; i < length; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 15];
    }
    lua_pushlstring(L, text, 2 * length);
    return 1;
}

static int push_hash_of(lua_State *L, bool is_sha512)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    struct hash hash;
    hash_start(&hash, is_sha512);
    hash_update(&hash, text, length);
    hash_finish(&hash);
    return push_hex(L, hash.digest, hash.length);
}

/* hash.sha256(text), hash.sha512(text) -> hexadecimal digits, lower case */
static int l_sha256(lua_State *L)
{
    return push_hash_of(L, false);
}

static int l_sha512(lua_State *L)
{
    return push_hash_of(L, true);
}

/* hash.new("sha256" | "sha512") -> hasher */
static int l_new(lua_State *L)
{
    static const char *const names[] = { "sha256", "sha512", NULL };
    bool is_sha512 = luaL_checkoption(L, 1, NULL, names) == 1;
    struct hash *hasher = lua_newuserdatauv(L, sizeof *hasher, 0);
    hash_start(hasher, is_sha512);
    luaL_setmetatable(L, HASHER);
    return 1;
}

static struct hash *check_unfinished(lua_State *L)
{
    struct hash *hasher = luaL_checkudata(L, 1, HASHER);
    luaL_argcheck(L, !hasher->is_finished, 1, "finished");
    return hasher;
}

/* hasher:update(text) -> hasher */
static int l_update(lua_State *L)
{
    struct hash *hasher = check_unfinished(L);
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    hash_update(hasher, text, length);
    lua_settop(L, 1);
    return 1;
}

/* hasher:try_update_from(fd [, max_bytes = 1 MiB]) -> bytes hashed | nil, "EAGAIN", "r" | nil, message, code
 * From where the descriptor stands; 0 at the end. 1 MiB takes about 5 ms: a task that hashes a large file yields after
 * each. */
static int l_try_update_from(lua_State *L)
{
    struct hash *hasher = check_unfinished(L);
    int fd = sys_fd_check(L, 2);
    lua_Integer limit = luaL_optinteger(L, 3, SLICE_BYTES);
    luaL_argcheck(L, limit > 0, 3, "at least one byte must be asked for");
    long long done = hash_update_from(hasher, fd, limit);
    if (done == -EAGAIN)
        return sys_again(L, "r");
    if (done < 0)
        return sys_fail(L, (int)-done, "read");
    lua_pushinteger(L, done);
    return 1;
}

/* hasher:hex() -> the hash as hexadecimal digits. Ends it: nothing can be added afterwards. */
static int l_hex(lua_State *L)
{
    struct hash *hasher = luaL_checkudata(L, 1, HASHER);
    hash_finish(hasher);
    return push_hex(L, hasher->digest, hasher->length);
}

static const luaL_Reg hash_functions[] = {
    { "sha256", l_sha256 }, { "sha512", l_sha512 }, { "new", l_new }, { NULL, NULL },
};
static const luaL_Reg hasher_methods[] = {
    { "update", l_update }, { "try_update_from", l_try_update_from }, { "hex", l_hex }, { NULL, NULL },
};

int luaopen_sys_hash(lua_State *L)
{
    luaL_newmetatable(L, HASHER);
    luaL_newlib(L, hasher_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, hash_functions);
    return 1;
}
