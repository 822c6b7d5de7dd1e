/* Starting a program that cannot run before its identity is known; see launch.c for what a caller sees. No lua.h here.
 */
#ifndef HOLOS_LAUNCH_H
#define HOLOS_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a Landlock rule permits: each level includes reading. */
enum launch_access { LAUNCH_READ, LAUNCH_WRITE, LAUNCH_EXECUTE };

/* Descriptor numbers a child may be given: the ones above are needed while they are moved. */
#define LAUNCH_TARGET_MAX 1023

/* Where a child failed; launch_stage_name() gives the word. */
enum launch_stage {
    LAUNCH_STAGE_DESCRIPTORS,
    LAUNCH_STAGE_SESSION,
    LAUNCH_STAGE_LIMITS,
    LAUNCH_STAGE_DIRECTORY,
    LAUNCH_STAGE_NAMESPACE,
    LAUNCH_STAGE_LANDLOCK,
    LAUNCH_STAGE_IDENTITY,
    LAUNCH_STAGE_EXEC,
};

struct launch_fd {
    int source;
    int target;
};

struct launch_rule {
    const char *path;
    enum launch_access access;
};

struct launch_mount {
    const char *source;
    const char *target;
    bool read_only;
};

/* What a plan points to. Lua's own memory is not there after a fork (sys_memory.h). Starts as all zeros. */
struct launch_memory {
    struct launch_piece *pieces;
};

/* Zeroed memory that stays until launch_release; NULL when there is none. */
void *launch_take(struct launch_memory *memory, size_t size);

/* Gives everything back. Harmless when there is nothing. */
void launch_release(struct launch_memory *memory);

/* Everything the child needs, laid out before the fork: it allocates nothing. All memory is from launch_take. */
struct launch_plan {
    struct launch_memory *memory;
    const char *program;
    char **argv; /* with argv[0], ended by NULL */
    char **environment;
    const char *directory; /* NULL: the caller's */
    struct launch_fd *fds; /* 0, 1 and 2 among them, source -1 = /dev/null; targets differ */
    size_t fd_count;
    bool session;
    pid_t launcher;    /* who forks */
    bool dies_with_us; /* killed when the launching process ends; cleared by the kernel when the uid changes */
    uint64_t core_bytes;
    bool has_namespace;
    struct launch_mount *mounts;
    size_t mount_count;
    bool has_landlock;
    struct launch_rule *rules;
    size_t rule_count;
    bool has_identity;
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    size_t group_count;
};

struct launch_child {
    pid_t pid;
    uint64_t start_time; /* field 22 of /proc/PID/stat, clock ticks after boot */
    int pidfd;
    int channel; /* the gate: a byte lets the child go, our end closing ends it; its failures come back on it */
    bool let_go; /* the byte was sent; the channel stays until it is known what became of it */
};

/* What a child writes into its channel before it exits without having become the program. */
struct launch_failure {
    int32_t stage;
    int32_t item; /* index into mounts or rules, else -1 */
    int32_t errnum;
};

/* Forks the child, which prepares itself and then waits at the gate. Gives 0 and fills `child`, or -errno. */
int launch_start(struct launch_plan *plan, struct launch_child *child);

/* From the opened gate to a running program there is little to do: only a dead file system takes longer than this. */
#define LAUNCH_GO_TIMEOUT_MS 10000

/* Opens the gate and waits until the program runs. 1 = it runs, 0 = `failure` says why not, or -errno; with a timeout of 0
 * -EAGAIN means: not yet, and the channel is readable when it is known. */
int launch_go(struct launch_child *child, struct launch_failure *failure, int timeout_ms);

/* Ends a child that is not known to run, and reaps it. Harmless on an empty `child`. */
void launch_cancel(struct launch_child *child);

const char *launch_stage_name(int stage);

/* The child's side: never returns. */
_Noreturn void launch_child_run(struct launch_plan *plan, int channel);

/* 0 when the kernel has no Landlock, else its ABI. */
int launch_landlock_abi(void);

/* Confines the calling process for good. Paths that do not exist are skipped: a rule only ever permits.
 * Async-signal-safe. Gives 0, or -errno with the index of the rule in `item` (-1: none in particular). */
int launch_landlock_apply(const struct launch_rule *rules, size_t count, int32_t *item);

/* Gives the calling process its own mounts, in a user namespace where it may not otherwise. As launch_landlock_apply.
 */
int launch_namespace_enter(const struct launch_mount *mounts, size_t count, int32_t *item);

#endif
