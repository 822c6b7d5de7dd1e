/* sys.hash: SHA-256 and SHA-512 by Mbed TLS, of texts at once and of files in slices. */
#include <mbedtls/md.h>
#include <string.h>

#include "sys.h"

#define HASHER "sys.hash.hasher"

/* One slice of a file: small enough to end well within 10 ms. */
#define SLICE_BYTES (1 << 20)

static const mbedtls_md_info_t *info_of(lua_State *L, int index)
{
    const char *name = luaL_checkstring(L, index);
    if (!strcmp(name, "sha256"))
        return mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    if (!strcmp(name, "sha512"))
        return mbedtls_md_info_from_type(MBEDTLS_MD_SHA512);
    luaL_argerror(L, index, "sha256 or sha512 expected");
    return NULL;
}

static int push_hex(lua_State *L, const unsigned char *digest, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * MBEDTLS_MD_MAX_SIZE];
    for (size_t i = 0; i < length; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    lua_pushlstring(L, hex, 2 * length);
    return 1;
}

static int hash_text(lua_State *L, mbedtls_md_type_t type)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    const mbedtls_md_info_t *info = mbedtls_md_info_from_type(type);
    unsigned char digest[MBEDTLS_MD_MAX_SIZE];
    if (mbedtls_md(info, (const unsigned char *)text, length, digest))
        return luaL_error(L, "hashing failed");
    return push_hex(L, digest, mbedtls_md_get_size(info));
}

/* hash.sha256(text) -> 64 hexadecimal digits */
static int l_sha256(lua_State *L)
{
    return hash_text(L, MBEDTLS_MD_SHA256);
}

/* hash.sha512(text) -> 128 hexadecimal digits */
static int l_sha512(lua_State *L)
{
    return hash_text(L, MBEDTLS_MD_SHA512);
}

/* hash.new("sha256"|"sha512") -> hasher */
static int l_new(lua_State *L)
{
    const mbedtls_md_info_t *info = info_of(L, 1);
    mbedtls_md_context_t *hasher = lua_newuserdatauv(L, sizeof *hasher, 0);
    mbedtls_md_init(hasher);
    luaL_setmetatable(L, HASHER);
    if (mbedtls_md_setup(hasher, info, 0) || mbedtls_md_starts(hasher))
        return luaL_error(L, "not enough memory for a hash");
    return 1;
}

/* hasher:update(text) -> hasher */
static int l_update(lua_State *L)
{
    mbedtls_md_context_t *hasher = luaL_checkudata(L, 1, HASHER);
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    if (mbedtls_md_update(hasher, (const unsigned char *)text, length))
        return luaL_error(L, "hashing failed");
    lua_settop(L, 1);
    return 1;
}

/* hasher:try_update_from(fd) -> bytes read and hashed, 0 at the end | nil, "EAGAIN", "r" | nil, message, code
 * Takes at most one slice; the caller yields between slices. */
static int l_try_update_from(lua_State *L)
{
    mbedtls_md_context_t *hasher = luaL_checkudata(L, 1, HASHER);
    int fd = sys_fd_check(L, 2);
    cleanup_free unsigned char *slice = malloc(SLICE_BYTES);
    ssize_t got = slice ? read(fd, slice, SLICE_BYTES) : -1;
    int failure = got < 0 ? errno : 0;
    if (got > 0 && mbedtls_md_update(hasher, slice, (size_t)got))
        failure = EIO;
    if (failure == EAGAIN || failure == EINTR)
        return sys_again(L, "r");
    if (failure)
        return sys_fail(L, failure, "read");
    lua_pushinteger(L, got);
    return 1;
}

/* hasher:hex() -> the digest of what came so far; a hasher is used once */
static int l_hex(lua_State *L)
{
    mbedtls_md_context_t *hasher = luaL_checkudata(L, 1, HASHER);
    unsigned char digest[MBEDTLS_MD_MAX_SIZE];
    if (mbedtls_md_finish(hasher, digest))
        return luaL_error(L, "hashing failed");
    return push_hex(L, digest, mbedtls_md_get_size(mbedtls_md_info_from_ctx(hasher)));
}

static int l_free(lua_State *L)
{
    mbedtls_md_free(luaL_checkudata(L, 1, HASHER));
    return 0;
}

static const luaL_Reg hash_functions[] = {
    { "sha256", l_sha256 }, { "sha512", l_sha512 }, { "new", l_new }, { NULL, NULL },
};
static const luaL_Reg hasher_methods[] = {
    { "update", l_update }, { "try_update_from", l_try_update_from }, { "hex", l_hex }, { NULL, NULL },
};
static const luaL_Reg hasher_meta[] = { { "__gc", l_free }, { NULL, NULL } };

int luaopen_sys_hash(lua_State *L)
{
    luaL_newmetatable(L, HASHER);
    luaL_setfuncs(L, hasher_meta, 0);
    luaL_newlib(L, hasher_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, hash_functions);
    return 1;
}
