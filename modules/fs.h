/* Mechanism of sys.fs. Functions give >= 0 or -errno; descriptors are close-on-exec and the caller's. */
#ifndef HOLOS_FS_H
#define HOLOS_FS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#define FS_NAME_SIZE (NAME_MAX + 1)

/* -- fs_open.c: opening without being tricked or made to wait ------------------------------------------------------ */

/* open(2), but what it creates gets exactly `mode`: the umask is not asked. Creates nothing where a symbolic link leads. */
int fs_open_exact(const char *path, int flags, mode_t mode);

/* Opens for reading; `flags` adds O_NOFOLLOW. -EISDIR for a directory, -EINVAL for a fifo, a socket or a device. */
int fs_open_regular(const char *path, int flags);

/* Gives `fd` back when it is a regular file or a failure, else closes it and fails as fs_open_regular. */
int fs_keep_regular(int fd);

/* Opens `relative` beneath `directory`: symbolic links are followed as long as they stay beneath. -EXDEV when the path
 * leads out. On kernels before 5.6, which cannot do that, -ELOOP for any symbolic link and -EXDEV for any "..". */
int fs_open_beneath(const char *directory, const char *relative, int flags);

/* Opens the directory `name` in `directory`, no symbolic link, no other file system: -ELOOP or -ENOTDIR, -EXDEV. */
int fs_open_child(int directory, const char *name);

/* Opens the directory that holds `path` and copies the last component; -EINVAL when that is missing, "." or "..". */
int fs_open_parent(const char *path, int flags, char name[FS_NAME_SIZE]);

/* read(2), again after signals. */
ssize_t fs_read_some(int fd, void *space, size_t size);

/* -- fs_write.c ---------------------------------------------------------------------------------------------------- */

int fs_write_all(int fd, const char *data, size_t length);

/* The file has its old or its new contents, through power loss when `sync`; see newfile.h. */
int fs_write_atomic(const char *path, const char *data, size_t length, mode_t mode, bool sync);

/* One write to the end, so that lines of several writers do not mix. Never through a symbolic link. */
int fs_append(const char *path, const char *data, size_t length, mode_t mode);

int fs_truncate(const char *path, off_t size);

/* Flushes what any process has written to a regular file; never through a symbolic link. */
int fs_sync(const char *path);

int fs_rename(const char *from, const char *to, bool replace, bool sync);
int fs_remove(const char *path);

/* chmod that never follows a symbolic link: -ELOOP. */
int fs_chmod(const char *path, mode_t mode);

/* Copies a regular file, holes included, and gives its size. The target appears complete or not at all. */
long long fs_copy(const char *from, const char *to, mode_t mode, bool sync);

/* Copies what `from` has at `at` and behind, `most` bytes of data, and passes over holes before it. Gives where it stopped;
 * `at` itself, which is the size, when all of it is there. -EBUSY: the file became shorter. */
off_t fs_copy_part(int from, int to, off_t at, off_t most);

/* -- fs_tree.c ----------------------------------------------------------------------------------------------------- */

/* Makes the directory and its missing parents, each with exactly `mode`. */
int fs_make_all(const char *path, mode_t mode);

/* Removes a file or a directory with all it holds; 0 when there is none. Follows no symbolic link, stays on one file
 * system (-EXDEV), needs the same few descriptors at any depth. */
int fs_remove_tree(const char *path);

struct fs_entry {
    char *name;
    mode_t type; /* S_IFREG, …; 0 when unknown */
};

struct fs_listing {
    struct fs_entry *entries;
    size_t count, capacity;
};

/* Fills `listing`, sorted by the bytes of the names, without "." and "..". Free it also after a failure. */
int fs_list(const char *path, struct fs_listing *listing);
void fs_listing_free(struct fs_listing *listing);

#endif
