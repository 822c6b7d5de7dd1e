/* sys.build: what this binary is made of.
 *
 * version, id, architecture, libraries = { {name=, version=}, … } are plain values; licenses() gives
 * { {name=, version=, licence=, text=}, … }, built on demand because the texts are long; file() gives one of the files in it;
 * release_scripts() gives the memory of scripts that were loaded back. */
#include <curl/curl.h>
#include <jansson.h>
#include <libssh2.h>
#include <mbedtls/version.h>
#include <string.h>
#include <yaml.h>

#include "embedded.h"
#include "sys.h"

#if defined(__x86_64__)
#define ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define ARCHITECTURE "aarch64"
#else
#error "holos is built for x86_64 and aarch64"
#endif

/* Hash over everything that is linked; generated. */
extern const char holos_build_id[];

static void add_library(lua_State *L, const char *name, const char *version)
{
    lua_createtable(L, 0, 2);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, version);
    lua_setfield(L, -2, "version");
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* As the libraries themselves say, not as the pins do. */
static void push_libraries(lua_State *L)
{
    char mbedtls[16];
    mbedtls_version_get_string(mbedtls);
    lua_newtable(L);
    add_library(L, "lua", LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE);
    add_library(L, "libyaml", yaml_get_version_string());
    add_library(L, "mbedtls", mbedtls);
    add_library(L, "curl", curl_version());
    add_library(L, "libssh2", libssh2_version(0));
    add_library(L, "jansson", jansson_version_str());
}

/* licenses() -> { {name=, version=, licence=SPDX identifier, text=}, … } in the order of vendor/pins, ours first. */
static int build_licenses(lua_State *L)
{
    const struct embedded_file *file = embedded_find("licenses");
    if (!file || luaL_loadbufferx(L, file->data, file->size, "=licenses", "b"))
        return luaL_error(L, "the licence texts are missing from this binary");
    lua_call(L, 0, 1);
    return 1;
}

/* file(path) -> the bytes of a file that is no script, by its path in the repository | nil when there is none */
static int build_file(lua_State *L)
{
    size_t length;
    const char *path = luaL_checklstring(L, 1, &length);
    bool is_script = length > 4 && !strcmp(path + length - 4, ".lua");
    const struct embedded_file *file = is_script ? NULL : embedded_find(path);
    if (!file || !strcmp(path, "licenses"))
        return 0;
    lua_pushlstring(L, file->data, file->size);
    return 1;
}

/* release_scripts(): what was read of the embedded scripts so far needs no memory any more, for processes that live long.
 * Nothing changes but that: one that is loaded later is read from the binary's file again. */
static int build_release_scripts(lua_State *L)
{
    (void)L;
    embedded_release();
    return 0;
}

int luaopen_sys_build(lua_State *L)
{
    lua_newtable(L);
    lua_pushliteral(L, HOLOS_VERSION);
    lua_setfield(L, -2, "version");
    lua_pushstring(L, holos_build_id);
    lua_setfield(L, -2, "id");
    lua_pushliteral(L, ARCHITECTURE);
    lua_setfield(L, -2, "architecture");
    push_libraries(L);
    lua_setfield(L, -2, "libraries");
    lua_pushcfunction(L, build_licenses);
    lua_setfield(L, -2, "licenses");
    lua_pushcfunction(L, build_file);
    lua_setfield(L, -2, "file");
    lua_pushcfunction(L, build_release_scripts);
    lua_setfield(L, -2, "release_scripts");
    return 1;
}
