/* A larger virtual disk in place, safe against being killed at any moment.
 *
 * The file is always valid: what is new is written and flushed first, then one write of 24 bytes inside the header's
 * first sector switches to it, then what is old is let go. In between, a crash costs at most a few leaked clusters,
 * never data. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "qcow2_grow.h"

enum {
    CHUNK_BYTES = 1 << 16,
    SWITCH_BYTES = QCOW2_AT_L1_OFFSET + 8 - QCOW2_AT_SIZE, /* size, encryption, L1 size, L1 offset */
    /* QEMU (block/file-posix.c) holds byte locks on images in 100…104 and 200…204; this range holds all of them. */
    LOCK_START = 100,
    LOCK_BYTES = 200,
};

#define REFUSE(...) return sys_error_set(error, "EINVAL", __VA_ARGS__)

static int fail(struct sys_error *error, int status)
{
    return status < 0 ? sys_error_set(error, sys_errno_name(-status), "%s", strerror(-status)) : 0;
}

/* -- whether it may be done ---------------------------------------------------------------------------------------- */

static int lock(int fd, struct sys_error *error)
{
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_START, .l_len = LOCK_BYTES };
    if (!fcntl(fd, F_OFD_SETLK, &range))
        return 0;
    if (errno == EAGAIN || errno == EACCES)
        return sys_error_set(error, "EBUSY", "in use by another process, a running VM?");
    return fail(error, -errno);
}

static int check_features(const struct qcow2_info *info, struct sys_error *error)
{
    const char *reason = NULL;
    if (info->incompatible & QCOW2_CORRUPT)
        reason = "it is marked corrupt";
    else if (info->incompatible & QCOW2_DIRTY)
        reason = "it was not closed cleanly (repair it with qemu-img check -r all)";
    else if (info->incompatible & ~(uint64_t)QCOW2_KNOWN)
        reason = "it has features that are not known here";
    else if (info->incompatible & QCOW2_DATA_FILE)
        reason = "its data is in another file";
    else if (info->snapshots)
        reason = "it has internal snapshots";
    else if (info->encryption)
        reason = "it is encrypted";
    else if (info->autoclear || info->has_bitmaps)
        reason = "it has dirty bitmaps or other extensions that would become wrong";
    return reason ? sys_error_set(error, "EOPNOTSUPP", "cannot be grown: %s", reason) : 0;
}

/* The backing file's name as an openable path: relative names are relative to the image. */
static int resolve_backing(const char *path, const char *backing, char *resolved, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t directory = slash && *backing != '/' ? (size_t)(slash - path) + 1 : 0;
    size_t length = directory + strlen(backing);
    if (length >= size)
        return -ENAMETOOLONG;
    snprintf(resolved, size, "%.*s%s", (int)directory, path, backing);
    return 0;
}

static int measure_backing(const char *backing, const char *format, uint64_t *virtual_bytes, struct sys_error *error)
{
    cleanup_fd int fd = qcow2_open(backing, O_RDONLY, virtual_bytes, error);
    if (fd < 0)
        return -1;
    if (!strcmp(format, "raw"))
        return 0;
    struct qcow2_info info;
    if (strcmp(format, "qcow2") != 0 || qcow2_load(fd, *virtual_bytes, &info, error) < 0)
        REFUSE("its size is not known");
    *virtual_bytes = info.virtual_bytes;
    return 0;
}

/* Where the disk is shorter than its backing file, growing would show the rest of that file to the guest. */
static int check_backing(const char *path, const struct qcow2_info *info, struct sys_error *error)
{
    if (!*info->backing)
        return 0;
    uint64_t backing_bytes = 0;
    struct sys_error why;
    char backing[PATH_MAX];
    int status = resolve_backing(path, info->backing, backing, sizeof backing);
    if (status < 0)
        return fail(error, status);
    if (measure_backing(backing, info->backing_format, &backing_bytes, &why) < 0)
        return sys_error_set(error, why.code, "backing file %s: %s", backing, why.text);
    if (backing_bytes > info->virtual_bytes)
        return sys_error_set(error, "EOPNOTSUPP", "cannot be grown: its backing file is larger than it");
    return 0;
}

static int check_size(struct qcow2_growth *growth, uint64_t size_bytes, struct sys_error *error)
{
    const struct qcow2_info *info = &growth->info;
    uint64_t rounding = QCOW2_SECTOR_BYTES - 1;
    growth->virtual_bytes = (size_bytes + rounding) & ~rounding;
    growth->l1_entries = qcow2_l1_needed(info, growth->virtual_bytes);
    if (growth->virtual_bytes < info->virtual_bytes)
        REFUSE("%llu bytes are less than the disk's %llu; shrinking would lose data", (unsigned long long)size_bytes,
               (unsigned long long)info->virtual_bytes);
    if (growth->l1_entries > QCOW2_L1_ENTRIES_MAX)
        return sys_error_set(error, "EFBIG", "%llu bytes are more than a disk with clusters of %llu bytes can have",
                             (unsigned long long)size_bytes, (unsigned long long)qcow2_cluster_bytes(info));
    return 0;
}

/* -- the switch ---------------------------------------------------------------------------------------------------- */

int qcow2_switch(const struct qcow2_growth *growth)
{
    uint8_t fields[SWITCH_BYTES];
    uint32_t l1_entries = growth->info.l1_entries;
    if (growth->l1_entries > l1_entries)
        l1_entries = (uint32_t)growth->l1_entries;
    put_be64(fields, growth->virtual_bytes);
    put_be32(fields + QCOW2_AT_ENCRYPTION - QCOW2_AT_SIZE, growth->info.encryption);
    put_be32(fields + QCOW2_AT_L1_SIZE - QCOW2_AT_SIZE, l1_entries);
    put_be64(fields + QCOW2_AT_L1_OFFSET - QCOW2_AT_SIZE, growth->l1_offset);
    if (fdatasync(growth->fd) < 0)
        return -errno;
    int status = qcow2_write_at(growth->fd, fields, sizeof fields, QCOW2_AT_SIZE);
    if (!status && fdatasync(growth->fd) < 0)
        status = -errno;
    return status;
}

/* -- an L1 table that has room in its own clusters ----------------------------------------------------------------- */

static int write_zeros(int fd, uint64_t offset, uint64_t bytes)
{
    static const uint8_t zeros[CHUNK_BYTES];
    while (bytes) {
        size_t now = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;
        int status = qcow2_write_at(fd, zeros, now, offset);
        if (status < 0)
            return status;
        offset += now;
        bytes -= now;
    }
    return 0;
}

/* The rest of the last cluster may hold anything, so the new entries are zeroed before they count. */
static int extend_l1(const struct qcow2_growth *growth)
{
    uint64_t old_bytes = (uint64_t)growth->info.l1_entries * QCOW2_ENTRY_BYTES;
    uint64_t new_bytes = growth->l1_entries * QCOW2_ENTRY_BYTES;
    return new_bytes > old_bytes ? write_zeros(growth->fd, growth->info.l1_offset + old_bytes, new_bytes - old_bytes)
                                 : 0;
}

/* -- growing ------------------------------------------------------------------------------------------------------- */

static int grow_tables(struct qcow2_growth *growth, struct sys_error *error)
{
    const struct qcow2_info *info = &growth->info;
    if (qcow2_l1_clusters(info, growth->l1_entries) <= qcow2_l1_clusters(info, info->l1_entries)) {
        int status = extend_l1(growth);
        return fail(error, status < 0 ? status : qcow2_switch(growth));
    }
    if (info->refcount_order != 4)
        return sys_error_set(error, "EOPNOTSUPP", "cannot be grown that far: its refcounts have not 16 bits");
    int status = qcow2_move_l1(growth);
    if (status == -EOVERFLOW)
        return sys_error_set(error, "EOPNOTSUPP", "cannot be grown that far: its refcount table is full");
    if (status == -EUCLEAN)
        REFUSE("its refcounts are damaged (repair it with qemu-img check -r all)");
    return fail(error, status);
}

int qcow2_grow(const char *path, uint64_t size_bytes, struct sys_error *error)
{
    struct qcow2_growth growth = { .fd = -1 };
    cleanup_fd int fd = qcow2_open(path, O_RDWR, &growth.file_bytes, error);
    if (fd < 0 || lock(fd, error) < 0 || qcow2_load(fd, growth.file_bytes, &growth.info, error) < 0)
        return -1;
    growth.fd = fd;
    growth.l1_offset = growth.info.l1_offset;
    if (check_features(&growth.info, error) < 0 || check_size(&growth, size_bytes, error) < 0)
        return -1;
    if (growth.virtual_bytes == growth.info.virtual_bytes)
        return 0;
    return check_backing(path, &growth.info, error) < 0 ? -1 : grow_tables(&growth, error);
}
