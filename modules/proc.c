/* sys.proc: processes by pid and start time, their ends, and the signals sent to us. */
#include "sys.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "proc.h"

#define PROCESS "sys.process"
#define SIGNALS "sys.signals"

struct process {
    int fd; /* a pidfd */
    pid_t pid;
    lua_Integer start_time;
};

struct signals {
    int fd;         /* a signalfd */
    sigset_t added; /* what was not blocked before we came */
};

static pid_t check_pid(lua_State *L, int index)
{
    lua_Integer pid = luaL_checkinteger(L, index);
    luaL_argcheck(L, pid > 0 && pid <= INT32_MAX, index, "a pid is a positive number");
    return (pid_t)pid;
}

static void set_integer(lua_State *L, const char *name, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* -- who is who ---------------------------------------------------------------------------------------------------- */

/* Into `text`, which holds it from then on: it is the same as long as we run. */
static int read_boot_id(const char *path, char *text, size_t size)
{
    if (*text)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got = read(fd, text, size - 1);
    int result = got < 0 ? -errno : 0;
    close(fd);
    text[got > 0 ? got : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    return result;
}

/* proc.boot_id() -> text that differs after each boot | nil, message, code */
static int l_boot_id(lua_State *L)
{
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    static char text[64];
    int result = read_boot_id(path, text, sizeof text);
    if (result < 0)
        return sys_fail(L, -result, "%s", path);
    lua_pushstring(L, text);
    return 1;
}

/* proc.identity(pid) -> {pid=, start_time=, parent=, name=} | nil, message, code ("ESRCH": none, or a zombie)
 * start_time: clock ticks after boot; with the pid and the boot id it names a process for good. */
static int l_identity(lua_State *L)
{
    pid_t pid = check_pid(L, 1);
    struct proc_identity identity;
    int result = proc_identify(pid, &identity);
    if (result < 0)
        return sys_fail(L, -result, "process %d", (int)pid);
    lua_createtable(L, 0, 4);
    set_integer(L, "pid", identity.pid);
    set_integer(L, "start_time", identity.start_time);
    set_integer(L, "parent", identity.parent);
    lua_pushstring(L, identity.name);
    lua_setfield(L, -2, "name");
    return 1;
}

/* proc.self() -> as proc.identity for this process */
static int l_self(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushinteger(L, getpid());
    return l_identity(L);
}

/* proc.signal_number(name) -> number of "TERM" or "SIGTERM" | nil, message, "EINVAL" */
static int l_signal_number(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    int number = proc_signal_number(name);
    if (number < 0)
        return sys_refuse(L, "EINVAL", "no signal is called '%s'", name);
    lua_pushinteger(L, number);
    return 1;
}

/* -- processes ----------------------------------------------------------------------------------------------------- */

static struct process *check_process(lua_State *L)
{
    struct process *process = luaL_checkudata(L, 1, PROCESS);
    luaL_argcheck(L, process->fd >= 0, 1, "closed");
    return process;
}

/* proc.open(pid, start_time) -> process | nil, message, code ("ESRCH": gone, a zombie, or the pid is another's now) */
static int l_open(lua_State *L)
{
    pid_t pid = check_pid(L, 1);
    lua_Integer start_time = luaL_checkinteger(L, 2);
    struct process *process = lua_newuserdatauv(L, sizeof *process, 0);
    *process = (struct process){ .fd = -1, .pid = pid, .start_time = start_time };
    luaL_setmetatable(L, PROCESS);
    int fd = proc_open(pid, start_time);
    if (fd < 0)
        return sys_fail(L, -fd, "process %d", (int)pid);
    process->fd = fd;
    return 1;
}

/* process.pid, process.start_time; else a method. Upvalue: the methods. */
static int l_process_index(lua_State *L)
{
    const struct process *process = luaL_checkudata(L, 1, PROCESS);
    const char *key = luaL_checkstring(L, 2);
    if (!strcmp(key, "pid"))
        lua_pushinteger(L, process->pid);
    else if (!strcmp(key, "start_time"))
        lua_pushinteger(L, process->start_time);
    else
        lua_getfield(L, lua_upvalueindex(1), key);
    return 1;
}

static int check_signal(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TNUMBER) {
        lua_Integer number = luaL_checkinteger(L, index);
        luaL_argcheck(L, number >= 0 && number <= SIGRTMAX, index, "no such signal");
        return (int)number;
    }
    int number = proc_signal_number(luaL_checkstring(L, index));
    luaL_argcheck(L, number > 0, index, "no such signal");
    return number;
}

/* process:signal(name | number) -> true | nil, message, code ("ESRCH": has ended). Reaches no other process, ever. */
static int l_signal(lua_State *L)
{
    const struct process *process = check_process(L);
    int number = check_signal(L, 2);
    /* The kernel accepts signals for a zombie; to us it is dead. */
    int result = proc_has_ended(process->fd) ? -ESRCH : proc_send_signal(process->fd, number);
    if (result < 0)
        return sys_fail(L, -result, "process %d", (int)process->pid);
    lua_pushboolean(L, true);
    return 1;
}

/* process:try_wait() -> true once it has ended | nil, "EAGAIN", "r" */
static int l_try_wait(lua_State *L)
{
    if (!proc_has_ended(check_process(L)->fd))
        return sys_again(L, "r");
    lua_pushboolean(L, true);
    return 1;
}

/* process:alive() -> boolean */
static int l_alive(lua_State *L)
{
    lua_pushboolean(L, !proc_has_ended(check_process(L)->fd));
    return 1;
}

/* process:fileno() -> the pidfd's number, readable once the process has ended */
static int l_process_fileno(lua_State *L)
{
    lua_pushinteger(L, check_process(L)->fd);
    return 1;
}

/* process:close() -> true. Idempotent; also __close and __gc. Leaves the process alone. */
static int l_process_close(lua_State *L)
{
    struct process *process = luaL_checkudata(L, 1, PROCESS);
    int fd = sys_steal_fd(&process->fd);
    if (fd >= 0)
        close(fd);
    lua_pushboolean(L, true);
    return 1;
}

/* proc.reap(pid) -> {exit=n} | {signal="KILL"} | nil, "EAGAIN", "r" | nil, message, code ("ECHILD": not our child) */
static int l_reap(lua_State *L)
{
    pid_t pid = check_pid(L, 1);
    int status = 0;
    pid_t got = waitpid(pid, &status, WNOHANG);
    if (got < 0)
        return sys_fail(L, errno, "process %d", (int)pid);
    if (got == 0)
        return sys_again(L, "r");
    lua_createtable(L, 0, 1);
    if (WIFEXITED(status)) {
        set_integer(L, "exit", WEXITSTATUS(status));
        return 1;
    }
    const char *name = proc_signal_name(WTERMSIG(status));
    if (name)
        lua_pushstring(L, name);
    else
        lua_pushfstring(L, "%d", WTERMSIG(status));
    lua_setfield(L, -2, "signal");
    return 1;
}

/* -- signals sent to us -------------------------------------------------------------------------------------------- */

static struct signals *check_signals(lua_State *L)
{
    struct signals *signals = luaL_checkudata(L, 1, SIGNALS);
    luaL_argcheck(L, signals->fd >= 0, 1, "closed");
    return signals;
}

static void read_signal_list(lua_State *L, sigset_t *wanted)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    sigemptyset(wanted);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, i);
        int number = lua_type(L, -1) == LUA_TSTRING ? proc_signal_number(lua_tostring(L, -1)) : -EINVAL;
        if (number < 0)
            luaL_error(L, "item %I is no name of a signal", i);
        sigaddset(wanted, number);
        lua_pop(L, 1);
    }
}

static int signals_open(struct signals *signals, const sigset_t *wanted)
{
    sigset_t before;
    int fd = signalfd(-1, wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    sigprocmask(SIG_BLOCK, wanted, &before);
    for (int number = 1; number <= SIGRTMAX; number++)
        if (sigismember(wanted, number) == 1 && sigismember(&before, number) != 1)
            sigaddset(&signals->added, number);
    signals->fd = fd;
    return 0;
}

/* proc.signals{"INT", "TERM", …} -> signals | nil, message, code
 * From then on these arrive here, and only here. Children must reset their mask. */
static int l_signals(lua_State *L)
{
    sigset_t wanted;
    read_signal_list(L, &wanted);
    struct signals *signals = lua_newuserdatauv(L, sizeof *signals, 0);
    signals->fd = -1;
    sigemptyset(&signals->added);
    luaL_setmetatable(L, SIGNALS);
    int result = signals_open(signals, &wanted);
    return result < 0 ? sys_fail(L, -result, "signals") : 1;
}

/* signals:try_next() -> "INT" | nil, "EAGAIN", "r" | nil, message, code */
static int l_try_next(lua_State *L)
{
    struct signalfd_siginfo information;
    ssize_t got = read(check_signals(L)->fd, &information, sizeof information);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? sys_again(L, "r") : sys_fail(L, errno, "signals");
    lua_pushstring(L, proc_signal_name((int)information.ssi_signo));
    return 1;
}

static int l_signals_fileno(lua_State *L)
{
    lua_pushinteger(L, check_signals(L)->fd);
    return 1;
}

/* signals:close() -> true. Restores what was blocked before; a signal that nobody fetched then has its default effect.
 * Idempotent; also __close and __gc. */
static int l_signals_close(lua_State *L)
{
    struct signals *signals = luaL_checkudata(L, 1, SIGNALS);
    int fd = sys_steal_fd(&signals->fd);
    if (fd >= 0) {
        close(fd);
        sigprocmask(SIG_UNBLOCK, &signals->added, NULL);
    }
    lua_pushboolean(L, true);
    return 1;
}

/* -- tables -------------------------------------------------------------------------------------------------------- */

static const luaL_Reg proc_functions[] = {
    { "boot_id", l_boot_id }, { "identity", l_identity }, { "self", l_self }, { "signal_number", l_signal_number },
    { "open", l_open }, { "reap", l_reap }, { "signals", l_signals }, { NULL, NULL },
};
static const luaL_Reg process_methods[] = {
    { "signal", l_signal },           { "try_wait", l_try_wait },   { "alive", l_alive },
    { "fileno", l_process_fileno },   { "close", l_process_close }, { NULL, NULL },
};
static const luaL_Reg process_meta[] = { { "__gc", l_process_close }, { "__close", l_process_close }, { NULL, NULL } };
static const luaL_Reg signals_methods[] = {
    { "try_next", l_try_next }, { "fileno", l_signals_fileno }, { "close", l_signals_close }, { NULL, NULL },
};
static const luaL_Reg signals_meta[] = { { "__gc", l_signals_close }, { "__close", l_signals_close }, { NULL, NULL } };

int luaopen_sys_proc(lua_State *L)
{
    luaL_newmetatable(L, PROCESS);
    luaL_setfuncs(L, process_meta, 0);
    luaL_newlib(L, process_methods);
    lua_pushcclosure(L, l_process_index, 1);
    lua_setfield(L, -2, "__index");
    luaL_newmetatable(L, SIGNALS);
    luaL_setfuncs(L, signals_meta, 0);
    luaL_newlib(L, signals_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    luaL_newlib(L, proc_functions);
    return 1;
}
