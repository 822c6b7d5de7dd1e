/* Mechanism of sys.proc: who a process is, and descriptors that name it for good. All give >= 0 or -errno. */
#ifndef HOLOS_PROC_H
#define HOLOS_PROC_H

#include <stdbool.h>
#include <sys/types.h>

struct proc_identity {
    pid_t pid, parent;
    long long start_time; /* clock ticks after boot, field 22 of /proc/PID/stat */
    char name[65];        /* as the kernel has it: up to 15 bytes, 63 for a kernel thread */
};

/* Fills `identity`; -ESRCH when there is no such process or only its zombie. */
int proc_identify(pid_t pid, struct proc_identity *identity);

/* A pidfd for the process that had `pid` and `start_time`; -ESRCH: gone, a zombie, or the pid is another's. */
int proc_open(pid_t pid, long long start_time);

/* Whether the process behind a pidfd has ended, reaped or not. */
bool proc_has_ended(int pidfd);

/* Sends a signal to exactly the process behind a pidfd. */
int proc_send_signal(int pidfd, int number);

/* The number of "TERM" or "SIGTERM"; -EINVAL for an unknown name. */
int proc_signal_number(const char *name);

/* "TERM" for 15; NULL when the number has no name here. */
const char *proc_signal_name(int number);

#endif
