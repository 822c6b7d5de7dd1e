/* Landlock for a child about to exec: which file system rights exist at each ABI, and rules over paths.
 * Linux, Documentation/userspace-api/landlock.rst. Constants are ours: C libraries ship old headers. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* System calls added after 5.1 have one number on all architectures. */
#define CALL_CREATE_RULESET 444
#define CALL_ADD_RULE 445
#define CALL_RESTRICT_SELF 446

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_MAKE_CHAR (1ull << 6)
#define FS_MAKE_BLOCK (1ull << 11)
#define FS_ABI_1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)     /* ABI 2 */
#define FS_TRUNCATE (1ull << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define FS_OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

#define SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0) /* ABI 6, like the next */
#define SCOPE_SIGNAL (1ull << 1)

struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net; /* ABI 4 */
    uint64_t scoped;             /* ABI 6 */
};

struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

int launch_landlock_abi(void)
{
    long abi = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static uint64_t handled_rights(int abi)
{
    uint64_t rights = FS_ABI_1;
    if (abi >= 2)
        rights |= FS_REFER;
    if (abi >= 3)
        rights |= FS_TRUNCATE;
    if (abi >= 5)
        rights |= FS_IOCTL_DEV;
    return rights;
}

/* Network rights are not handled: user-mode networking connects anywhere and listens on ports that are not known yet.
 */
static int create_ruleset(int abi)
{
    struct ruleset_attr attr = { .handled_access_fs = handled_rights(abi) };
    size_t size = sizeof attr.handled_access_fs;
    if (abi >= 6) {
        attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
        size = sizeof attr;
    }
    return (int)syscall(CALL_CREATE_RULESET, &attr, size, 0u);
}

/* Writing includes making and removing, but never device nodes; ioctls only on a device that a rule names itself. */
static uint64_t wanted_rights(enum launch_access access, mode_t mode)
{
    uint64_t rights = FS_READ_FILE | FS_READ_DIR;
    if (access == LAUNCH_EXECUTE)
        rights |= FS_EXECUTE;
    if (access == LAUNCH_WRITE)
        rights |= (FS_ABI_1 | FS_REFER | FS_TRUNCATE) & ~(FS_EXECUTE | FS_MAKE_CHAR | FS_MAKE_BLOCK);
    if (access == LAUNCH_WRITE && S_ISCHR(mode))
        rights |= FS_IOCTL_DEV;
    return S_ISDIR(mode) ? rights : rights & FS_OF_FILES;
}

static int add_rule(int ruleset, uint64_t handled, const struct launch_rule *rule)
{
    int fd = open(rule->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    struct stat status;
    int result = fstat(fd, &status) < 0 ? -errno : 0;
    struct path_beneath_attr attr = { .parent_fd = fd };
    if (!result)
        attr.allowed_access = wanted_rights(rule->access, status.st_mode) & handled;
    if (!result && syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &attr, 0u) < 0)
        result = -errno;
    close(fd);
    return result;
}

int launch_landlock_apply(const struct launch_rule *rules, size_t count, int32_t *item)
{
    *item = -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    int abi = launch_landlock_abi();
    if (!abi)
        return 0;
    int ruleset = create_ruleset(abi);
    if (ruleset < 0)
        return -errno;
    for (size_t i = 0; i < count; i++) {
        int result = add_rule(ruleset, handled_rights(abi), &rules[i]);
        if (result < 0) {
            *item = (int32_t)i;
            return result;
        }
    }
    int result = syscall(CALL_RESTRICT_SELF, ruleset, 0u) < 0 ? -errno : 0;
    close(ruleset);
    return result;
}
