/* Who a process is: /proc/PID/stat, pidfds, names of signals. */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers since Linux 5.1 and 5.3, the same on every architecture; old libc headers lack them. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static ssize_t read_stat(pid_t pid, char *text, size_t size)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    ssize_t got = read(fd, text, size - 1);
    int error = errno;
    close(fd);
    if (got < 0)
        return -error;
    text[got] = '\0';
    return got;
}

/* The name is free text in parentheses, which it may hold itself: it ends at the *last* one. Gives what follows. */
static const char *split_name(char *text, struct proc_identity *identity)
{
    char *first = strchr(text, '('), *last = strrchr(text, ')');
    if (!first || !last || last < first)
        return NULL;
    *last = '\0';
    snprintf(identity->name, sizeof identity->name, "%s", first + 1);
    return last + 1;
}

int proc_identify(pid_t pid, struct proc_identity *identity)
{
    char text[1024];
    ssize_t got = read_stat(pid, text, sizeof text);
    if (got < 0)
        return (int)got;
    const char *rest = split_name(text, identity);
    char state = 0;
    long parent = 0, threads = 0;
    /* proc_pid_stat(5): after the name come state, ppid, 15 fields to skip, num_threads, itrealvalue, starttime. */
    const char *format = " %c %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %*s %lld";
    if (!rest || sscanf(rest, format, &state, &parent, &threads, &identity->start_time) != 4)
        return -EPROTO;
    /* A zombie with threads is only a first thread that left: the process lives. */
    if (state == 'X' || state == 'x' || (state == 'Z' && threads <= 1))
        return -ESRCH;
    identity->pid = pid;
    identity->parent = (pid_t)parent;
    return 0;
}

bool proc_has_ended(int pidfd)
{
    struct pollfd entry = { .fd = pidfd, .events = POLLIN };
    return poll(&entry, 1, 0) > 0;
}

int proc_open(pid_t pid, long long start_time)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* always close-on-exec */
    if (pidfd < 0)
        return errno == EINVAL || errno == ENOENT ? -ESRCH : -errno; /* the number of a mere thread */
    struct proc_identity identity;
    int result = proc_identify(pid, &identity);
    /* As long as what the pidfd names has not ended, its pid cannot be another's: so that stat was its own. */
    if (!result && (identity.start_time != start_time || proc_has_ended(pidfd)))
        result = -ESRCH;
    if (!result)
        return pidfd;
    close(pidfd);
    return result;
}

int proc_send_signal(int pidfd, int number)
{
    return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) < 0 ? -errno : 0;
}

/* -- names of signals ---------------------------------------------------------------------------------------------- */

struct signal_name {
    int number;
    const char *name;
};

#define NAME(name) { SIG##name, #name }
static const struct signal_name signal_names[] = {
    NAME(HUP),    NAME(INT),  NAME(QUIT), NAME(ILL),  NAME(TRAP),  NAME(ABRT), NAME(BUS),  NAME(FPE),
    NAME(KILL),   NAME(USR1), NAME(SEGV), NAME(USR2), NAME(PIPE),  NAME(ALRM), NAME(TERM), NAME(CHLD),
    NAME(CONT),   NAME(STOP), NAME(TSTP), NAME(TTIN), NAME(TTOU),  NAME(URG),  NAME(XCPU), NAME(XFSZ),
    NAME(VTALRM), NAME(PROF), NAME(WINCH), NAME(IO),  NAME(PWR),   NAME(SYS),
};
#undef NAME

int proc_signal_number(const char *name)
{
    if (!strncmp(name, "SIG", 3))
        name += 3;
    for (size_t i = 0; i < sizeof signal_names / sizeof signal_names[0]; i++)
        if (!strcmp(signal_names[i].name, name))
            return signal_names[i].number;
    return -EINVAL;
}

const char *proc_signal_name(int number)
{
    for (size_t i = 0; i < sizeof signal_names / sizeof signal_names[0]; i++)
        if (signal_names[i].number == number)
            return signal_names[i].name;
    return NULL;
}
