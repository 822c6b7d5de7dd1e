/* sys.host: this machine and what this process was started with. Nothing here changes either. */
#include "sys.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

enum { RANDOM_LIMIT_BYTES = 1 << 20 };

/* -- mechanism ----------------------------------------------------------------------------------------------------- */

/* The processors this process may use, which containers and taskset limit. */
static int count_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more than cpu_set_t has room for */
    return online > 0 && online < INT_MAX ? (int)online : 1;
}

struct memory {
    long long total_bytes, available_bytes;
};

static int read_memory(struct memory *memory)
{
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file)
        return -errno;
    char line[160];
    *memory = (struct memory){ -1, -1 };
    while (fgets(line, sizeof line, file)) {
        if (!strncmp(line, "MemTotal:", 9))
            memory->total_bytes = strtoll(line + 9, NULL, 10) * 1024;
        else if (!strncmp(line, "MemAvailable:", 13))
            memory->available_bytes = strtoll(line + 13, NULL, 10) * 1024;
    }
    fclose(file);
    return memory->total_bytes < 0 || memory->available_bytes < 0 ? -EPROTO : 0;
}

/* The path of the program that runs; of the one that took its place when it was replaced or removed meanwhile. */
static ssize_t find_executable(char *path, size_t size)
{
    static const char mark[] = " (deleted)";
    struct stat status;
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length < 0)
        return -errno;
    path[length] = '\0';
    size_t mark_length = sizeof mark - 1;
    if ((size_t)length > mark_length && !strcmp(path + length - mark_length, mark) && lstat(path, &status) < 0)
        length -= (ssize_t)mark_length;
    return length;
}

/* -- binding ------------------------------------------------------------------------------------------------------- */

/* host.env(name) -> text | nil when it is not set */
static int l_env(lua_State *L)
{
    lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
    return 1;
}

/* host.environ() -> {NAME = text, …} */
static int l_environ(lua_State *L)
{
    lua_newtable(L);
    for (char **entry = environ; entry && *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (!equals)
            continue;
        lua_pushlstring(L, *entry, (size_t)(equals - *entry));
        lua_pushstring(L, equals + 1);
        lua_rawset(L, -3);
    }
    return 1;
}

/* host.uid(), host.gid() -> the effective ids */
static int l_uid(lua_State *L)
{
    lua_pushinteger(L, geteuid());
    return 1;
}

static int l_gid(lua_State *L)
{
    lua_pushinteger(L, getegid());
    return 1;
}

/* host.groups() -> {gid, …}, the supplementary ones | nil, message, code */
static int l_groups(lua_State *L)
{
    int count = getgroups(0, NULL);
    if (count < 0)
        return sys_fail(L, errno, "groups");
    gid_t *groups = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *groups, 0);
    count = getgroups(count, groups);
    if (count < 0)
        return sys_fail(L, errno, "groups");
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushinteger(L, groups[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* host.cpu_count() -> processors that this process may use */
static int l_cpu_count(lua_State *L)
{
    lua_pushinteger(L, count_processors());
    return 1;
}

/* host.memory() -> {total_bytes, available_bytes} | nil, message, code
 * available: what can be had without swapping (MemAvailable of /proc/meminfo). Of the machine: control groups are not
 * looked at, see run/memory. */
static int l_memory(lua_State *L)
{
    struct memory memory = { 0 };
    int result = read_memory(&memory);
    if (result < 0)
        return sys_fail(L, -result, "/proc/meminfo");
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, memory.total_bytes);
    lua_setfield(L, -2, "total_bytes");
    lua_pushinteger(L, memory.available_bytes);
    lua_setfield(L, -2, "available_bytes");
    return 1;
}

/* host.executable() -> absolute path of this program | nil, message, code. After an upgrade: of the new one. */
static int l_executable(lua_State *L)
{
    char path[PATH_MAX];
    ssize_t length = find_executable(path, sizeof path);
    if (length < 0)
        return sys_fail(L, (int)-length, "/proc/self/exe");
    lua_pushlstring(L, path, (size_t)length);
    return 1;
}

/* host.working_directory() -> absolute path | nil, message, code ("ENOENT": it was removed) */
static int l_working_directory(lua_State *L)
{
    char path[PATH_MAX];
    if (!getcwd(path, sizeof path))
        return sys_fail(L, errno, "working directory");
    lua_pushstring(L, path);
    return 1;
}

/* host.hostname(), host.architecture() ("x86_64"), host.kernel() ("6.1.0-18-amd64") -> text */
static int l_hostname(lua_State *L)
{
    struct utsname names;
    uname(&names); /* fails for a bad pointer only */
    lua_pushstring(L, names.nodename);
    return 1;
}

static int l_architecture(lua_State *L)
{
    struct utsname names;
    uname(&names);
    lua_pushstring(L, names.machine);
    return 1;
}

static int l_kernel(lua_State *L)
{
    struct utsname names;
    uname(&names);
    lua_pushstring(L, names.release);
    return 1;
}

/* host.random(count) -> that many bytes (1 to 1 MiB), fit for keys | nil, message, code */
static int l_random(lua_State *L)
{
    lua_Integer count = luaL_checkinteger(L, 1);
    luaL_argcheck(L, count > 0 && count <= RANDOM_LIMIT_BYTES, 1, "1 byte to 1 MiB");
    luaL_Buffer bytes;
    unsigned char *space = (unsigned char *)luaL_buffinitsize(L, &bytes, (size_t)count);
    int result = sys_random(space, (size_t)count);
    if (result < 0)
        return sys_fail(L, -result, "random numbers");
    luaL_pushresultsize(&bytes, (size_t)count);
    return 1;
}

static const luaL_Reg host_functions[] = {
    { "env", l_env },
    { "environ", l_environ },
    { "uid", l_uid },
    { "gid", l_gid },
    { "groups", l_groups },
    { "cpu_count", l_cpu_count },
    { "memory", l_memory },
    { "executable", l_executable },
    { "working_directory", l_working_directory },
    { "hostname", l_hostname },
    { "architecture", l_architecture },
    { "kernel", l_kernel },
    { "random", l_random },
    { NULL, NULL },
};

int luaopen_sys_host(lua_State *L)
{
    luaL_newlib(L, host_functions);
    return 1;
}
