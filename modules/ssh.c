/* sys.ssh: SSH client sessions and channels that never block. Failures: see ssh.h for the codes. */
#include "ssh.h"

#include <string.h>

#define SSH_SESSION "sys.ssh.session"
#define SSH_CHANNEL "sys.ssh.channel"
#define READ_LIMIT_BYTES (1 << 20)
#define COLUMNS_LIMIT 10000

static struct ssh_session *check_session(lua_State *L)
{
    struct ssh_session *session = luaL_checkudata(L, 1, SSH_SESSION);
    luaL_argcheck(L, session->raw, 1, "closed");
    return session;
}

static struct ssh_channel *check_channel(lua_State *L)
{
    struct ssh_channel *channel = luaL_checkudata(L, 1, SSH_CHANNEL);
    luaL_argcheck(L, channel->raw && channel->session->raw, 1, "closed");
    return channel;
}

/* Pushes true for 0, else nil, "EAGAIN", direction or nil, message, code. */
static int push_done(lua_State *L, const struct ssh_session *session, int got, const struct sys_error *error)
{
    if (got == -EAGAIN)
        return sys_again(L, ssh_direction(session));
    if (got < 0)
        return sys_push_error(L, error);
    lua_pushboolean(L, true);
    return 1;
}

/* -- sessions ------------------------------------------------------------------------------------------------------ */

/* ssh.new(fd) -> session over a connected socket | nil, message, code
 * The session works on a duplicate: the caller closes `fd` when it likes. */
static int l_new(lua_State *L)
{
    int fd = sys_fd_check(L, 1);
    struct ssh_session *session = lua_newuserdatauv(L, sizeof *session, 0);
    *session = (struct ssh_session){ .fd = -1 };
    luaL_setmetatable(L, SSH_SESSION);
    struct sys_error error;
    return ssh_session_open(session, fd, &error) < 0 ? sys_push_error(L, &error) : 1;
}

/* session:close() -> true. At once, without a word to the server; idempotent; also __close and __gc. */
static int l_close(lua_State *L)
{
    ssh_session_close(luaL_checkudata(L, 1, SSH_SESSION));
    lua_pushboolean(L, true);
    return 1;
}

/* session:fileno() -> the number of the socket to wait for */
static int l_fileno(lua_State *L)
{
    lua_pushinteger(L, check_session(L)->fd);
    return 1;
}

/* session:directions() -> "r", or "rw" while bytes wait to be sent */
static int l_directions(lua_State *L)
{
    lua_pushstring(L, ssh_direction(check_session(L)));
    return 1;
}

/* session:received() -> number of bytes taken from the socket so far. A call that raises it may have taken what another
 * task waits for. */
static int l_received(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_session(L)->received_bytes);
    return 1;
}

/* session:banner() -> "SSH-2.0-…" | nil before it came */
static int l_banner(lua_State *L)
{
    const char *banner = libssh2_session_banner_get(check_session(L)->raw);
    if (banner && !strncmp(banner, "SSH-", 4))
        lua_pushstring(L, banner);
    else
        lua_pushnil(L);
    return 1;
}

static int session_call(lua_State *L, int (*operation)(struct ssh_session *, struct sys_error *))
{
    struct ssh_session *session = check_session(L);
    struct sys_error error;
    int got = operation(session, &error);
    return push_done(L, session, got, &error);
}

/* session:try_handshake() -> true | nil, "EAGAIN", direction | nil, message, code */
static int l_try_handshake(lua_State *L)
{
    return session_call(L, ssh_session_handshake);
}

/* session:try_keepalive() -> true | nil, message, code. Asks the server for a sign of life, which received() shows. */
static int l_try_keepalive(lua_State *L)
{
    return session_call(L, ssh_session_keepalive);
}

/* session:try_disconnect() -> true when the farewell is sent | nil, "EAGAIN", direction | nil, message, code */
static int l_try_disconnect(lua_State *L)
{
    return session_call(L, ssh_session_disconnect);
}

/* session:host_key() -> "ecdsa-sha2-nistp256 AAAA…", the key that the server has proved to hold
 *                     | nil, message, "EINVAL" before the handshake and after authentication */
static int l_host_key(lua_State *L)
{
    const struct ssh_session *session = check_session(L);
    char line[SSH_HOST_KEY_BYTES];
    if (ssh_session_host_key(session, line) < 0)
        return sys_refuse(L, "EINVAL", "the server has shown no usable host key");
    lua_pushstring(L, line);
    return 1;
}

/* session:methods() -> {key_exchange=, host_key=, cipher=, mac=} as agreed with the server */
static int l_methods(lua_State *L)
{
    static const struct method {
        const char *field;
        int type;
    } methods[] = {
        { "key_exchange", LIBSSH2_METHOD_KEX },
        { "host_key", LIBSSH2_METHOD_HOSTKEY },
        { "cipher", LIBSSH2_METHOD_CRYPT_SC },
        { "mac", LIBSSH2_METHOD_MAC_SC },
    };
    LIBSSH2_SESSION *raw = check_session(L)->raw;
    lua_createtable(L, 0, 4);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        lua_pushstring(L, libssh2_session_methods(raw, methods[i].type));
        lua_setfield(L, -2, methods[i].field);
    }
    return 1;
}

/* session:try_authenticate(user, public_line, private_text) -> true | nil, "EAGAIN", direction
 *   | nil, message, "EAUTH" (refused), "EINVAL" (no pair of keys), …
 * The user's name holds no NUL. */
static int l_try_authenticate(lua_State *L)
{
    struct ssh_session *session = check_session(L);
    size_t user_length;
    struct ssh_credentials credentials = { .user = luaL_checklstring(L, 2, &user_length) };
    credentials.public_text = luaL_checklstring(L, 3, &credentials.public_length);
    credentials.private_text = luaL_checklstring(L, 4, &credentials.private_length);
    luaL_argcheck(L, user_length > 0 && strlen(credentials.user) == user_length, 2, "not a user's name");
    struct sys_error error;
    int got = ssh_session_authenticate(session, &credentials, &error);
    return push_done(L, session, got, &error);
}

/* session:try_open() -> channel | nil, "EAGAIN", direction | nil, message, code
 * The session stays alive as long as one of its channels. */
static int l_try_open(lua_State *L)
{
    struct ssh_session *session = check_session(L);
    struct ssh_channel *channel = lua_newuserdatauv(L, sizeof *channel, 1);
    *channel = (struct ssh_channel){ .session = session };
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, SSH_CHANNEL);
    struct sys_error error;
    int got = ssh_channel_open(channel, &error);
    return got ? push_done(L, session, got, &error) : 1;
}

/* -- channels ------------------------------------------------------------------------------------------------------ */

static int check_size(lua_State *L, int index)
{
    lua_Integer size = luaL_checkinteger(L, index);
    luaL_argcheck(L, size >= 1 && size <= COLUMNS_LIMIT, index, "not a terminal's size");
    return (int)size;
}

/* Pushes the result of a call of libssh2 that ssh_begin() came before. */
static int push_call(lua_State *L, struct ssh_channel *channel, int result, const char *what)
{
    struct sys_error error;
    int got = ssh_end(channel->session, result, what, &error);
    return push_done(L, channel->session, got, &error);
}

/* channel:try_pty(term, columns, rows) -> true | nil, "EAGAIN", direction | nil, message, code. Comes first. */
static int l_try_pty(lua_State *L)
{
    struct ssh_channel *channel = check_channel(L);
    size_t length;
    const char *term = luaL_checklstring(L, 2, &length);
    int columns = check_size(L, 3), rows = check_size(L, 4);
    ssh_begin(channel->session);
    int result = libssh2_channel_request_pty_ex(channel->raw, term, (unsigned)length, NULL, 0, columns, rows, 0, 0);
    return push_call(L, channel, result, "ssh terminal");
}

/* channel:try_resize(columns, rows) -> true | nil, "EAGAIN", direction | nil, message, code */
static int l_try_resize(lua_State *L)
{
    struct ssh_channel *channel = check_channel(L);
    int columns = check_size(L, 2), rows = check_size(L, 3);
    ssh_begin(channel->session);
    return push_call(L, channel, libssh2_channel_request_pty_size(channel->raw, columns, rows), "ssh resize");
}

/* channel:try_signal(name) -> true | nil, "EAGAIN", direction | nil, message, code
 * Sent to the remote command: "TERM", "KILL"; servers may ignore it. */
static int l_try_signal(lua_State *L)
{
    struct ssh_channel *channel = check_channel(L);
    const char *name = luaL_checkstring(L, 2);
    ssh_begin(channel->session);
    return push_call(L, channel, libssh2_channel_signal(channel->raw, name), "ssh signal");
}

/* channel:try_exec(command) -> true | nil, "EAGAIN", direction | nil, message, code. The user's shell reads it. */
static int l_try_exec(lua_State *L)
{
    struct ssh_channel *channel = check_channel(L);
    size_t length;
    const char *command = luaL_checklstring(L, 2, &length);
    ssh_begin(channel->session);
    int result = libssh2_channel_process_startup(channel->raw, "exec", 4, command, (unsigned)length);
    return push_call(L, channel, result, "ssh exec");
}

/* channel:try_shell() -> true | nil, "EAGAIN", direction | nil, message, code */
static int l_try_shell(lua_State *L)
{
    struct ssh_channel *channel = check_channel(L);
    ssh_begin(channel->session);
    return push_call(L, channel, libssh2_channel_shell(channel->raw), "ssh shell");
}

/* channel:try_read("stdout"|"stderr", max_bytes) -> text, "" at the end | nil, "EAGAIN", direction
 *                                                | nil, message, code */
static int l_try_read(lua_State *L)
{
    static const char *const streams[] = { "stdout", "stderr", NULL };
    struct ssh_channel *channel = check_channel(L);
    int stream = luaL_checkoption(L, 2, NULL, streams);
    lua_Integer limit = luaL_checkinteger(L, 3);
    luaL_argcheck(L, limit > 0, 3, "at least one byte must be asked for");
    luaL_Buffer buffer;
    size_t size = limit < READ_LIMIT_BYTES ? (size_t)limit : READ_LIMIT_BYTES;
    char *space = luaL_buffinitsize(L, &buffer, size);
    struct sys_error error;
    int got = ssh_channel_read(channel, stream, space, size, &error);
    if (got < 0)
        return push_done(L, channel->session, got, &error);
    luaL_pushresultsize(&buffer, (size_t)got);
    return 1;
}

/* channel:try_write(text [, from = 1]) -> bytes taken | nil, "EAGAIN", direction | nil, message, code */
static int l_try_write(lua_State *L)
{
    struct ssh_channel *channel = check_channel(L);
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    luaL_argcheck(L, from >= 1 && (size_t)from <= length, 3, "out of the text");
    struct sys_error error;
    int got = ssh_channel_write(channel, text + from - 1, length - (size_t)(from - 1), &error);
    if (got < 0)
        return push_done(L, channel->session, got, &error);
    lua_pushinteger(L, got);
    return 1;
}

/* channel:try_send_eof() -> true | nil, "EAGAIN", direction | nil, message, code */
static int l_try_send_eof(lua_State *L)
{
    struct ssh_channel *channel = check_channel(L);
    ssh_begin(channel->session);
    return push_call(L, channel, libssh2_channel_send_eof(channel->raw), "ssh eof");
}

/* channel:try_wait() -> true when the server has closed its side, both streams being read to their ends
 *                     | nil, "EAGAIN", direction | nil, message, code */
static int l_try_wait(lua_State *L)
{
    struct ssh_channel *channel = check_channel(L);
    ssh_begin(channel->session);
    int result = libssh2_channel_wait_eof(channel->raw);
    if (!result)
        result = libssh2_channel_wait_closed(channel->raw);
    return push_call(L, channel, result, "ssh wait");
}

/* channel:try_close() -> true when both sides are closed | nil, "EAGAIN", direction | nil, message, code */
static int l_try_close(lua_State *L)
{
    struct ssh_channel *channel = luaL_checkudata(L, 1, SSH_CHANNEL);
    struct sys_error error;
    int got = channel->raw && channel->session->raw ? ssh_channel_close(channel, &error) : 0;
    return push_done(L, channel->session, got, &error);
}

/* channel:close() -> true. Tells the server without waiting for its answer; idempotent; also __close and __gc. */
static int l_channel_close(lua_State *L)
{
    struct ssh_channel *channel = luaL_checkudata(L, 1, SSH_CHANNEL);
    struct sys_error error;
    if (channel->raw && channel->session->raw)
        ssh_channel_close(channel, &error);
    channel->raw = NULL; /* what is left of it goes with the session */
    lua_pushboolean(L, true);
    return 1;
}

/* channel:exit() -> {status = 0…255} | {signal = "KILL"} | nil when the server has not said how the command ended */
static int l_exit(lua_State *L)
{
    struct ssh_channel *channel = luaL_checkudata(L, 1, SSH_CHANNEL);
    if (channel->session->raw)
        ssh_channel_note_exit(channel);
    if (!*channel->signal && channel->status < 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 1);
    if (*channel->signal)
        lua_pushstring(L, channel->signal);
    else
        lua_pushinteger(L, channel->status & 0xff);
    lua_setfield(L, -2, *channel->signal ? "signal" : "status");
    return 1;
}

/* -- the module ---------------------------------------------------------------------------------------------------- */

static const luaL_Reg ssh_functions[] = { { "new", l_new }, { NULL, NULL } };
static const luaL_Reg session_methods[] = {
    { "close", l_close },
    { "fileno", l_fileno },
    { "directions", l_directions },
    { "received", l_received },
    { "banner", l_banner },
    { "try_handshake", l_try_handshake },
    { "host_key", l_host_key },
    { "methods", l_methods },
    { "try_authenticate", l_try_authenticate },
    { "try_keepalive", l_try_keepalive },
    { "try_disconnect", l_try_disconnect },
    { "try_open", l_try_open },
    { NULL, NULL },
};
static const luaL_Reg session_meta[] = { { "__gc", l_close }, { "__close", l_close }, { NULL, NULL } };
static const luaL_Reg channel_methods[] = {
    { "close", l_channel_close },
    { "try_pty", l_try_pty },
    { "try_resize", l_try_resize },
    { "try_signal", l_try_signal },
    { "try_exec", l_try_exec },
    { "try_shell", l_try_shell },
    { "try_read", l_try_read },
    { "try_write", l_try_write },
    { "try_send_eof", l_try_send_eof },
    { "try_wait", l_try_wait },
    { "try_close", l_try_close },
    { "exit", l_exit },
    { NULL, NULL },
};
static const luaL_Reg channel_meta[] = { { "__gc", l_channel_close }, { "__close", l_channel_close }, { NULL, NULL } };

static void new_type(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *method_list)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, method_list, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int luaopen_sys_ssh(lua_State *L)
{
    new_type(L, SSH_SESSION, session_meta, session_methods);
    new_type(L, SSH_CHANNEL, channel_meta, channel_methods);
    luaL_newlib(L, ssh_functions);
    return 1;
}
