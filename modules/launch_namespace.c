/* Own mounts for a child about to exec: bind mounts that only it sees, read-only where asked.
 * Without privileges this needs a user namespace in which the child is uid 0 and everything maps back to the caller. */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL_MOUNT_SETATTR 442
#define RECURSIVE 0x8000      /* AT_RECURSIVE */
#define ATTR_READ_ONLY 0x1ull /* MOUNT_ATTR_RDONLY */

struct mount_attributes {
    uint64_t set, clear, propagation, user_namespace;
};

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t put = write(fd, text, strlen(text));
    int result = put < 0 ? -errno : 0;
    close(fd);
    return result;
}

/* "0 <id> 1\n", without stdio: this runs between fork and exec. */
static void map_line(char line[32], unsigned id)
{
    char digits[12];
    size_t count = 0, at = 0;
    do
        digits[count++] = (char)('0' + id % 10);
    while (id /= 10);
    line[at++] = '0';
    line[at++] = ' ';
    while (count)
        line[at++] = digits[--count];
    memcpy(line + at, " 1\n", 4);
}

/* user_namespaces(7): an unprivileged process may map its own ids only, groups only after denying setgroups. */
static int enter_user_namespace(void)
{
    char uid_line[32], gid_line[32];
    map_line(uid_line, geteuid());
    map_line(gid_line, getegid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -errno;
    int result = write_file("/proc/self/setgroups", "deny");
    if (!result)
        result = write_file("/proc/self/uid_map", uid_line);
    return result ? result : write_file("/proc/self/gid_map", gid_line);
}

/* A remount must repeat the flags that a more privileged namespace has locked. */
static unsigned long kept_flags(const char *path)
{
    struct statvfs status;
    unsigned long flags = 0;
    if (statvfs(path, &status) < 0)
        return 0;
    flags |= status.f_flag & ST_NOSUID ? MS_NOSUID : 0;
    flags |= status.f_flag & ST_NODEV ? MS_NODEV : 0;
    flags |= status.f_flag & ST_NOEXEC ? MS_NOEXEC : 0;
    flags |= status.f_flag & ST_NOATIME ? MS_NOATIME : 0;
    flags |= status.f_flag & ST_NODIRATIME ? MS_NODIRATIME : 0;
    return flags | (status.f_flag & ST_RELATIME ? MS_RELATIME : 0);
}

/* mount_setattr (Linux 5.12) reaches mounts below the target as well. Older kernels change the top only, so there the
 * bind must not have brought any along. */
static int bind_read_only(const struct launch_mount *mount_)
{
    if (mount(mount_->source, mount_->target, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -errno;
    struct mount_attributes attributes = { .set = ATTR_READ_ONLY };
    if (!syscall(CALL_MOUNT_SETATTR, AT_FDCWD, mount_->target, RECURSIVE, &attributes, sizeof attributes))
        return 0;
    if (errno != ENOSYS)
        return -errno;
    if (umount2(mount_->target, MNT_DETACH) < 0 || mount(mount_->source, mount_->target, NULL, MS_BIND, NULL) < 0)
        return -errno;
    unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | kept_flags(mount_->target);
    return mount(NULL, mount_->target, NULL, flags, NULL) < 0 ? -errno : 0;
}

static int bind_mount(const struct launch_mount *mount_)
{
    if (mount_->read_only)
        return bind_read_only(mount_);
    return mount(mount_->source, mount_->target, NULL, MS_BIND | MS_REC, NULL) < 0 ? -errno : 0;
}

int launch_namespace_enter(const struct launch_mount *mounts, size_t count, int32_t *item)
{
    *item = -1;
    int result = unshare(CLONE_NEWNS) < 0 ? -errno : 0;
    if (result == -EPERM)
        result = enter_user_namespace();
    if (!result && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        result = -errno;
    for (size_t i = 0; !result && i < count; i++) {
        result = bind_mount(&mounts[i]);
        *item = result ? (int32_t)i : -1;
    }
    return result;
}
