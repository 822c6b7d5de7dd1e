/* sys.qcow2: disk images and overlays: create, describe, grow. What is in them is QEMU's. */
#include "qcow2.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static const char *const create_keys[] = { "size_bytes", "backing", "backing_format", "mode", NULL };
static const char *const encryption_names[] = { NULL, "aes", "luks" };
static const char *const compression_names[] = { "zlib", "zstd" };

/* Pushes nil, "path: text", code; gives 3. */
static int push_failure(lua_State *L, const char *path, const struct sys_error *error)
{
    return sys_refuse(L, error->code, "%s: %s", path, error->text);
}

/* An option without NUL, for C's functions; NULL when absent. */
static const char *plain_option(lua_State *L, int index, const char *name)
{
    size_t length = 0;
    const char *value = sys_option_string(L, index, name, NULL, &length);
    if (value && strlen(value) != length)
        luaL_error(L, "bad field '%s' (contains a NUL byte)", name);
    return value;
}

/* qcow2.create(path, { size_bytes = [, backing = path, backing_format = "qcow2"|"raw"] [, mode = 0600] }) -> true
 *     | nil, message, code
 * A new image of clusters of 64 KiB, rounded up to 512 bytes, durable when this returns. An overlay always names the
 * format of its backing file, so that nobody ever guesses it from the contents; the file itself is not looked at.
 * EEXIST: never replaces anything; EFBIG: above 2 PiB; EINVAL: a name that QEMU would not read as a file. */
static int l_create(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct sys_error error;
    sys_check_keys(L, 2, create_keys);
    struct qcow2_request request = {
        .size_bytes = (uint64_t)sys_field_integer(L, 2, "size_bytes", 1, LUA_MAXINTEGER),
        .backing = plain_option(L, 2, "backing"),
        .backing_format = plain_option(L, 2, "backing_format"),
        .mode = (mode_t)sys_option_integer(L, 2, "mode", 0600, 0, 0777),
    };
    if (!request.backing != !request.backing_format)
        return luaL_error(L, "bad options (backing and backing_format go together)");
    if (qcow2_create(path, &request, &error) < 0)
        return push_failure(L, path, &error);
    lua_pushboolean(L, true);
    return 1;
}

static void set_integer(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

static void set_boolean(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

/* Absent instead of "". */
static void set_name(lua_State *L, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void push_features(lua_State *L, const struct qcow2_info *info)
{
    set_boolean(L, "dirty", info->incompatible & QCOW2_DIRTY);
    set_boolean(L, "corrupt", info->incompatible & QCOW2_CORRUPT);
    set_boolean(L, "data_file", info->incompatible & QCOW2_DATA_FILE);
    set_boolean(L, "extended_l2", info->incompatible & QCOW2_EXTENDED_L2);
    set_integer(L, "unknown_incompatible", info->incompatible & ~(uint64_t)QCOW2_KNOWN);
    set_boolean(L, "bitmaps", info->has_bitmaps);
    set_boolean(L, "encrypted", info->encryption);
    set_name(L, "encryption", encryption_names[info->encryption]);
    set_name(L, "compression", compression_names[info->compression]);
}

static void push_info(lua_State *L, const struct qcow2_info *info, const struct stat *status)
{
    lua_createtable(L, 0, 20);
    set_integer(L, "version", info->version);
    set_integer(L, "virtual_bytes", info->virtual_bytes);
    set_integer(L, "cluster_bytes", qcow2_cluster_bytes(info));
    set_integer(L, "refcount_bits", UINT64_C(1) << info->refcount_order);
    set_integer(L, "snapshots", info->snapshots);
    set_integer(L, "file_bytes", (uint64_t)status->st_size);
    set_integer(L, "allocated_bytes", (uint64_t)status->st_blocks * 512); /* stat(2): st_blocks counts 512 bytes */
    set_name(L, "backing", info->backing);
    set_name(L, "backing_format", info->backing_format);
    set_name(L, "data_file_name", info->data_file);
    push_features(L, info);
}

/* qcow2.info(path) -> facts | nil, message, code
 * Facts: version, virtual_bytes, cluster_bytes, refcount_bits, snapshots (a count), file_bytes, allocated_bytes;
 * backing, backing_format, data_file_name, encryption ("aes", "luks"): absent when the image has none; compression;
 * dirty, corrupt, data_file, extended_l2, bitmaps, encrypted: booleans; unknown_incompatible: bits that QEMU 7.2 does
 * not know. These describe the image and judge nothing. ENOTQCOW2: no qcow2 magic; EINVAL: cut off, damaged, or made to
 * mislead: no table leads outside the file or into another. The clusters themselves are not looked at. */
static int l_info(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct sys_error error;
    struct qcow2_info info = { .version = 0 };
    struct stat status;
    uint64_t file_bytes = 0;
    int fd = qcow2_open(path, O_RDONLY, &file_bytes, &error);
    if (fd < 0)
        return push_failure(L, path, &error);
    int result = qcow2_load(fd, file_bytes, &info, &error);
    if (!result && fstat(fd, &status) < 0)
        result = sys_error_set(&error, sys_errno_name(errno), "%s", strerror(errno));
    close(fd);
    if (result)
        return push_failure(L, path, &error);
    push_info(L, &info, &status);
    return 1;
}

/* qcow2.grow(path, size_bytes) -> true | nil, message, code
 * Makes the virtual disk larger (rounded up to 512 bytes); the guest's data stays, the new part reads as zeros, and a
 * crash at any moment leaves a valid image of the old or the new size. EINVAL: smaller than now, or damaged; EBUSY: a
 * QEMU has it open; EOPNOTSUPP: snapshots, bitmaps, encryption, external data, an unclean or unknown image, or a
 * backing file larger than the disk, whose end would come to light; EFBIG: above what its cluster size allows. */
static int l_grow(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lua_Integer size_bytes = luaL_checkinteger(L, 2);
    struct sys_error error;
    luaL_argcheck(L, size_bytes > 0, 2, "a size in bytes expected");
    if (qcow2_grow(path, (uint64_t)size_bytes, &error) < 0)
        return push_failure(L, path, &error);
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg qcow2_functions[] = {
    { "create", l_create },
    { "info", l_info },
    { "grow", l_grow },
    { NULL, NULL },
};

int luaopen_sys_qcow2(lua_State *L)
{
    luaL_newlib(L, qcow2_functions);
    return 1;
}
