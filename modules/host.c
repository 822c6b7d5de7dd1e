/* sys.host: facts about the machine and the process that do not change while we run. */
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <sched.h>

#include "sys.h"

extern char **environ;

/* host.env(name) -> value | nil. As secure_getenv: nothing when we run with borrowed rights. */
static int l_env(lua_State *L)
{
    lua_pushstring(L, secure_getenv(luaL_checkstring(L, 1)));
    return 1;
}

/* host.environ() -> {NAME = value} */
static int l_environ(lua_State *L)
{
    lua_newtable(L);
    for (char **entry = environ; *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (!equals)
            continue;
        lua_pushlstring(L, *entry, (size_t)(equals - *entry));
        lua_pushstring(L, equals + 1);
        lua_rawset(L, -3);
    }
    return 1;
}

/* host.uid() -> effective user id */
static int l_uid(lua_State *L)
{
    lua_pushinteger(L, geteuid());
    return 1;
}

/* host.gid() -> effective group id */
static int l_gid(lua_State *L)
{
    lua_pushinteger(L, getegid());
    return 1;
}

/* host.groups() -> list of supplementary group ids | nil, message, code */
static int l_groups(lua_State *L)
{
    gid_t groups[NGROUPS_MAX];
    int count = getgroups(NGROUPS_MAX, groups);
    if (count < 0)
        return sys_fail(L, errno, "getgroups");
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushinteger(L, groups[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* host.cpu_count() -> CPUs that this process may use, at least 1 */
static int l_cpu_count(lua_State *L)
{
    cpu_set_t set;
    lua_pushinteger(L, sched_getaffinity(0, sizeof set, &set) < 0 ? 1 : CPU_COUNT(&set));
    return 1;
}

/* The value in bytes of a field of /proc/meminfo ("MemTotal:"), -1 when it is not there. proc_meminfo(5): in KiB. */
static long long meminfo_bytes(FILE *file, const char *field)
{
    char line[256];
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        long long kibibytes;
        if (!strncmp(line, field, strlen(field)) && sscanf(line + strlen(field), "%lld", &kibibytes) == 1)
            return kibibytes * 1024;
    }
    return -1;
}

/* host.memory() -> {total_bytes, available_bytes} | nil, message, code */
static int l_memory(lua_State *L)
{
    FILE *file = fopen("/proc/meminfo", "re");
    if (!file)
        return sys_fail(L, errno, "/proc/meminfo");
    long long total = meminfo_bytes(file, "MemTotal:"), available = meminfo_bytes(file, "MemAvailable:");
    fclose(file);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, total);
    lua_setfield(L, -2, "total_bytes");
    lua_pushinteger(L, available);
    lua_setfield(L, -2, "available_bytes");
    return 1;
}

/* host.executable() -> path of this binary | nil, message, code */
static int l_executable(lua_State *L)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    if (length < 0)
        return sys_fail(L, errno, "/proc/self/exe");
    lua_pushlstring(L, path, (size_t)length);
    return 1;
}

/* host.working_directory() -> absolute path | nil, message, code */
static int l_working_directory(lua_State *L)
{
    char path[PATH_MAX];
    if (!getcwd(path, sizeof path))
        return sys_fail(L, errno, "working directory");
    lua_pushstring(L, path);
    return 1;
}

static int push_uname(lua_State *L, size_t field)
{
    struct utsname names;
    if (uname(&names) < 0)
        return sys_fail(L, errno, "uname");
    lua_pushstring(L, (const char *)&names + field);
    return 1;
}

/* host.hostname() -> text */
static int l_hostname(lua_State *L)
{
    return push_uname(L, offsetof(struct utsname, nodename));
}

/* host.kernel() -> release, "6.1.0-30-amd64" */
static int l_kernel(lua_State *L)
{
    return push_uname(L, offsetof(struct utsname, release));
}

/* host.architecture() -> "x86_64", "aarch64" */
static int l_architecture(lua_State *L)
{
    return push_uname(L, offsetof(struct utsname, machine));
}

/* host.random(count) -> that many bytes from the kernel, 1..256 */
static int l_random(lua_State *L)
{
    char bytes[256]; /* getrandom(2): up to 256 bytes come whole and are not interrupted */
    lua_Integer count = luaL_checkinteger(L, 1);
    luaL_argcheck(L, count >= 1 && count <= (lua_Integer)sizeof bytes, 1, "not in 1..256");
    if (getrandom(bytes, (size_t)count, 0) != count)
        return sys_fail(L, errno, "getrandom");
    lua_pushlstring(L, bytes, (size_t)count);
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
    { "kernel", l_kernel },
    { "architecture", l_architecture },
    { "random", l_random },
    { NULL, NULL },
};

int luaopen_sys_host(lua_State *L)
{
    luaL_newlib(L, host_functions);
    return 1;
}
