/* Whole directories: making, listing, removing. */
#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_dots(const char *name)
{
    return !strcmp(name, ".") || !strcmp(name, "..");
}

/* -- making -------------------------------------------------------------------------------------------------------- */

static int make_child(int parent, const char *name, mode_t mode)
{
    bool is_new = mkdirat(parent, name, 0700) == 0;
    if (!is_new && errno != EEXIST)
        return -errno;
    /* What came in between may be anything but a symbolic link that leads elsewhere. */
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (!is_new || fchmod(fd, mode) == 0) /* exactly: the umask is not asked */
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static int open_or_make(int parent, const char *name, mode_t mode)
{
    int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    return errno == ENOENT ? make_child(parent, name, mode) : -errno;
}

int fs_make_all(const char *path, mode_t mode)
{
    if (!*path)
        return -ENOENT;
    int fd = open_or_make(AT_FDCWD, path, mode); /* most are there, or lack their last part only */
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    fd = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    char name[FS_NAME_SIZE];
    for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
        size_t length = strcspn(path, "/");
        int next = -ENAMETOOLONG;
        if (length < sizeof name) {
            memcpy(name, path, length);
            name[length] = '\0';
            next = open_or_make(fd, name, mode);
        }
        close(fd);
        if (next < 0)
            return next;
        fd = next;
        path += length;
    }
    close(fd);
    return 0;
}

/* -- listing ------------------------------------------------------------------------------------------------------- */

/* A stream over an open directory, which stays the caller's. */
static DIR *open_stream(int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    DIR *stream = fdopendir(fd);
    if (!stream)
        close(fd);
    return stream;
}

static mode_t type_of(DIR *stream, const struct dirent *entry)
{
    struct stat status;
    if (entry->d_type != DT_UNKNOWN)
        return DTTOIF(entry->d_type);
    return fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : status.st_mode & S_IFMT;
}

/* Makes room for one more of the `count` items of `size` bytes in *items. */
static int make_room(void **items, size_t size, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return 0;
    size_t more = *capacity ? *capacity * 2 : 32;
    void *moved = reallocarray(*items, more, size);
    if (!moved)
        return -ENOMEM;
    *items = moved;
    *capacity = more;
    return 0;
}

static int add_entry(struct fs_listing *listing, const char *name, mode_t type)
{
    void *entries = listing->entries;
    int result = make_room(&entries, sizeof *listing->entries, listing->count, &listing->capacity);
    listing->entries = entries;
    char *copy = result ? NULL : strdup(name);
    if (!copy)
        return -ENOMEM;
    listing->entries[listing->count++] = (struct fs_entry){ .name = copy, .type = type };
    return 0;
}

static int by_name(const void *first, const void *second)
{
    return strcmp(((const struct fs_entry *)first)->name, ((const struct fs_entry *)second)->name);
}

static int fill_listing(DIR *stream, struct fs_listing *listing)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry)
            return -errno;
        int result = is_dots(entry->d_name) ? 0 : add_entry(listing, entry->d_name, type_of(stream, entry));
        if (result < 0)
            return result;
    }
}

int fs_list(const char *path, struct fs_listing *listing)
{
    DIR *stream = opendir(path); /* close-on-exec, refuses what is no directory without opening it */
    if (!stream)
        return -errno;
    int result = fill_listing(stream, listing);
    closedir(stream);
    if (!result && listing->count)
        qsort(listing->entries, listing->count, sizeof *listing->entries, by_name);
    return result;
}

void fs_listing_free(struct fs_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        free(listing->entries[i].name);
    free(listing->entries);
    *listing = (struct fs_listing){ 0 };
}

/* -- removing ------------------------------------------------------------------------------------------------------ */

/* A directory that was left for one within: which one it was, so that ".." can be checked, and the name within. */
struct level {
    dev_t device;
    ino_t inode;
    char name[FS_NAME_SIZE];
};

struct removal {
    int fd; /* of the directory being emptied */
    struct level *levels;
    size_t depth, capacity;
};

/* Some file systems give names longer than NAME_MAX. */
static int copy_name(char copy[FS_NAME_SIZE], const char *name)
{
    size_t size = strlen(name) + 1;
    if (size > FS_NAME_SIZE)
        return -ENAMETOOLONG;
    memcpy(copy, name, size);
    return 0;
}

/* Removes one entry; 1 when it is a directory that is not empty. */
static int remove_entry(int directory, const char *name)
{
    if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
        return 0;
    int error = errno;
    if (error != EISDIR && error != EPERM)
        return -error;
    if (unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno == ENOTDIR) /* a file that may not be removed */
        return -error;
    if (errno == ENOTEMPTY || errno == EEXIST)
        return 1;
    return errno == EBUSY ? -EXDEV : -errno; /* what is mounted there is not ours to look into */
}

/* Removes entries up to the first directory that is not empty: 1 and its name. 0 when all are gone. */
static int remove_entries(int directory, char name[FS_NAME_SIZE])
{
    DIR *stream = open_stream(directory);
    if (!stream)
        return -errno;
    int result = 0;
    while (!result) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            result = -errno;
            break;
        }
        if (!is_dots(entry->d_name))
            result = remove_entry(directory, entry->d_name);
        if (result > 0 && copy_name(name, entry->d_name) < 0)
            result = -ENAMETOOLONG;
    }
    closedir(stream);
    return result;
}

static int push_level(struct removal *removal, const char *name)
{
    struct stat status;
    void *levels = removal->levels;
    int result = make_room(&levels, sizeof *removal->levels, removal->depth, &removal->capacity);
    removal->levels = levels;
    if (result < 0)
        return result;
    if (fstat(removal->fd, &status) < 0)
        return -errno;
    struct level *level = &removal->levels[removal->depth++];
    level->device = status.st_dev;
    level->inode = status.st_ino;
    return copy_name(level->name, name);
}

static int go_down(struct removal *removal, const char *name)
{
    int result = push_level(removal, name);
    int child = result < 0 ? result : fs_open_child(removal->fd, name);
    if (child < 0)
        return child;
    close(removal->fd);
    removal->fd = child;
    return 0;
}

/* Back to the directory that was left, and removes there the one that is empty now. */
static int go_up(struct removal *removal)
{
    const struct level *level = &removal->levels[--removal->depth];
    struct stat status;
    int parent = openat(removal->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return -errno;
    close(removal->fd);
    removal->fd = parent;
    if (fstat(parent, &status) < 0)
        return -errno;
    if (status.st_dev != level->device || status.st_ino != level->inode) /* somebody moved it away meanwhile */
        return -ESTALE;
    return unlinkat(parent, level->name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int empty_directory(int parent, const char *name)
{
    struct removal removal = { .fd = fs_open_child(parent, name) };
    if (removal.fd < 0)
        return removal.fd;
    int result;
    do {
        char child[FS_NAME_SIZE];
        result = remove_entries(removal.fd, child);
        if (result == 0 && removal.depth == 0)
            break;
        if (result >= 0)
            result = result ? go_down(&removal, child) : go_up(&removal);
    } while (result >= 0);
    close(removal.fd);
    free(removal.levels);
    return result;
}

int fs_remove_tree(const char *path)
{
    char name[FS_NAME_SIZE];
    int parent = fs_open_parent(path, O_PATH, name);
    if (parent < 0)
        return parent == -ENOENT && *path ? 0 : parent;
    int result = remove_entry(parent, name);
    if (result > 0)
        result = empty_directory(parent, name);
    if (!result)
        result = remove_entry(parent, name);
    close(parent);
    return result > 0 ? -ENOTEMPTY : result;
}
