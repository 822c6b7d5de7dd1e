/* sys.hash: SHA-256 and SHA-512, of texts and, in slices, of what a descriptor gives. */
#include "sys.h"

#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <string.h>

#define HASHER "sys.hasher"
enum {
    SLICE_BYTES = 1 << 20,   /* what try_update_from hashes at a time when not told otherwise */
    BLOCK_BYTES = 64 * 1024, /* one read of it */
    DIGEST_BYTES = 64,       /* of the longest: SHA-512 */
};

struct hasher {
    size_t length; /* of the digest in bytes; 0 once released */
    bool is_finished;
    union {
        mbedtls_sha256_context sha256;
        mbedtls_sha512_context sha512;
    } state;
    unsigned char digest[DIGEST_BYTES];
};

/* -- mechanism: Mbed TLS fails only where hardware does the hashing, which its configuration here excludes --------- */

static void hasher_start(struct hasher *hasher, bool is_sha512)
{
    *hasher = (struct hasher){ .length = is_sha512 ? 64 : 32 };
    if (is_sha512) {
        mbedtls_sha512_init(&hasher->state.sha512);
        mbedtls_sha512_starts(&hasher->state.sha512, 0);
    } else {
        mbedtls_sha256_init(&hasher->state.sha256);
        mbedtls_sha256_starts(&hasher->state.sha256, 0);
    }
}

static void hasher_update(struct hasher *hasher, const void *data, size_t length)
{
    if (hasher->length == 64)
        mbedtls_sha512_update(&hasher->state.sha512, data, length);
    else
        mbedtls_sha256_update(&hasher->state.sha256, data, length);
}

static void hasher_finish(struct hasher *hasher)
{
    if (hasher->is_finished)
        return;
    if (hasher->length == 64)
        mbedtls_sha512_finish(&hasher->state.sha512, hasher->digest);
    else
        mbedtls_sha256_finish(&hasher->state.sha256, hasher->digest);
    hasher->is_finished = true;
}

/* Hashes up to `limit` bytes from `fd` and gives how many; 0 at the end. -EAGAIN when there is nothing yet. */
static long long hasher_update_from(struct hasher *hasher, int fd, long long limit)
{
    unsigned char block[BLOCK_BYTES];
    long long done = 0;
    while (done < limit) {
        size_t wanted = limit - done < BLOCK_BYTES ? (size_t)(limit - done) : BLOCK_BYTES;
        ssize_t got = read(fd, block, wanted);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && !(errno == EAGAIN && done > 0))
            return -errno;
        if (got <= 0)
            break;
        hasher_update(hasher, block, (size_t)got);
        done += got;
    }
    return done;
}

/* -- binding ------------------------------------------------------------------------------------------------------- */

static int push_hex(lua_State *L, const unsigned char *digest, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * DIGEST_BYTES];
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
    struct hasher hasher;
    hasher_start(&hasher, is_sha512);
    hasher_update(&hasher, text, length);
    hasher_finish(&hasher);
    return push_hex(L, hasher.digest, hasher.length);
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
    struct hasher *hasher = lua_newuserdatauv(L, sizeof *hasher, 0);
    hasher_start(hasher, is_sha512);
    luaL_setmetatable(L, HASHER);
    return 1;
}

static struct hasher *check_unfinished(lua_State *L)
{
    struct hasher *hasher = luaL_checkudata(L, 1, HASHER);
    luaL_argcheck(L, !hasher->is_finished, 1, "finished");
    return hasher;
}

/* hasher:update(text) -> hasher */
static int l_update(lua_State *L)
{
    struct hasher *hasher = check_unfinished(L);
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    hasher_update(hasher, text, length);
    lua_settop(L, 1);
    return 1;
}

/* hasher:try_update_from(fd [, max_bytes = 1 MiB]) -> bytes hashed | nil, "EAGAIN", "r" | nil, message, code
 * From where the descriptor stands; 0 at the end. 1 MiB takes about 5 ms: a task that hashes a large file yields after
 * each. */
static int l_try_update_from(lua_State *L)
{
    struct hasher *hasher = check_unfinished(L);
    int fd = sys_fd_check(L, 2);
    lua_Integer limit = luaL_optinteger(L, 3, SLICE_BYTES);
    luaL_argcheck(L, limit > 0, 3, "at least one byte must be asked for");
    long long done = hasher_update_from(hasher, fd, limit);
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
    struct hasher *hasher = luaL_checkudata(L, 1, HASHER);
    hasher_finish(hasher);
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
