/* holos: opens a Lua state with the primitives and the embedded scripts, and runs lua/main.lua in it. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "embedded.h"
#include "lualib.h"
#include "sys.h"

enum { EXIT_INTERNAL = 70 }; /* sysexits.h: an internal software error */

/* -- scripts: $HOLOS_LUA_PATH, then the binary ---------------------------------------------------------------------------- */

/* Loads the text file at `path` under `chunk_name`. True when it is there; what it holds must then be right. */
static bool load_text(lua_State *L, const char *path, const char *chunk_name)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT ? false : luaL_error(L, "%s: %s", path, strerror(errno));
    luaL_Buffer text;
    luaL_buffinit(L, &text);
    for (size_t got; (got = fread(luaL_prepbuffer(&text), 1, LUAL_BUFFERSIZE, file)) > 0;)
        luaL_addsize(&text, got);
    bool failed = ferror(file);
    fclose(file);
    luaL_pushresult(&text);
    if (failed)
        luaL_error(L, "%s: cannot be read", path);
    size_t length;
    const char *bytes = lua_tolstring(L, -1, &length);
    if (luaL_loadbufferx(L, bytes, length, chunk_name, "t"))
        lua_error(L);
    lua_remove(L, -2);
    return true;
}

/* The searcher: `holos.core.err` is lua/core/err.lua, `holos.recipes.x` is recipes/x.lua; no other names. package.path is
 * never consulted, so a json.lua in the working directory cannot be picked up. */
static int search_script(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (strncmp(name, "holos.", 6) != 0)
        return 0;
    const char *rest = luaL_gsub(L, name + 6, ".", "/");
    const char *folder = strncmp(rest, "recipes/", 8) == 0 ? "" : "lua/";
    const char *chunk_name = lua_pushfstring(L, "@%s%s.lua", folder, rest);
    const char *directory = secure_getenv("HOLOS_LUA_PATH");
    if (directory && load_text(L, lua_pushfstring(L, "%s/%s.lua", directory, rest), chunk_name)) {
        lua_pushstring(L, chunk_name + 1);
        return 2;
    }
    const struct embedded_file *file = embedded_find(chunk_name + 1);
    if (!file) {
        lua_pushfstring(L, "no script '%s' in this binary", chunk_name + 1);
        return 1;
    }
    if (luaL_loadbufferx(L, file->data, file->size, chunk_name, "b"))
        return lua_error(L);
    lua_pushstring(L, chunk_name + 1);
    return 2;
}

/* -- the state ----------------------------------------------------------------------------------------------------------- */

/* load() for text only: Lua does not verify bytecode, so a crafted chunk could do anything. Upvalue: the original. */
static int load_only_text(lua_State *L)
{
    if (lua_gettop(L) < 3)
        lua_settop(L, 3);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static void remove_fields(lua_State *L, const char *table, const char *const names[])
{
    lua_getglobal(L, table);
    for (; *names; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
    lua_pop(L, 1);
}

/* What starts processes, ends this one behind the callers' backs, changes all of it, or loads code from elsewhere. */
static void remove_dangerous(lua_State *L)
{
    remove_fields(L, "os", (const char *const[]){ "execute", "exit", "setlocale", "tmpname", NULL });
    remove_fields(L, "io", (const char *const[]){ "popen", "tmpfile", NULL });
    remove_fields(L, "package", (const char *const[]){ "loadlib", "searchpath", "path", "cpath", NULL });
    remove_fields(L, "_G", (const char *const[]){ "dofile", "loadfile", NULL });
    lua_getglobal(L, "load");
    lua_pushcclosure(L, load_only_text, 1);
    lua_setglobal(L, "load");
}

static void set_searchers(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    lua_createtable(L, 2, 0);
    lua_rawgeti(L, -2, 1); /* preload */
    lua_rawseti(L, -2, 1);
    lua_pushcfunction(L, search_script);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, -3, "searchers");
    lua_pop(L, 2);
}

/* require "sys.fs" and its siblings; opened when first asked for. */
static void preload_primitives(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (const struct sys_module *module = sys_modules; module->name; module++) {
        lua_pushfstring(L, "sys.%s", module->name);
        module->open ? lua_pushcfunction(L, module->open) : lua_pushnil(L);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
}

/* -- running ------------------------------------------------------------------------------------------------------------- */

static int add_traceback(lua_State *L)
{
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

/* Protected: (argc, argv) -> the status that main gave. */
static int run_main(lua_State *L)
{
    int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    luaL_openlibs(L);
    remove_dangerous(L);
    set_searchers(L);
    preload_primitives(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "holos.main");
    lua_call(L, 1, 1);
    lua_createtable(L, argc, 1);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_call(L, 1, 1);
    if (!lua_isinteger(L, -1))
        return luaL_error(L, "main gave a %s, not an exit status", luaL_typename(L, -1));
    return 1;
}

static int report(lua_State *L, int status)
{
    if (status == LUA_ERRMEM) {
        fputs("holos: not enough memory\n", stderr);
        return EXIT_FAILURE;
    }
    fprintf(stderr, "holos: internal error, please report it with what follows\n%s\n", lua_tostring(L, -1));
    return EXIT_INTERNAL;
}

/* print() ignores failed writes; a result that is not all there must not look like success. Silent when the reader left. */
static int check_output(int result)
{
    if ((!fflush(stdout) && !ferror(stdout)) || result)
        return result;
    struct pollfd output = { .fd = STDOUT_FILENO };
    if (poll(&output, 1, 0) <= 0 || !(output.revents & POLLERR))
        fputs("holos: standard output could not be written completely\n", stderr);
    return EXIT_FAILURE;
}

int holos_run(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    lua_State *L = sys_new_state();
    if (!L) {
        fputs("holos: not enough memory\n", stderr);
        return EXIT_FAILURE;
    }
    lua_pushcfunction(L, add_traceback);
    lua_pushcfunction(L, run_main);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    int status = lua_pcall(L, 2, 1, 1);
    int result = status ? report(L, status) : (int)lua_tointeger(L, -1);
    lua_close(L);
    return check_output(result);
}

int main(int argc, char **argv)
{
    return holos_run(argc, argv);
}
