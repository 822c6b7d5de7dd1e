/* Opening files without being tricked or made to wait. */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2(2), since Linux 5.6: neither libc wraps it, and linux/openat2.h is not always there. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
struct how {
    uint64_t flags, mode, resolve;
};
enum { HOW_NO_XDEV = 0x01, HOW_NO_MAGICLINKS = 0x02, HOW_NO_SYMLINKS = 0x04, HOW_BENEATH = 0x08 };

/* openat2 gives EAGAIN when a rename anywhere on the host made ".." uncertain: that passes within a few tries. */
enum { RACE_TRIES = 128 };

static int open_how(int directory, const char *path, int flags, uint64_t resolve)
{
    struct how how = { .flags = (uint64_t)flags, .resolve = resolve };
    for (int i = 0; i < RACE_TRIES; i++) {
        int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
        if (fd >= 0)
            return fd;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return -EBUSY;
}

/* Old kernels lack openat2; old container runtimes say EPERM for calls they do not know. */
static bool is_missing(int result)
{
    return result == -ENOSYS || result == -EPERM;
}

static int result_of(int fd)
{
    return fd < 0 ? -errno : fd;
}

static int create_exact(const char *path, int flags, mode_t mode)
{
    int fd = result_of(open(path, flags | O_EXCL, mode));
    if (fd < 0 || fchmod(fd, mode) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

int fs_open_exact(const char *path, int flags, mode_t mode)
{
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return create_exact(path, flags, mode);
    int fd = result_of(open(path, flags & ~O_CREAT));
    /* Others may make it and remove it between the two. */
    for (int i = 0; i < RACE_TRIES && fd == -ENOENT && (flags & O_CREAT); i++) {
        fd = create_exact(path, flags, mode);
        if (fd != -EEXIST)
            return fd;
        fd = result_of(open(path, flags & ~O_CREAT));
    }
    return fd;
}

static int require_regular(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    return S_ISREG(status.st_mode) ? 0 : -EINVAL;
}

int fs_keep_regular(int fd)
{
    int result = fd < 0 ? fd : require_regular(fd);
    if (fd < 0 || !result)
        return fd;
    close(fd);
    return result;
}

int fs_open_regular(const char *path, int flags)
{
    return fs_keep_regular(result_of(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags)));
}

ssize_t fs_read_some(int fd, void *space, size_t size)
{
    ssize_t got;
    do {
        got = read(fd, space, size);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* -- beneath ------------------------------------------------------------------------------------------------------- */

/* Copies the first component of `path` and gives what follows it; NULL when the component is too long. */
static const char *take_component(const char *path, char name[FS_NAME_SIZE])
{
    size_t length = strcspn(path, "/");
    if (length >= FS_NAME_SIZE)
        return NULL;
    memcpy(name, path, length);
    name[length] = '\0';
    return path + length + strspn(path + length, "/");
}

/* The same for kernels without openat2: one component at a time, none of them a symbolic link. Owns `directory`. */
static int walk_beneath(int directory, const char *path, int flags)
{
    char name[FS_NAME_SIZE];
    if (*path == '/')
        return close(directory), -EXDEV;
    while (directory >= 0) {
        path = take_component(path, name);
        int error = !path ? -ENAMETOOLONG : !strcmp(name, "..") ? -EXDEV : 0;
        bool is_last = path && !*path;
        int next = error ? error
                         : result_of(openat(directory, name, O_NOFOLLOW | O_CLOEXEC |
                                            (is_last ? flags : O_PATH | O_DIRECTORY)));
        close(directory);
        if (is_last)
            return next;
        directory = next;
    }
    return directory;
}

int fs_open_beneath(const char *directory, const char *relative, int flags)
{
    int base = result_of(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (base < 0)
        return base;
    flags |= O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = open_how(base, relative, flags, HOW_BENEATH | HOW_NO_MAGICLINKS);
    if (is_missing(fd))
        return walk_beneath(base, relative, flags);
    close(base);
    return fd;
}

/* -- next to ------------------------------------------------------------------------------------------------------- */

static bool same_device(int first, int second)
{
    struct stat a, b;
    return fstat(first, &a) == 0 && fstat(second, &b) == 0 && a.st_dev == b.st_dev;
}

int fs_open_child(int directory, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = open_how(directory, name, flags, HOW_NO_XDEV | HOW_NO_SYMLINKS);
    if (!is_missing(fd))
        return fd;
    fd = result_of(openat(directory, name, flags));
    if (fd < 0 || same_device(directory, fd))
        return fd;
    close(fd);
    return -EXDEV;
}

int fs_open_parent(const char *path, int flags, char name[FS_NAME_SIZE])
{
    char directory[PATH_MAX] = ".";
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    const char *slash = memrchr(path, '/', length);
    size_t before = slash ? (size_t)(slash - path) : 0, start = slash ? before + 1 : 0;
    if (length - start >= FS_NAME_SIZE || before >= sizeof directory)
        return -ENAMETOOLONG;
    memcpy(name, path + start, length - start);
    name[length - start] = '\0';
    if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
        return *path ? -EINVAL : -ENOENT;
    if (slash) {
        memcpy(directory, path, before ? before : 1);
        directory[before ? before : 1] = '\0';
    }
    return result_of(open(directory, flags | O_DIRECTORY | O_CLOEXEC));
}
