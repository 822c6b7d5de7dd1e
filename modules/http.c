/* sys.http: HTTP requests whose answers never block, and URLs as libcurl reads them. */
#include "http.h"

#include <stdio.h>
#include <string.h>

#define TRANSFER "sys.http"
#define CONNECTIONS "sys.http.connections"

/* Of a transfer: what it needs for as long as it lives. */
enum { KEPT_HASHES = 1, KEPT_CONNECTIONS = KEPT_HASHES + HTTP_HASHES, KEPT = KEPT_CONNECTIONS };

static struct http_transfer *check_transfer(lua_State *L)
{
    struct http_transfer *transfer = luaL_checkudata(L, 1, TRANSFER);
    luaL_argcheck(L, transfer->easy, 1, "closed");
    return transfer;
}

static void set_text(lua_State *L, const char *name, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void set_boolean(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

/* Pushes true for 0, else nil, "EAGAIN", "r" or nil, message, code. */
static int push_done(lua_State *L, int got, const struct sys_error *error)
{
    if (got == -EAGAIN)
        return sys_again(L, "r");
    if (got < 0)
        return sys_push_error(L, error);
    lua_pushboolean(L, true);
    return 1;
}

/* -- connections --------------------------------------------------------------------------------------------------- */

/* http.connections() -> connections | nil, message, code
 * Those that requests leave open for the next ones to the same server. */
static int l_connections(lua_State *L)
{
    CURLSH **connections = lua_newuserdatauv(L, sizeof *connections, 0);
    *connections = NULL;
    luaL_setmetatable(L, CONNECTIONS);
    *connections = curl_share_init();
    if (!*connections || curl_share_setopt(*connections, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT))
        return sys_refuse(L, "ENOMEM", "http: no memory for connections");
    return 1;
}

/* connections:close() -> true. Idempotent; while a transfer has them it does nothing; also __close and __gc. */
static int l_close_connections(lua_State *L)
{
    CURLSH **connections = luaL_checkudata(L, 1, CONNECTIONS);
    if (*connections && !curl_share_cleanup(*connections))
        *connections = NULL;
    lua_pushboolean(L, true);
    return 1;
}

/* Field "connections" of the table at 1; NULL without it. The transfer on top keeps them alive. */
static CURLSH *keep_connections(lua_State *L)
{
    if (lua_getfield(L, 1, "connections") == LUA_TNIL) {
        lua_pop(L, 1);
        return NULL;
    }
    CURLSH **connections = luaL_checkudata(L, -1, CONNECTIONS);
    luaL_argcheck(L, *connections, 1, "connections are closed");
    lua_setiuservalue(L, -2, KEPT_CONNECTIONS);
    return *connections;
}

/* -- requests ------------------------------------------------------------------------------------------------------ */

/* http.new{url=, range=, if_range=, if_none_match=, if_modified_since=, ca_file=, ca_directory=, proxy = "", no_proxy = "",
 *          user_agent = "holos", connect_timeout_ms = 30000, tick_ms = 250, is_plain_allowed = false,
 *          is_public_only = false, connections=} -> transfer | nil, message, code
 * A GET of `url`. range: "bytes=100-"; if_range: an entity tag or date. is_plain_allowed: http: too. is_public_only: no
 * connection to an address of this host or its link, and none that is open already. connections: of http.connections. The
 * transfer's descriptor is ready when there is something to do, and at least every tick_ms. */
static int l_new(lua_State *L)
{
    static const char *const known[] = { "url", "range", "if_range", "if_none_match", "if_modified_since", "ca_file",
                                         "ca_directory", "proxy", "no_proxy", "user_agent", "connect_timeout_ms",
                                         "tick_ms", "is_plain_allowed", "is_public_only", "connections", NULL };
    sys_check_keys(L, 1, known);
    struct http_request request = {
        .url = sys_field_string(L, 1, "url", NULL),
        .range = sys_option_string(L, 1, "range", NULL, NULL),
        .if_range = sys_option_string(L, 1, "if_range", NULL, NULL),
        .if_none_match = sys_option_string(L, 1, "if_none_match", NULL, NULL),
        .if_modified_since = sys_option_string(L, 1, "if_modified_since", NULL, NULL),
        .ca_file = sys_option_string(L, 1, "ca_file", NULL, NULL),
        .ca_directory = sys_option_string(L, 1, "ca_directory", NULL, NULL),
        .proxy = sys_option_string(L, 1, "proxy", "", NULL),
        .no_proxy = sys_option_string(L, 1, "no_proxy", "", NULL),
        .user_agent = sys_option_string(L, 1, "user_agent", "holos", NULL),
        .connect_timeout_ms = (long)sys_option_integer(L, 1, "connect_timeout_ms", 30000, 1, 1 << 30),
        .tick_ms = (long)sys_option_integer(L, 1, "tick_ms", 250, 1, 1 << 30),
        .is_plain_allowed = sys_option_boolean(L, 1, "is_plain_allowed", false),
        .is_public_only = sys_option_boolean(L, 1, "is_public_only", false),
    };
    struct http_transfer *transfer = lua_newuserdatauv(L, sizeof *transfer, KEPT);
    *transfer = http_closed;
    luaL_setmetatable(L, TRANSFER);
    request.connections = keep_connections(L);
    struct sys_error error;
    return http_open(transfer, &request, &error) < 0 ? sys_push_error(L, &error) : 1;
}

/* transfer:close() -> true. At once; idempotent; also __close and __gc. */
static int l_close(lua_State *L)
{
    http_close(luaL_checkudata(L, 1, TRANSFER));
    lua_pushboolean(L, true);
    return 1;
}

/* transfer:fileno() -> the number of the descriptor to wait for, always to read */
static int l_fileno(lua_State *L)
{
    lua_pushinteger(L, check_transfer(L)->epoll);
    return 1;
}

/* transfer:received() -> bytes of the body so far */
static int l_received(lua_State *L)
{
    lua_pushinteger(L, check_transfer(L)->body.received_bytes);
    return 1;
}

/* -- the head ------------------------------------------------------------------------------------------------------ */

/* Sets fields[lower-case name] to the value of one line, unless a line of that name came before. */
static void push_field(lua_State *L, const char *line, size_t length)
{
    char name[128];
    const char *colon = memchr(line, ':', length);
    if (!colon || (size_t)(colon - line) >= sizeof name)
        return;
    size_t count = (size_t)(colon - line);
    for (size_t i = 0; i < count; i++)
        name[i] = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] + ('a' - 'A') : line[i]);
    const char *value = colon + 1, *end = line + length;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    lua_pushlstring(L, name, count);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushlstring(L, value, (size_t)(end - value));
        lua_rawset(L, -3);
    } else {
        lua_pop(L, 2);
    }
}

static void push_fields(lua_State *L, const struct http_head *head)
{
    const char *at = head->text, *end = head->text + head->length;
    lua_newtable(L);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        push_field(L, at, (size_t)(stop - at));
        at = stop + 1;
    }
}

/* transfer:try_head() -> {status=, fields = {["content-length"] = "5", …}, address = "192.0.2.1",
 *                       is_near = false}
 *   | nil, "EAGAIN", "r" | nil, message, code
 * Of the same names the first counts. address: of who answered, which may be a proxy; is_near: it is of this host or its
 * link.
 * Codes: ERESOLVE ECONNECT ETIMEDOUT ETLS EPROXY ECONNRESET EPROTO ETOOBIG ETRUNCATED, EREDIRECT (is_public_only). */
static int l_try_head(lua_State *L)
{
    struct http_transfer *transfer = check_transfer(L);
    struct sys_error error;
    int got = http_run_head(transfer, &error);
    if (got)
        return push_done(L, got, &error);
    const char *address = NULL;
    curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &address);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, transfer->head.status);
    lua_setfield(L, -2, "status");
    set_text(L, "address", address);
    set_boolean(L, "is_near", address && http_is_near_host(address));
    push_fields(L, &transfer->head);
    lua_setfield(L, -2, "fields");
    return 1;
}

/* -- the body ------------------------------------------------------------------------------------------------------ */

/* The list of hashers in field "hashers" of the table at 2; the transfer keeps them alive. */
static void check_hashes(lua_State *L, struct hash *hashes[HTTP_HASHES])
{
    if (lua_getfield(L, 2, "hashers") == LUA_TNIL)
        return;
    luaL_checktype(L, -1, LUA_TTABLE);
    luaL_argcheck(L, lua_rawlen(L, -1) <= HTTP_HASHES, 2, "too many hashers");
    for (int i = 0; i < (int)lua_rawlen(L, -1); i++) {
        lua_rawgeti(L, -1, i + 1);
        hashes[i] = luaL_checkudata(L, -1, HASHER);
        luaL_argcheck(L, !hashes[i]->is_finished, 2, "a finished hasher");
        lua_setiuservalue(L, 1, KEPT_HASHES + i);
    }
}

/* transfer:accept{limit_bytes=, file = fd?, offset = 0, hashers = {hasher, …}?} -> true | nil, message, code
 * Comes once, after try_head. The file is cut at `offset`, where the body goes on; without a file the body stays in memory.
 * hashers get what the file gets. More than limit_bytes of body is an error. */
static int l_accept(lua_State *L)
{
    static const char *const known[] = { "limit_bytes", "file", "offset", "hashers", NULL };
    struct http_transfer *transfer = check_transfer(L);
    luaL_argcheck(L, transfer->head.is_complete && !transfer->is_accepted, 1, "there is no head to accept");
    sys_check_keys(L, 2, known);
    struct http_body body = { .file = sys_option_fd(L, 2, "file") };
    body.limit_bytes = sys_field_integer(L, 2, "limit_bytes", 0, INT64_MAX);
    lua_Integer offset = sys_option_integer(L, 2, "offset", 0, 0, INT64_MAX);
    check_hashes(L, body.hashes);
    struct sys_error error;
    int got = http_accept(transfer, &body, offset, &error);
    return push_done(L, got, &error);
}

/* transfer:try_body() -> true when all of it has come | nil, "EAGAIN", "r" | nil, message, code
 * Codes: as for try_head, and those of writing to the file. What came until then is in the file. */
static int l_try_body(lua_State *L)
{
    struct http_transfer *transfer = check_transfer(L);
    luaL_argcheck(L, transfer->is_accepted, 1, "the body was not accepted");
    struct sys_error error;
    int got = http_run_body(transfer, &error);
    return push_done(L, got, &error);
}

/* transfer:text() -> the body as far as it came, when there is no file */
static int l_text(lua_State *L)
{
    const struct http_transfer *transfer = check_transfer(L);
    bool is_text = transfer->body.file < 0;
    lua_pushlstring(L, is_text ? transfer->body.text : NULL, is_text ? (size_t)transfer->body.received_bytes : 0);
    return 1;
}

/* -- URLs ---------------------------------------------------------------------------------------------------------- */

/* http.url(text [, base]) -> {url=, scheme=, host=, port=, has_user=, is_near=} | nil, message, code
 * As libcurl reads it, so that what is judged is what is fetched; relative to `base` where it is. url: without the user.
 * is_near: the host is localhost or an address of this host or its link; no name is looked up. */
static int l_url(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length), *base = luaL_optstring(L, 2, NULL);
    if (strlen(text) != length)
        return sys_refuse(L, "EINVAL", "a URL holds no NUL byte");
    struct http_url url;
    struct sys_error error;
    if (http_url_read(&url, text, base, &error) < 0)
        return sys_push_error(L, &error);
    lua_createtable(L, 0, 6);
    set_text(L, "url", url.url);
    set_text(L, "scheme", url.scheme);
    set_text(L, "host", url.host);
    set_text(L, "port", url.port);
    set_boolean(L, "has_user", url.has_user);
    set_boolean(L, "is_near", url.is_near);
    return 1;
}

static const luaL_Reg http_functions[] = {
    { "new", l_new }, { "connections", l_connections }, { "url", l_url }, { NULL, NULL },
};
static const luaL_Reg transfer_methods[] = {
    { "close", l_close },   { "fileno", l_fileno },     { "received", l_received }, { "try_head", l_try_head },
    { "accept", l_accept }, { "try_body", l_try_body }, { "text", l_text },         { NULL, NULL },
};
static const luaL_Reg transfer_meta[] = { { "__gc", l_close }, { "__close", l_close }, { NULL, NULL } };
static const luaL_Reg connections_methods[] = { { "close", l_close_connections }, { NULL, NULL } };
static const luaL_Reg connections_meta[] = {
    { "__gc", l_close_connections }, { "__close", l_close_connections }, { NULL, NULL },
};

static void make_class(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int luaopen_sys_http(lua_State *L)
{
    make_class(L, TRANSFER, transfer_meta, transfer_methods);
    make_class(L, CONNECTIONS, connections_meta, connections_methods);
    luaL_newlib(L, http_functions);
    return 1;
}
