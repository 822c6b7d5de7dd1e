/* sys.sshkey: ECDSA P-256 keys in OpenSSH's formats. */
#include "sshkey.h"

#include <string.h>

/* The bytes of a host name or address that a known_hosts line may hold: no separators, patterns or markers. */
#define HOST_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%"
#define SSH_PORT 22

/* A file longer than this is no key of ours. */
#define PRIVATE_TEXT_BYTES (16 << 10)

/* sshkey.generate(comment) -> {private = text of an openssh-key-v1 file, public = line without a newline}
 *                           | nil, message, "EIO" (no entropy)
 * The comment is at most 255 bytes without control characters. */
static int l_generate(lua_State *L)
{
    size_t length;
    const char *comment = luaL_optlstring(L, 1, "", &length);
    luaL_argcheck(L, sshkey_is_comment(comment, length), 1, "not a one-line text of at most 255 bytes");
    struct sshkey key;
    uint32_t check;
    char private_text[SSHKEY_PRIVATE_BYTES], public_text[SSHKEY_PUBLIC_BYTES];
    int failed = sshkey_generate(&key, &check);
    if (failed)
        return sys_fail(L, -failed, "new SSH key");
    memcpy(key.comment, comment, length);
    size_t private_length = sshkey_write_private(&key, check, private_text);
    size_t public_length = sshkey_write_line(&key, public_text);
    sshkey_wipe(&key, sizeof key);
    lua_createtable(L, 0, 2);
    lua_pushlstring(L, private_text, private_length);
    sshkey_wipe(private_text, sizeof private_text);
    lua_setfield(L, -2, "private");
    lua_pushlstring(L, public_text, public_length);
    lua_setfield(L, -2, "public");
    return 1;
}

/* Writes the public line that belongs to a private file; gives its length or -1 with `error` filled. */
static int public_of(const char *text, size_t length, char public_text[SSHKEY_PUBLIC_BYTES], struct sys_error *error)
{
    struct sshkey key;
    if (length > PRIVATE_TEXT_BYTES)
        return sys_error_set(error, "EFBIG", "private key: longer than %d bytes", PRIVATE_TEXT_BYTES);
    int got = sshkey_parse_private(text, length, &key, error);
    if (!got && sshkey_check_pair(&key))
        got = sys_error_set(error, "EINVAL", "private key: the public part does not belong to the private part");
    if (!got)
        got = (int)sshkey_write_line(&key, public_text);
    sshkey_wipe(&key, sizeof key);
    return got;
}

/* sshkey.public_of(private_text) -> public line without a newline | nil, message, "EINVAL"|"EFBIG" */
static int l_public_of(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    char public_text[SSHKEY_PUBLIC_BYTES];
    struct sys_error error;
    int public_length = public_of(text, length, public_text, &error);
    if (public_length < 0)
        return sys_push_error(L, &error);
    lua_pushlstring(L, public_text, (size_t)public_length);
    return 1;
}

/* sshkey.fingerprint(public_line) -> "SHA256:…" as ssh-keygen -l prints it, for any type of key
 *                                  | nil, message, "EINVAL" */
static int l_fingerprint(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    struct sshkey_line line;
    struct sys_error error;
    char fingerprint[SSHKEY_FINGERPRINT_BYTES];
    if (sshkey_parse_line(text, length, &line, &error) < 0)
        return sys_push_error(L, &error);
    int failed = sshkey_fingerprint(line.blob, line.blob_length, fingerprint);
    if (failed)
        return sys_fail(L, -failed, "fingerprint");
    lua_pushstring(L, fingerprint);
    return 1;
}

/* sshkey.known_hosts_line(host, port, public_line) -> "[127.0.0.1]:2222 ecdsa-sha2-nistp256 AAAA…"
 *                                                   | nil, message, "EINVAL"
 * Brackets and port are left out for port 22: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. */
static int l_known_hosts_line(lua_State *L)
{
    size_t host_length, length;
    const char *host = luaL_checklstring(L, 1, &host_length);
    lua_Integer port = luaL_checkinteger(L, 2);
    const char *text = luaL_checklstring(L, 3, &length);
    luaL_argcheck(L, port >= 1 && port <= 65535, 2, "not a port number");
    luaL_argcheck(L, host_length && strspn(host, HOST_CHARACTERS) == host_length, 1, "not a host name or address");
    struct sshkey_line line;
    struct sys_error error;
    if (sshkey_parse_line(text, length, &line, &error) < 0)
        return sys_push_error(L, &error);
    const char *base64 = line.type + line.type_length + 1;
    const char *end = memchr(base64, ' ', length - line.type_length - 1);
    lua_pushfstring(L, port == SSH_PORT ? "%s " : "[%s]:%I ", host, port);
    lua_pushlstring(L, text, end ? (size_t)(end - text) : strcspn(text, "\r\n"));
    lua_concat(L, 2);
    return 1;
}

static const luaL_Reg sshkey_functions[] = {
    { "generate", l_generate },
    { "public_of", l_public_of },
    { "fingerprint", l_fingerprint },
    { "known_hosts_line", l_known_hosts_line },
    { NULL, NULL },
};

int luaopen_sys_sshkey(lua_State *L)
{
    luaL_newlib(L, sshkey_functions);
    return 1;
}
