/* sys.launch: starts a program whose pid and start time the caller knows, and can write down, before its first
 * instruction. */
#include "sys.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "launch.h"
#include "proc.h"

#define LAUNCH_TYPE "sys.launch"

struct launch {
    struct launch_memory memory; /* until the fork */
    struct launch_child child;
    bool session;
    bool reaped;
    int status; /* as waitpid gives it, once reaped */
};

/* -- reading the options ---------------------------------------------------------------------------------------------
 * Arrays and strings are in the launch object's memory: whatever raises, nothing leaks.
 */

static void *new_array(lua_State *L, const struct launch_plan *plan, size_t count, size_t size)
{
    void *array = launch_take(plan->memory, count * size);
    if (!array)
        luaL_error(L, "not enough memory for a launch");
    return array;
}

/* Takes the string from the top of the stack. */
static const char *take_string(lua_State *L, const struct launch_plan *plan, const char *name)
{
    size_t length;
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "bad field '%s' (strings expected, got a %s)", name, luaL_typename(L, -1));
    const char *text = lua_tolstring(L, -1, &length);
    if (strlen(text) != length)
        luaL_error(L, "bad field '%s' (a string holds a zero byte)", name);
    const char *copy = memcpy(new_array(L, plan, length + 1, 1), text, length);
    lua_pop(L, 1);
    return copy;
}

/* Pushes the table of a field; false, with nothing pushed, when it is absent. */
static bool push_table(lua_State *L, int options, const char *name)
{
    if (lua_getfield(L, options, name) == LUA_TNIL) {
        lua_pop(L, 1);
        return false;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "bad field '%s' (table expected, got %s)", name, luaL_typename(L, -1));
    return true;
}

/* The list of strings in a field after `first` (NULL: none), ended by NULL. */
static char **read_strings(lua_State *L, int options, const struct launch_plan *plan, const char *name, const char *first)
{
    bool present = push_table(L, options, name);
    int list = lua_gettop(L);
    size_t count = present ? lua_rawlen(L, list) : 0, at = 0;
    const char **strings = new_array(L, plan, count + 2, sizeof *strings);
    if (first)
        strings[at++] = first;
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, list, (lua_Integer)i);
        strings[at++] = take_string(L, plan, name);
    }
    return (char **)strings; /* execve takes char **, and changes nothing */
}

static size_t count_pairs(lua_State *L, int table)
{
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
        count++;
    return count;
}

static void read_descriptors(lua_State *L, int options, struct launch_plan *plan)
{
    static const char *const standard[] = { "stdin", "stdout", "stderr" };
    bool present = push_table(L, options, "fds");
    int table = lua_gettop(L);
    plan->fds = new_array(L, plan, 3 + (present ? count_pairs(L, table) : 0), sizeof *plan->fds);
    for (int target = 0; target < 3; target++)
        plan->fds[plan->fd_count++] = (struct launch_fd){ sys_option_fd(L, options, standard[target]), target };
    if (!present)
        return;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        lua_Integer target = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : -1;
        if (target < 3 || target > LAUNCH_TARGET_MAX)
            luaL_error(L, "bad field 'fds' (numbers are 3..%d)", LAUNCH_TARGET_MAX);
        plan->fds[plan->fd_count++] = (struct launch_fd){ sys_fd_check(L, lua_gettop(L)), (int)target };
    }
}

static enum launch_access read_access(lua_State *L, int rule)
{
    static const char *const names[] = { "read", "write", "execute" };
    const char *name = sys_field_string(L, rule, "access", NULL);
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, names[i]))
            return (enum launch_access)i;
    return (enum launch_access)luaL_error(L, "bad field 'access' (read, write or execute, got '%s')", name);
}

static void read_rules(lua_State *L, int options, struct launch_plan *plan)
{
    static const char *const known[] = { "path", "access", NULL };
    if (!push_table(L, options, "landlock"))
        return;
    int list = lua_gettop(L);
    plan->has_landlock = true;
    plan->rule_count = lua_rawlen(L, list);
    plan->rules = new_array(L, plan, plan->rule_count, sizeof *plan->rules);
    for (size_t i = 0; i < plan->rule_count; i++) {
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        int rule = lua_gettop(L);
        sys_check_keys(L, rule, known);
        lua_getfield(L, rule, "path");
        plan->rules[i] = (struct launch_rule){ take_string(L, plan, "path"), read_access(L, rule) };
        lua_settop(L, rule - 1);
    }
}

static void read_mounts(lua_State *L, int options, struct launch_plan *plan)
{
    static const char *const known[] = { "source", "target", "read_only", NULL };
    if (!push_table(L, options, "namespace"))
        return;
    int list = lua_gettop(L);
    plan->has_namespace = true;
    plan->mount_count = lua_rawlen(L, list);
    plan->mounts = new_array(L, plan, plan->mount_count, sizeof *plan->mounts);
    for (size_t i = 0; i < plan->mount_count; i++) {
        lua_rawgeti(L, list, (lua_Integer)i + 1);
        int mount = lua_gettop(L);
        sys_check_keys(L, mount, known);
        plan->mounts[i].read_only = sys_option_boolean(L, mount, "read_only", false);
        lua_getfield(L, mount, "source");
        plan->mounts[i].source = take_string(L, plan, "source");
        lua_getfield(L, mount, "target");
        plan->mounts[i].target = take_string(L, plan, "target");
        lua_settop(L, mount - 1);
    }
}

static void read_groups(lua_State *L, int options, struct launch_plan *plan)
{
    if (!push_table(L, options, "groups"))
        return;
    int list = lua_gettop(L);
    plan->group_count = lua_rawlen(L, list);
    plan->groups = new_array(L, plan, plan->group_count, sizeof *plan->groups);
    for (size_t i = 0; i < plan->group_count; i++) {
        if (lua_rawgeti(L, list, (lua_Integer)i + 1) != LUA_TNUMBER)
            luaL_error(L, "bad field 'groups' (integers expected, got a %s)", luaL_typename(L, -1));
        plan->groups[i] = (gid_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
}

/* uid and gid go together: a process that keeps one of the caller's has kept its rights. */
static void read_identity(lua_State *L, int options, struct launch_plan *plan)
{
    lua_Integer uid = sys_option_integer(L, options, "uid", -1, 0, UINT32_MAX - 1);
    lua_Integer gid = sys_option_integer(L, options, "gid", -1, 0, UINT32_MAX - 1);
    if ((uid < 0) != (gid < 0))
        luaL_error(L, "uid and gid are given together or not at all");
    plan->has_identity = uid >= 0;
    plan->uid = (uid_t)uid;
    plan->gid = (gid_t)gid;
    read_groups(L, options, plan);
}

static void read_plan(lua_State *L, int options, struct launch_plan *plan)
{
    static const char *const known[] = { "program",  "argv",       "fds",       "env",          "directory", "stdin",
                                         "stdout",   "stderr",     "session",   "dies_with_us", "uid",       "gid",
                                         "groups",   "landlock",   "core_bytes", "namespace",   NULL };
    sys_check_keys(L, options, known);
    luaL_checkstack(L, 40, "launch options");
    lua_getfield(L, options, "program");
    plan->program = take_string(L, plan, "program");
    if (lua_getfield(L, options, "directory") != LUA_TNIL)
        plan->directory = take_string(L, plan, "directory");
    plan->session = sys_option_boolean(L, options, "session", true);
    plan->launcher = getpid();
    plan->dies_with_us = sys_option_boolean(L, options, "dies_with_us", false);
    plan->core_bytes = (uint64_t)sys_option_integer(L, options, "core_bytes", 0, 0, INT64_MAX);
    plan->argv = read_strings(L, options, plan, "argv", plan->program);
    plan->environment = read_strings(L, options, plan, "env", NULL);
    read_descriptors(L, options, plan);
    read_rules(L, options, plan);
    read_mounts(L, options, plan);
    read_identity(L, options, plan);
}

/* -- the launch object ----------------------------------------------------------------------------------------------- */

static struct launch *check_launch(lua_State *L)
{
    struct launch *launch = luaL_checkudata(L, 1, LAUNCH_TYPE);
    luaL_argcheck(L, launch->child.pidfd >= 0, 1, "closed");
    return launch;
}

/* launch.prepare{program=, argv={}, env={"NAME=value"}, fds={[3]=fd}, stdin=, stdout=, stderr=, directory=,
 * session=true, dies_with_us=false, core_bytes=0, uid=, gid=, groups={}, landlock={{path=, access="read"|"write"|"execute"}},
 *   namespace={{source=, target=, read_only=}}} -> launch | nil, message, code
 * Forks a child that waits: launch.pid and launch.start_time identify it from now on. `argv` is without argv[0], the
 * environment is exactly `env`, standard streams are /dev/null by default and blocking, no other descriptor is
 * inherited. With landlock or uid the program can gain no privileges. Should this process die first, the child exits.
 */
static int l_prepare(lua_State *L)
{
    lua_settop(L, 1);
    struct launch *launch = lua_newuserdatauv(L, sizeof *launch, 1);
    struct launch_plan plan = { .memory = &launch->memory };
    *launch = (struct launch){ .child = { .pidfd = -1, .channel = -1 } };
    luaL_setmetatable(L, LAUNCH_TYPE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 2, 1);
    read_plan(L, 1, &plan);
    launch->session = plan.session;
    int result = launch_start(&plan, &launch->child);
    launch_release(&launch->memory);
    if (result < 0) {
        lua_getfield(L, 1, "program");
        return sys_fail(L, -result, "launch %s", lua_tostring(L, -1));
    }
    lua_settop(L, 2);
    return 1;
}

/* Pushes the path that item `index` of the option `list` names under `field`. */
static const char *push_item_path(lua_State *L, const char *list, int32_t index, const char *field)
{
    lua_getiuservalue(L, 1, 1);
    if (lua_getfield(L, -1, list) != LUA_TTABLE || lua_rawgeti(L, -1, (lua_Integer)index + 1) != LUA_TTABLE)
        return "?";
    lua_getfield(L, -1, field);
    return luaL_optstring(L, -1, "?");
}

static int push_failure(lua_State *L, const struct launch_failure *failure)
{
    const char *stage = launch_stage_name(failure->stage), *path = "";
    lua_getiuservalue(L, 1, 1);
    lua_getfield(L, -1, "program");
    const char *program = luaL_optstring(L, -1, "?");
    if (failure->item >= 0 && failure->stage == LAUNCH_STAGE_LANDLOCK)
        path = push_item_path(L, "landlock", failure->item, "path");
    if (failure->item >= 0 && failure->stage == LAUNCH_STAGE_NAMESPACE)
        path = push_item_path(L, "namespace", failure->item, "target");
    return sys_fail(L, failure->errnum, "launch %s: %s%s%s", program, stage, *path ? " " : "", path);
}

static int go(lua_State *L, int timeout_ms)
{
    struct launch *launch = check_launch(L);
    luaL_argcheck(L, launch->child.channel >= 0, 1, "let go before");
    struct launch_failure failure = { 0 };
    int result = launch_go(&launch->child, &failure, timeout_ms);
    if (result == -EAGAIN)
        return sys_again(L, "r");
    launch->reaped = result <= 0;
    if (result < 0)
        return sys_fail(L, -result, "launch");
    if (!result)
        return push_failure(L, &failure);
    lua_pushboolean(L, true);
    return 1;
}

/* launch:go() -> true once the program runs | nil, "launch PROGRAM: STAGE: reason", code: the child is reaped. */
static int l_go(lua_State *L)
{
    return go(L, LAUNCH_GO_TIMEOUT_MS);
}

/* launch:try_go() -> as go, or nil, "EAGAIN", "r": it was let go, and does not run yet. To be called until it does. */
static int l_try_go(lua_State *L)
{
    return go(L, 0);
}

static void push_status(lua_State *L, int status)
{
    lua_createtable(L, 0, 1);
    if (WIFSIGNALED(status)) {
        const char *name = proc_signal_name(WTERMSIG(status));
        lua_pushstring(L, name ? name : "UNKNOWN");
        lua_setfield(L, -2, "signal");
    } else {
        lua_pushinteger(L, WEXITSTATUS(status));
        lua_setfield(L, -2, "exit");
    }
}

/* launch:try_wait() -> {exit=n} | {signal="KILL"} | nil, "EAGAIN", "r" (readable when it has ended) | nil, message,
 * code Reaps the child, and remembers how it ended. ECHILD: reaped elsewhere, or never let go. */
static int l_try_wait(lua_State *L)
{
    struct launch *launch = check_launch(L);
    if (!launch->reaped) {
        pid_t got = waitpid(launch->child.pid, &launch->status, WNOHANG);
        if (!got)
            return sys_again(L, "r");
        if (got < 0)
            return sys_fail(L, errno, "wait for %d", (int)launch->child.pid);
        launch->reaped = true;
    }
    push_status(L, launch->status);
    return 1;
}

/* launch:kill() -> true | nil, message, code ("ESRCH": it has ended). SIGKILL, to all of its session's first group. */
static int l_kill(lua_State *L)
{
    struct launch *launch = check_launch(L);
    if (launch->reaped)
        return sys_fail(L, ESRCH, "kill %d", (int)launch->child.pid);
    /* Not reaped, so neither the pid nor a group of that number can be anybody else's. */
    if (launch->session && launch->child.channel < 0)
        kill(-launch->child.pid, SIGKILL);
    int result = proc_send_signal(launch->child.pidfd, SIGKILL);
    if (result < 0)
        return sys_fail(L, -result, "kill %d", (int)launch->child.pid);
    lua_pushboolean(L, true);
    return 1;
}

/* launch:fileno() -> the number of what is readable once the program has ended, or once try_go is to be called again */
static int l_fileno(lua_State *L)
{
    const struct launch_child *child = &check_launch(L)->child;
    lua_pushinteger(L, child->let_go && child->channel >= 0 ? child->channel : child->pidfd);
    return 1;
}

/* launch:close() -> true. Ends a child that is not known to run yet; one that runs goes on. Also __close, __gc. */
static int l_close(lua_State *L)
{
    struct launch *launch = luaL_checkudata(L, 1, LAUNCH_TYPE);
    launch_release(&launch->memory);
    launch_cancel(&launch->child);
    int pidfd = sys_steal_fd(&launch->child.pidfd);
    if (pidfd >= 0)
        close(pidfd);
    lua_pushboolean(L, true);
    return 1;
}

/* launch.pid, launch.start_time (clock ticks after boot), else a method */
static int l_index(lua_State *L)
{
    const struct launch *launch = luaL_checkudata(L, 1, LAUNCH_TYPE);
    const char *key = luaL_checkstring(L, 2);
    if (!strcmp(key, "pid"))
        lua_pushinteger(L, launch->child.pid);
    else if (!strcmp(key, "start_time"))
        lua_pushinteger(L, (lua_Integer)launch->child.start_time);
    else
        lua_getfield(L, lua_upvalueindex(1), key);
    return 1;
}

/* launch.landlock_abi() -> the kernel's Landlock ABI, 0 without */
static int l_landlock_abi(lua_State *L)
{
    lua_pushinteger(L, launch_landlock_abi());
    return 1;
}

static const luaL_Reg launch_functions[] = { { "prepare", l_prepare },
                                             { "landlock_abi", l_landlock_abi },
                                             { NULL, NULL } };
static const luaL_Reg launch_methods[] = {
    { "go", l_go },     { "try_go", l_try_go }, { "try_wait", l_try_wait },
    { "kill", l_kill }, { "fileno", l_fileno }, { "close", l_close },       { NULL, NULL },
};
static const luaL_Reg launch_meta[] = { { "__gc", l_close }, { "__close", l_close }, { NULL, NULL } };

int luaopen_sys_launch(lua_State *L)
{
    luaL_newmetatable(L, LAUNCH_TYPE);
    luaL_setfuncs(L, launch_meta, 0);
    luaL_newlib(L, launch_methods);
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, launch_functions);
    return 1;
}
