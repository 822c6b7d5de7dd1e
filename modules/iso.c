/* sys.iso: ISO 9660 images with Joliet and Rock Ridge, for seeds and other small sets of files. */
#include "iso.h"

#include <string.h>

static const char *const request_keys[] = { "volume", "files", "time", "sync", NULL };
static const char *const file_keys[] = { "name", "data", "path", "mode", NULL };

/* Without NUL, for C's functions. */
static const char *plain_string(lua_State *L, const char *field, const char *value, size_t length)
{
    if (value && strlen(value) != length)
        luaL_error(L, "bad field '%s' (contains a NUL byte)", field);
    return value;
}

/* Reads the file description on top of the stack. */
static void read_file_spec(lua_State *L, struct iso_file *file)
{
    int index = lua_gettop(L);
    size_t length = 0;
    sys_check_keys(L, index, file_keys);
    file->name = sys_field_string(L, index, "name", &file->name_length);
    file->path = sys_option_string(L, index, "path", NULL, &length);
    file->path = plain_string(L, "path", file->path, length);
    file->data = sys_option_string(L, index, "data", NULL, &file->data_length);
    file->mode = (unsigned)sys_option_integer(L, index, "mode", 0644, 0, 0777);
    if (!file->path == !file->data)
        luaL_error(L, "bad file '%s' (either data or path must be given)", file->name);
}

/* The memory belongs to the userdata that is left on the stack; the strings to the caller's table. */
static struct iso_file *read_files(lua_State *L, int index, size_t *count)
{
    lua_getfield(L, index, "files");
    luaL_checktype(L, -1, LUA_TTABLE);
    int list = lua_gettop(L);
    lua_Integer length = luaL_len(L, list);
    luaL_argcheck(L, length >= 0 && length < INT32_MAX, index, "too many files");
    struct iso_file *files = lua_newuserdatauv(L, ((size_t)length + 1) * sizeof *files, 0);
    for (lua_Integer i = 0; i < length; i++) {
        if (lua_geti(L, list, i + 1) != LUA_TTABLE)
            luaL_error(L, "bad field 'files[%I]' (table expected, got %s)", i + 1, luaL_typename(L, -1));
        read_file_spec(L, &files[i]);
        lua_pop(L, 1);
    }
    *count = (size_t)length;
    return files;
}

/* iso.write(path, { volume = "cidata", files = { file, … } [, time = 0] [, sync = true] }) -> size in bytes
 *     | nil, message, code
 * A file is { name = "holos/boot.sh", data = text } or { name =, path = file to copy }, with [mode = 0644]; directories
 * come from the names. `time` (seconds since 1970) dates everything. The same request gives the same bytes, whatever
 * the order of its files. The image appears complete or not at all, mode 0600, in place of an older one; sync = false
 * leaves out fsync. EINVAL: a name or the volume cannot be recorded; EEXIST: two files of one name; EFBIG: a file of 4
 * GiB or more; E2BIG: too many files; ESTALE: a file to copy changed meanwhile. */
static int l_write(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct iso_request request = { .files = NULL };
    struct sys_error error;
    size_t length = 0;
    sys_check_keys(L, 2, request_keys);
    request.volume = sys_field_string(L, 2, "volume", &length);
    request.volume = plain_string(L, "volume", request.volume, length);
    request.time_s = sys_option_integer(L, 2, "time", 0, 0, ISO_TIME_MAX_S);
    request.sync = sys_option_boolean(L, 2, "sync", true);
    request.files = read_files(L, 2, &request.file_count);
    int64_t bytes = iso_write(path, &request, &error);
    if (bytes < 0)
        return sys_push_error(L, &error);
    lua_pushinteger(L, bytes);
    return 1;
}

static const luaL_Reg iso_functions[] = { { "write", l_write }, { NULL, NULL } };

int luaopen_sys_iso(lua_State *L)
{
    luaL_newlib(L, iso_functions);
    return 1;
}
