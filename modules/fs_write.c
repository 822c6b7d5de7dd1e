/* Writing files so that nobody ever sees half of one. */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "newfile.h"

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

int fs_write_atomic(const char *path, const char *data, size_t length, mode_t mode, bool sync)
{
    cleanup_new_file struct new_file file;
    int result = new_file_begin(&file, path, mode);
    if (!result)
        result = fs_write_all(file.fd, data, length);
    return result ? result : new_file_commit(&file, NEW_FILE_REPLACE | (sync ? NEW_FILE_SYNC : 0));
}

/* -- in place ------------------------------------------------------------------------------------------------------ */

static int open_in_place(const char *path, int flags, mode_t mode)
{
    int fd = fs_open_exact(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags, mode);
    return fd == -ENXIO ? -EINVAL : fs_keep_regular(fd); /* ENXIO: a fifo nobody reads */
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

int fs_sync(const char *path)
{
    int fd = fs_open_regular(path, O_NOFOLLOW);
    if (fd < 0)
        return fd;
    int result = fsync(fd) < 0 ? -errno : 0;
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
