/* A file that appears under its name only when it is complete; see newfile.h. */
#include "newfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fs.h"
#include "sys.h"

/* linux/fs.h; named here because that header clashes with sys/mount.h of some C libraries. */
#define RENAME_ONLY_NEW 1U

static int name_randomly(char *name, size_t size)
{
    uint64_t number;
    int result = sys_random(&number, sizeof number);
    snprintf(name, size, ".%016llx.tmp", (unsigned long long)number);
    return result;
}

int new_file_begin(struct new_file *file, const char *path, mode_t mode)
{
    char name[FS_NAME_SIZE];
    size_t length = strlen(path);
    file->fd = -1;
    file->directory_fd = -1;
    file->temporary[0] = '\0';
    if (length && path[length - 1] == '/')
        return -EISDIR;
    int directory = fs_open_parent(path, O_PATH, name);
    if (directory < 0)
        return directory;
    file->directory_fd = directory;
    file->name = path + length - strlen(name);
    char temporary[sizeof file->temporary];
    int result = name_randomly(temporary, sizeof temporary);
    if (result < 0)
        return result;
    file->fd = openat(file->directory_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file->fd < 0)
        return -errno;
    memcpy(file->temporary, temporary, sizeof temporary);
    /* The umask has had its say in openat; what the caller asked for holds. */
    return fchmod(file->fd, mode) < 0 ? -errno : 0;
}

/* File systems without RENAME_NOREPLACE (NFS, some FUSE) give EINVAL; a hard link refuses an existing name as well. */
static int name_without_replacing(const struct new_file *file)
{
    int directory = file->directory_fd;
    if (!syscall(SYS_renameat2, directory, file->temporary, directory, file->name, RENAME_ONLY_NEW))
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (linkat(directory, file->temporary, directory, file->name, 0) < 0)
        return -errno;
    unlinkat(directory, file->temporary, 0);
    return 0;
}

static int name_finally(const struct new_file *file, unsigned flags)
{
    if (!(flags & NEW_FILE_REPLACE))
        return name_without_replacing(file);
    return renameat(file->directory_fd, file->temporary, file->directory_fd, file->name) < 0 ? -errno : 0;
}

/* Some file systems cannot sync a directory and say EINVAL; there is nothing more to be had from them. */
static int sync_name(const struct new_file *file)
{
    cleanup_fd int fd = openat(file->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || (fsync(fd) < 0 && errno != EINVAL) ? -errno : 0;
}

static int commit(struct new_file *file, unsigned flags)
{
    if ((flags & NEW_FILE_SYNC) && fsync(file->fd) < 0)
        return -errno;
    /* Network file systems report late write errors here. */
    if (close(sys_steal_fd(&file->fd)) < 0 && errno != EINTR)
        return -errno;
    int status = name_finally(file, flags);
    if (status < 0)
        return status;
    file->temporary[0] = '\0';
    return flags & NEW_FILE_SYNC ? sync_name(file) : 0;
}

int new_file_commit(struct new_file *file, unsigned flags)
{
    int status = commit(file, flags);
    new_file_abandon(file);
    return status;
}

void new_file_abandon(struct new_file *file)
{
    if (file->temporary[0])
        unlinkat(file->directory_fd, file->temporary, 0);
    file->temporary[0] = '\0';
    if (file->fd >= 0)
        close(sys_steal_fd(&file->fd));
    if (file->directory_fd >= 0)
        close(sys_steal_fd(&file->directory_fd));
}
