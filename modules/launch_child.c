/* Both sides of a launch: the parent forks and holds the gate, the child makes itself ready, waits, and becomes the
 * program. Between fork and exec only async-signal-safe calls are made: the parent may have threads. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALL_PIDFD_OPEN 434
#define CALL_CLOSE_RANGE 436
/* As the shell's "found but could not be run". */
#define EXIT_NOT_RUN 126

const char *launch_stage_name(int stage)
{
    static const char *const names[] = { "descriptors", "session",  "limits",   "directory",
                                         "namespace",   "landlock", "identity", "exec" };
    return stage >= 0 && (size_t)stage < sizeof names / sizeof names[0] ? names[stage] : "unknown";
}

/* -- the child ------------------------------------------------------------------------------------------------------- */

static _Noreturn void give_up(int channel, enum launch_stage stage, int32_t item, int errnum)
{
    struct launch_failure failure = { .stage = (int32_t)stage, .item = item, .errnum = errnum };
    (void)!send(channel, &failure, sizeof failure, MSG_NOSIGNAL);
    _exit(EXIT_NOT_RUN);
}

/* Every signal to its default, also those that the C library keeps for itself and that we may have inherited as ignored:
 * therefore by the system call. All zeros is the kernel's struct sigaction for SIG_DFL; KILL and STOP are refused. */
static void reset_signals(void)
{
    static const char kernel_default[64];
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, kernel_default, NULL, (size_t)8 /* bytes in the kernel's sigset_t */);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_between(unsigned first, unsigned last)
{
    if (first > last || !syscall(CALL_CLOSE_RANGE, first, last, 0u))
        return;
    struct rlimit limit;
    unsigned end = getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 65536 ? 65536 : (unsigned)limit.rlim_cur;
    for (unsigned fd = first; fd <= last && fd < end; fd++)
        close((int)fd);
}

/* Closes what is neither a target nor the channel. */
static void close_others(const struct launch_plan *plan, int channel)
{
    for (unsigned first = 0;;) {
        unsigned kept = (unsigned)channel >= first ? (unsigned)channel : UINT_MAX;
        for (size_t i = 0; i < plan->fd_count; i++)
            if ((unsigned)plan->fds[i].target >= first && (unsigned)plan->fds[i].target < kept)
                kept = (unsigned)plan->fds[i].target;
        if (kept == UINT_MAX) {
            close_between(first, UINT_MAX);
            return;
        }
        if (kept > first)
            close_between(first, kept - 1);
        first = kept + 1;
    }
}

/* Programs expect blocking standard streams; our ends of pipes are other open files and keep their mode. */
static void make_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && flags & O_NONBLOCK)
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* Sources and targets may overlap in any way: all sources and the channel first go above every target. */
static int place_descriptors(struct launch_plan *plan, int *channel)
{
    int above = 2, null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < plan->fd_count; i++)
        if (plan->fds[i].target > above)
            above = plan->fds[i].target;
    int moved = fcntl(*channel, F_DUPFD_CLOEXEC, above + 1);
    if (moved < 0)
        return -errno;
    *channel = moved;
    for (size_t i = 0; i < plan->fd_count; i++) {
        struct launch_fd *fd = &plan->fds[i];
        fd->source = fcntl(fd->source < 0 ? null_fd : fd->source, F_DUPFD_CLOEXEC, above + 1);
        if (fd->source < 0)
            return -errno;
    }
    for (size_t i = 0; i < plan->fd_count; i++)
        if (dup2(plan->fds[i].source, plan->fds[i].target) < 0)
            return -errno;
    close_others(plan, *channel);
    for (int fd = 0; fd <= 2; fd++)
        make_blocking(fd);
    return 0;
}

static int limit_core(uint64_t bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) < 0)
        return -errno;
    if (bytes < limit.rlim_max)
        limit.rlim_max = (rlim_t)bytes;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_CORE, &limit) < 0 ? -errno : 0;
}

/* A process that may change its ids back has not dropped anything: no_new_privs and the check make this final. */
static int take_identity(const struct launch_plan *plan)
{
    uid_t real, effective, saved;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setgroups(plan->group_count, plan->groups) < 0 ||
        setresgid(plan->gid, plan->gid, plan->gid) < 0 || setresuid(plan->uid, plan->uid, plan->uid) < 0)
        return -errno;
    if (getresuid(&real, &effective, &saved) < 0 || real != plan->uid || effective != plan->uid || saved != plan->uid)
        return -EPERM;
    return 0;
}

/* What can be done before the gate is, so that its failures come before anybody counts on the process. */
static void make_ready(struct launch_plan *plan, int *channel)
{
    int32_t item = -1;
    int result = place_descriptors(plan, channel);
    if (result < 0)
        give_up(*channel, LAUNCH_STAGE_DESCRIPTORS, -1, -result);
    if (plan->session && setsid() < 0)
        give_up(*channel, LAUNCH_STAGE_SESSION, -1, errno);
    if ((result = limit_core(plan->core_bytes)) < 0)
        give_up(*channel, LAUNCH_STAGE_LIMITS, -1, -result);
    if (plan->has_namespace && (result = launch_namespace_enter(plan->mounts, plan->mount_count, &item)) < 0)
        give_up(*channel, LAUNCH_STAGE_NAMESPACE, item, -result);
    if (plan->directory && chdir(plan->directory) < 0)
        give_up(*channel, LAUNCH_STAGE_DIRECTORY, -1, errno);
}

/* To be asked for last: a change of the uid takes it back. */
static int die_with(pid_t launcher)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -errno;
    if (getppid() != launcher)
        _exit(EXIT_FAILURE); /* it ended before the signal was asked for */
    return 0;
}

/* Waits for the one byte; the end of the stream is the parent's death or change of mind. */
static void wait_at_gate(int channel)
{
    char byte;
    ssize_t got;
    while ((got = read(channel, &byte, 1)) < 0 && errno == EINTR)
        ;
    if (got != 1)
        _exit(EXIT_NOT_RUN);
}

_Noreturn void launch_child_run(struct launch_plan *plan, int channel)
{
    int32_t item = -1;
    int result;
    reset_signals();
    make_ready(plan, &channel);
    wait_at_gate(channel);
    if (plan->has_landlock && (result = launch_landlock_apply(plan->rules, plan->rule_count, &item)) < 0)
        give_up(channel, LAUNCH_STAGE_LANDLOCK, item, -result);
    if (plan->has_identity && (result = take_identity(plan)) < 0)
        give_up(channel, LAUNCH_STAGE_IDENTITY, -1, -result);
    if (plan->dies_with_us && (result = die_with(plan->launcher)) < 0)
        give_up(channel, LAUNCH_STAGE_SESSION, -1, -result);
    execve(plan->program, plan->argv, plan->environment);
    give_up(channel, LAUNCH_STAGE_EXEC, -1, errno);
}

/* -- the parent ------------------------------------------------------------------------------------------------------ */

/* Unlike proc_identify this takes a zombie too: a child that has failed already is told about at the gate.
 * proc_pid_stat(5): the name may hold anything, so fields are counted from the last ')'; starttime is field 22. */
static int read_start_time(pid_t pid, uint64_t *start_time)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t got = read(fd, text, sizeof text - 1);
    int result = got < 0 ? -errno : 0;
    close(fd);
    text[got > 0 ? got : 0] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return result ? result : -EPROTO;
    *start_time = strtoull(at + 1, NULL, 10);
    return result;
}

static int identify(struct launch_child *child)
{
    child->pidfd = (int)syscall(CALL_PIDFD_OPEN, child->pid, 0u);
    if (child->pidfd < 0)
        return -errno;
    return read_start_time(child->pid, &child->start_time);
}

/* Signals stay blocked across the fork so that none of our handlers runs in the child. */
static pid_t fork_quietly(struct launch_plan *plan, const int ends[2])
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int errnum = errno;
    if (!pid)
        launch_child_run(plan, ends[1]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = errnum;
    return pid;
}

int launch_start(struct launch_plan *plan, struct launch_child *child)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    child->pid = fork_quietly(plan, ends);
    int result = child->pid < 0 ? -errno : 0;
    close(ends[1]);
    if (result < 0) {
        close(ends[0]);
        return result;
    }
    child->channel = ends[0];
    result = identify(child);
    if (result < 0)
        launch_cancel(child);
    return result;
}

static int read_failure(int channel, struct launch_failure *failure, int timeout_ms)
{
    struct pollfd wait = { .fd = channel, .events = POLLIN };
    int ready;
    while ((ready = poll(&wait, 1, timeout_ms)) < 0 && errno == EINTR)
        ;
    if (ready <= 0)
        return ready < 0 ? -errno : timeout_ms ? -ETIMEDOUT : -EAGAIN;
    ssize_t got = recv(channel, failure, sizeof *failure, MSG_WAITALL);
    /* Reset: the child was killed before it took our byte. The end without a word: exec has closed the channel. */
    if (got < 0)
        return errno == ECONNRESET ? -ESRCH : -errno;
    return got != sizeof *failure;
}

int launch_go(struct launch_child *child, struct launch_failure *failure, int timeout_ms)
{
    char byte = 1;
    /* When a child has failed before, this does too (EPIPE), and its reason is still to be read. */
    if (!child->let_go)
        (void)!send(child->channel, &byte, 1, MSG_NOSIGNAL);
    child->let_go = true;
    int result = read_failure(child->channel, failure, timeout_ms);
    if (result == -EAGAIN)
        return result;
    if (result < 0) {
        launch_cancel(child);
        return result;
    }
    close(child->channel);
    child->channel = -1;
    if (!result)
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    return result;
}

void launch_cancel(struct launch_child *child)
{
    if (child->channel < 0)
        return;
    close(child->channel);
    child->channel = -1;
    kill(child->pid, SIGKILL); /* our own child, not yet reaped: the pid is its */
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
