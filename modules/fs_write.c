/* Writing files so that nobody ever sees half of one. */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

int fs_write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t put = write(fd, data, length);
        if (put < 0 && errno != EINTR)
            return -errno;
        if (put > 0) {
            data += put;
            length -= (size_t)put;
        }
    }
    return 0;
}

/* Some file systems cannot sync a directory and say EINVAL; there is nothing more to be had from them. */
static int sync_directory(int fd)
{
    return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* close(2) with its error, which may be the first to tell that data did not fit. EINTR has closed it on Linux. */
static int close_checked(int *fd)
{
    int number = *fd;
    *fd = -1;
    return close(number) < 0 && errno != EINTR ? -errno : 0;
}

/* -- staging ------------------------------------------------------------------------------------------------------- */

static int create_staged(struct fs_staged *staged)
{
    for (int i = 0; i < 8; i++) {
        uint64_t suffix;
        ssize_t got = getrandom(&suffix, sizeof suffix, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != sizeof suffix)
            return -EIO;
        int length = snprintf(staged->name, sizeof staged->name, ".%s.%016llx.tmp", staged->target,
                              (unsigned long long)suffix);
        if (length >= (int)sizeof staged->name)
            return -ENAMETOOLONG;
        int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        staged->file = openat(staged->directory, staged->name, flags, 0600);
        if (staged->file >= 0 || errno != EEXIST)
            return staged->file < 0 ? -errno : 0;
    }
    return -EEXIST;
}

int fs_stage(const char *path, mode_t mode, bool sync, struct fs_staged *staged)
{
    size_t length = strlen(path);
    if (length && path[length - 1] == '/')
        return -EISDIR;
    staged->file = -1;
    /* fsync needs a readable directory; without it, being allowed to write there is enough. */
    staged->directory = fs_open_parent(path, sync ? O_RDONLY : O_PATH, staged->target);
    if (staged->directory < 0)
        return staged->directory;
    int result = create_staged(staged);
    if (result < 0)
        close(staged->directory);
    else if (fchmod(staged->file, mode) < 0) { /* exactly: the umask is not asked */
        result = -errno;
        fs_discard(staged);
    }
    return result;
}

void fs_discard(struct fs_staged *staged)
{
    unlinkat(staged->directory, staged->name, 0);
    if (staged->file >= 0)
        close(staged->file);
    close(staged->directory);
}

int fs_commit(struct fs_staged *staged, bool sync)
{
    int result = sync && fsync(staged->file) < 0 ? -errno : 0;
    int closed = close_checked(&staged->file);
    if (!result)
        result = closed;
    if (!result && renameat(staged->directory, staged->name, staged->directory, staged->target) < 0)
        result = -errno;
    if (result < 0) {
        fs_discard(staged);
        return result;
    }
    if (sync)
        result = sync_directory(staged->directory);
    close(staged->directory);
    return result;
}

int fs_write_atomic(const char *path, const char *data, size_t length, mode_t mode, bool sync)
{
    struct fs_staged staged;
    int result = fs_stage(path, mode, sync, &staged);
    if (result < 0)
        return result;
    result = fs_write_all(staged.file, data, length);
    if (!result)
        return fs_commit(&staged, sync);
    fs_discard(&staged);
    return result;
}

/* -- in place ------------------------------------------------------------------------------------------------------ */

static int open_in_place(const char *path, int flags, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, mode);
    if (fd < 0)
        return errno == ENXIO ? -EINVAL : -errno; /* a fifo nobody reads */
    return fs_keep_regular(fd);
}

int fs_append(const char *path, const char *data, size_t length, mode_t mode)
{
    int fd = open_in_place(path, O_APPEND | O_CREAT, mode);
    if (fd < 0)
        return fd;
    /* The first write takes everything unless the disk is full; then the second one says so. */
    int result = fs_write_all(fd, data, length);
    int closed = close_checked(&fd);
    return result ? result : closed;
}

int fs_truncate(const char *path, off_t size)
{
    int fd = open_in_place(path, 0, 0);
    if (fd < 0)
        return fd;
    int result = ftruncate(fd, size) < 0 ? -errno : 0;
    int closed = close_checked(&fd);
    return result ? result : closed;
}

int fs_remove(const char *path)
{
    if (unlink(path) == 0)
        return 0;
    if (errno != EISDIR)
        return -errno;
    return rmdir(path) < 0 ? -errno : 0;
}

int fs_chmod(const char *path, mode_t mode)
{
    char name[40];
    struct stat status;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    /* fchmod refuses an O_PATH descriptor; its name in /proc is the file itself. */
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int result = fstat(fd, &status) < 0 ? -errno : S_ISLNK(status.st_mode) ? -ELOOP : 0;
    if (!result && chmod(name, mode) < 0)
        result = -errno;
    close(fd);
    return result;
}

/* -- rename -------------------------------------------------------------------------------------------------------- */

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

static int rename_without_replacing(const char *from, const char *to)
{
    if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    /* This file system cannot do it in one step: the nearest thing. */
    struct stat status;
    if (lstat(to, &status) == 0)
        return -EEXIST;
    return rename(from, to) < 0 ? -errno : 0;
}

static int sync_parent(const char *path)
{
    char name[FS_NAME_SIZE];
    int fd = fs_open_parent(path, O_RDONLY, name);
    if (fd < 0)
        return fd;
    int result = sync_directory(fd);
    close(fd);
    return result;
}

int fs_rename(const char *from, const char *to, bool replace, bool sync)
{
    int result = !replace ? rename_without_replacing(from, to) : rename(from, to) < 0 ? -errno : 0;
    if (result < 0 || !sync)
        return result;
    /* The new name first: after power loss in between there are two names, never none. */
    result = sync_parent(to);
    int second = sync_parent(from);
    return result ? result : second;
}
