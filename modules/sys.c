/* Results, errno names, option tables, the Lua state and the list of modules; see sys.h. */
#include "sys.h"
#include "sys_memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct errno_name {
    int number;
    const char *name;
};

#define NAME(code) { code, #code }
/* Our own table: strerrorname_np is glibc's, musl has none. */
static const struct errno_name errno_names[] = {
    NAME(EPERM),        NAME(ENOENT),      NAME(ESRCH),        NAME(EINTR),       NAME(EIO),          NAME(ENXIO),
    NAME(E2BIG),        NAME(ENOEXEC),     NAME(EBADF),        NAME(ECHILD),      NAME(EAGAIN),       NAME(ENOMEM),
    NAME(EACCES),       NAME(EFAULT),      NAME(EBUSY),        NAME(EEXIST),      NAME(EXDEV),        NAME(ENODEV),
    NAME(ENOTDIR),      NAME(EISDIR),      NAME(EINVAL),       NAME(ENFILE),      NAME(EMFILE),       NAME(ENOTTY),
    NAME(ETXTBSY),      NAME(EFBIG),       NAME(ENOSPC),       NAME(ESPIPE),      NAME(EROFS),        NAME(EMLINK),
    NAME(EPIPE),        NAME(EDOM),        NAME(ERANGE),       NAME(EDEADLK),     NAME(ENAMETOOLONG), NAME(ENOLCK),
    NAME(ENOSYS),       NAME(ENOTEMPTY),   NAME(ELOOP),        NAME(EOVERFLOW),   NAME(EILSEQ),       NAME(ENOTSOCK),
    NAME(EDESTADDRREQ), NAME(EMSGSIZE),    NAME(EPROTOTYPE),   NAME(ENOPROTOOPT), NAME(EPROTO),       NAME(EOPNOTSUPP),
    NAME(EAFNOSUPPORT), NAME(EADDRINUSE),  NAME(EADDRNOTAVAIL), NAME(ENETDOWN),   NAME(ENETUNREACH),  NAME(ECONNABORTED),
    NAME(ECONNRESET),   NAME(ENOBUFS),     NAME(EISCONN),      NAME(ENOTCONN),    NAME(ETIMEDOUT),    NAME(ECONNREFUSED),
    NAME(EHOSTDOWN),    NAME(EHOSTUNREACH), NAME(EALREADY),    NAME(EINPROGRESS), NAME(ESTALE),       NAME(EDQUOT),
    NAME(ECANCELED),    NAME(EBADMSG),     NAME(ENODATA),      NAME(EUSERS),      NAME(EPROTONOSUPPORT),
};
#undef NAME

const char *sys_errno_name(int errnum)
{
    for (size_t i = 0; i < sizeof errno_names / sizeof errno_names[0]; i++)
        if (errno_names[i].number == errnum)
            return errno_names[i].name;
    return "EUNKNOWN";
}

int sys_fail(lua_State *L, int errnum, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", text, strerror(errnum));
    lua_pushstring(L, sys_errno_name(errnum));
    return 3;
}

int sys_refuse(lua_State *L, const char *code, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    lua_pushnil(L);
    lua_pushstring(L, text);
    lua_pushstring(L, code);
    return 3;
}

int sys_again(lua_State *L, const char *direction)
{
    lua_pushnil(L);
    lua_pushliteral(L, "EAGAIN");
    lua_pushstring(L, direction);
    return 3;
}

int sys_error_set(struct sys_error *error, const char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    snprintf(error->code, sizeof error->code, "%s", code);
    return -1;
}

int sys_push_error(lua_State *L, const struct sys_error *error)
{
    lua_pushnil(L);
    lua_pushstring(L, error->text);
    lua_pushstring(L, error->code);
    return 3;
}

const char *sys_check_path(lua_State *L, int index)
{
    size_t length;
    const char *path = luaL_checklstring(L, index, &length);
    luaL_argcheck(L, strlen(path) == length, index, "a path holds no NUL byte");
    return path;
}

static bool is_known(const char *const known[], const char *key)
{
    for (; *known; known++)
        if (!strcmp(*known, key))
            return true;
    return false;
}

void sys_check_keys(lua_State *L, int index, const char *const known[])
{
    luaL_checktype(L, index, LUA_TTABLE);
    index = lua_absindex(L, index);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "option names are strings, got a %s", luaL_typename(L, -2));
        if (!is_known(known, lua_tostring(L, -2)))
            luaL_error(L, "unknown option '%s'", lua_tostring(L, -2));
    }
}

static int bad_field(lua_State *L, const char *name, const char *wanted)
{
    return luaL_error(L, "bad field '%s' (%s expected, got %s)", name, wanted, luaL_typename(L, -1));
}

static lua_Integer integer_here(lua_State *L, const char *name, lua_Integer least, lua_Integer most)
{
    int is_integer = 0;
    lua_Integer value = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &is_integer) : 0;
    if (!is_integer)
        bad_field(L, name, "integer");
    if (value < least || value > most)
        luaL_error(L, "bad field '%s' (%I is not in %I..%I)", name, value, least, most);
    lua_pop(L, 1);
    return value;
}

lua_Integer sys_field_integer(lua_State *L, int index, const char *name, lua_Integer least, lua_Integer most)
{
    lua_getfield(L, index, name);
    return integer_here(L, name, least, most);
}

lua_Integer sys_option_integer(lua_State *L, int index, const char *name, lua_Integer fallback, lua_Integer least,
                               lua_Integer most)
{
    if (lua_getfield(L, index, name) != LUA_TNIL)
        return integer_here(L, name, least, most);
    lua_pop(L, 1);
    return fallback;
}

const char *sys_field_string(lua_State *L, int index, const char *name, size_t *length)
{
    if (lua_getfield(L, index, name) != LUA_TSTRING)
        bad_field(L, name, "string");
    const char *value = lua_tolstring(L, -1, length);
    lua_pop(L, 1);
    return value;
}

const char *sys_option_string(lua_State *L, int index, const char *name, const char *fallback, size_t *length)
{
    int type = lua_getfield(L, index, name);
    lua_pop(L, 1);
    if (type != LUA_TNIL)
        return sys_field_string(L, index, name, length);
    if (length)
        *length = fallback ? strlen(fallback) : 0;
    return fallback;
}

bool sys_option_boolean(lua_State *L, int index, const char *name, bool fallback)
{
    int type = lua_getfield(L, index, name);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        bad_field(L, name, "boolean");
    bool value = type == LUA_TNIL ? fallback : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

struct warnings {
    bool are_on;
    bool in_message; /* which comes in parts */
};

/* warn() of scripts: silent until one says warn("@on"), as in Lua's own interpreter. */
static void warn(void *data, const char *part, int to_be_continued)
{
    struct warnings *warnings = data;
    if (!warnings->in_message && !to_be_continued && part[0] == '@')
        warnings->are_on = !strcmp(part, "@on") || (warnings->are_on && strcmp(part, "@off") != 0);
    else if (warnings->are_on)
        fprintf(stderr, "%s%s%s", warnings->in_message ? "" : "Lua warning: ", part, to_be_continued ? "" : "\n");
    warnings->in_message = to_be_continued;
}

/* Memory that is taken before garbage is looked for: most commands end with less. */
#define UNCOLLECTED_KIB (4 * 1024)

lua_State *sys_new_state(void)
{
    static struct sys_memory memory;
    static struct warnings warnings;
    lua_State *L = lua_newstate(sys_memory_resize, &memory);
    if (!L)
        return NULL;
    lua_setwarnf(L, warn, &warnings);
    lua_gc(L, LUA_GCSTEP, -UNCOLLECTED_KIB); /* a step counts as so much taken; this one as so much not taken yet */
    return L;
}

/* Weak, so that a build without one of them still links: its module is then absent. */
#define MODULE(name) int luaopen_sys_##name(lua_State *) __attribute__((weak))
MODULE(fs); MODULE(proc); MODULE(clock); MODULE(host); MODULE(hash); MODULE(tty); MODULE(lock); MODULE(poll);
MODULE(launch); MODULE(qemu); MODULE(qmp); MODULE(net); MODULE(iso); MODULE(qcow2); MODULE(sshkey); MODULE(ssh);
MODULE(yaml); MODULE(json); MODULE(http); MODULE(fd); MODULE(build);
#undef MODULE

const struct sys_module sys_modules[] = {
    { "fs", luaopen_sys_fs },         { "proc", luaopen_sys_proc },   { "clock", luaopen_sys_clock },
    { "host", luaopen_sys_host },     { "hash", luaopen_sys_hash },   { "tty", luaopen_sys_tty },
    { "lock", luaopen_sys_lock },     { "poll", luaopen_sys_poll },   { "launch", luaopen_sys_launch },
    { "qemu", luaopen_sys_qemu },     { "qmp", luaopen_sys_qmp },     { "net", luaopen_sys_net },
    { "iso", luaopen_sys_iso },       { "qcow2", luaopen_sys_qcow2 }, { "sshkey", luaopen_sys_sshkey },
    { "ssh", luaopen_sys_ssh },       { "yaml", luaopen_sys_yaml },   { "json", luaopen_sys_json },
    { "http", luaopen_sys_http },     { "fd", luaopen_sys_fd },       { "build", luaopen_sys_build },
    { NULL, NULL },
};
