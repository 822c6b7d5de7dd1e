/* What a qcow2 header points to, checked in the file: no table leads outside the file or into another table. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "qcow2.h"

enum { CHUNK_ENTRIES = 2048, CHUNK_BYTES = CHUNK_ENTRIES * QCOW2_ENTRY_BYTES };

/* Spec, "Snapshots". */
enum {
    SNAPSHOT_AT_L1_ENTRIES = 8,
    SNAPSHOT_AT_ID_BYTES = 12,
    SNAPSHOT_AT_NAME_BYTES = 14,
    SNAPSHOT_AT_EXTRA_BYTES = 36,
    SNAPSHOT_FIXED_BYTES = 40,
    SNAPSHOT_EXTRA_MAX = 1024, /* QEMU: QCOW_MAX_SNAPSHOT_EXTRA_DATA */
};

#define L1_RESERVED UINT64_C(0x7F000000000001FF) /* spec, "L1 table entry": bits 0-8 and 56-62 */
#define L1_OFFSET UINT64_C(0x00FFFFFFFFFFFE00)
#define REFCOUNT_RESERVED UINT64_C(0x00000000000001FF) /* spec, "Refcount table entry": bits 0-8 */
#define REFCOUNT_OFFSET UINT64_C(0xFFFFFFFFFFFFFE00)

#define REFUSE(...) return sys_error_set(error, "EINVAL", __VA_ARGS__)

int qcow2_read_at(int fd, void *buffer, size_t length, uint64_t offset)
{
    uint8_t *to = buffer;
    while (length) {
        ssize_t got = pread(fd, to, length, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -ENODATA;
        to += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

int qcow2_write_at(int fd, const void *buffer, size_t length, uint64_t offset)
{
    const uint8_t *from = buffer;
    while (length) {
        ssize_t put = pwrite(fd, from, length, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -ENOSPC;
        from += put;
        offset += (uint64_t)put;
        length -= (size_t)put;
    }
    return 0;
}

int qcow2_open(const char *path, int flags, uint64_t *file_bytes, struct sys_error *error)
{
    struct stat status;
    cleanup_fd int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) < 0)
        return sys_error_set(error, sys_errno_name(errno), "%s", strerror(errno));
    if (!S_ISREG(status.st_mode))
        REFUSE("not a regular file");
    *file_bytes = (uint64_t)status.st_size;
    return sys_steal_fd(&fd);
}

static int refuse_errno(struct sys_error *error, int errnum)
{
    return sys_error_set(error, sys_errno_name(errnum), "%s", strerror(errnum));
}

/* -- tables of offsets --------------------------------------------------------------------------------------------- */

struct table {
    const char *name;
    uint64_t offset, entries, reserved_mask, offset_mask;
};

static bool is_inside(uint64_t offset, uint64_t start, uint64_t bytes)
{
    return offset >= start && offset - start < bytes;
}

static int check_entry(const struct qcow2_info *info, const struct table *table, uint64_t number, uint64_t entry,
                       uint64_t file_bytes, struct sys_error *error)
{
    uint64_t offset = entry & table->offset_mask;
    unsigned long long index = number, place = offset;
    if (entry & table->reserved_mask || offset & (qcow2_cluster_bytes(info) - 1))
        REFUSE("entry %llu of the %s table is damaged", index, table->name);
    if (offset >= file_bytes && offset)
        REFUSE("entry %llu of the %s table leads to byte %llu, past the end of the file: was it cut short?", index,
               table->name, place);
    uint64_t refcount_bytes = (uint64_t)info->refcount_table_clusters << info->cluster_bits;
    if (offset && (is_inside(offset, info->l1_offset, (uint64_t)info->l1_entries * QCOW2_ENTRY_BYTES) ||
                   is_inside(offset, info->refcount_table_offset, refcount_bytes)))
        REFUSE("entry %llu of the %s table leads into a table", index, table->name);
    return 0;
}

static int check_table(int fd, const struct qcow2_info *info, const struct table *table, uint64_t file_bytes,
                       struct sys_error *error)
{
    uint8_t chunk[CHUNK_BYTES] = { 0 };
    for (uint64_t first = 0; first < table->entries; first += CHUNK_ENTRIES) {
        uint64_t left = table->entries - first;
        size_t count = left < CHUNK_ENTRIES ? (size_t)left : CHUNK_ENTRIES;
        uint64_t offset = table->offset + first * QCOW2_ENTRY_BYTES;
        int status = qcow2_read_at(fd, chunk, count * QCOW2_ENTRY_BYTES, offset);
        if (status < 0)
            return refuse_errno(error, -status);
        for (size_t i = 0; i < count; i++) {
            uint64_t entry = get_be64(chunk + i * QCOW2_ENTRY_BYTES);
            if (entry && check_entry(info, table, first + i, entry, file_bytes, error) < 0)
                return -1;
        }
    }
    return 0;
}

static int check_tables(int fd, const struct qcow2_info *info, uint64_t file_bytes, struct sys_error *error)
{
    uint64_t refcount_bytes = (uint64_t)info->refcount_table_clusters << info->cluster_bits;
    struct table l1 = { "L1", info->l1_offset, info->l1_entries, L1_RESERVED, L1_OFFSET };
    struct table refcounts = { "refcount", info->refcount_table_offset, refcount_bytes / QCOW2_ENTRY_BYTES,
                               REFCOUNT_RESERVED, REFCOUNT_OFFSET };
    if (is_inside(info->l1_offset, info->refcount_table_offset, refcount_bytes) ||
        is_inside(info->refcount_table_offset, info->l1_offset, (uint64_t)info->l1_entries * QCOW2_ENTRY_BYTES))
        REFUSE("the L1 table and the refcount table overlap");
    if (check_table(fd, info, &l1, file_bytes, error) < 0)
        return -1;
    return check_table(fd, info, &refcounts, file_bytes, error);
}

/* -- snapshots ----------------------------------------------------------------------------------------------------- */

/* Gives the bytes of the entry at `offset`, a multiple of 8, or -1. */
static int64_t check_snapshot(int fd, const struct qcow2_info *info, uint32_t number, uint64_t offset,
                              uint64_t file_bytes, struct sys_error *error)
{
    uint8_t entry[SNAPSHOT_FIXED_BYTES];
    if (qcow2_read_at(fd, entry, sizeof entry, offset) < 0)
        REFUSE("snapshot %u is not in the file", number);
    uint64_t l1_offset = get_be64(entry), l1_entries = get_be32(entry + SNAPSHOT_AT_L1_ENTRIES);
    uint64_t extra_bytes = get_be32(entry + SNAPSHOT_AT_EXTRA_BYTES);
    uint64_t bytes = SNAPSHOT_FIXED_BYTES + extra_bytes + get_be16(entry + SNAPSHOT_AT_ID_BYTES) +
                     get_be16(entry + SNAPSHOT_AT_NAME_BYTES);
    bool is_placed = !(l1_offset & (qcow2_cluster_bytes(info) - 1)) && l1_offset <= file_bytes &&
                     l1_entries * QCOW2_ENTRY_BYTES <= file_bytes - l1_offset;
    if (extra_bytes > SNAPSHOT_EXTRA_MAX || l1_entries > QCOW2_L1_ENTRIES_MAX || !is_placed)
        REFUSE("snapshot %u is damaged", number);
    if (bytes > file_bytes - offset)
        REFUSE("snapshot %u is not in the file", number);
    return (int64_t)((bytes + 7) & ~UINT64_C(7));
}

static int check_snapshots(int fd, const struct qcow2_info *info, uint64_t file_bytes, struct sys_error *error)
{
    uint64_t offset = info->snapshots_offset;
    for (uint32_t number = 0; number < info->snapshots; number++) {
        int64_t bytes = check_snapshot(fd, info, number, offset, file_bytes, error);
        if (bytes < 0)
            return -1;
        offset += (uint64_t)bytes;
    }
    return 0;
}

/* -- loading ------------------------------------------------------------------------------------------------------- */

/* The extensions may fill the first cluster, whose size the header tells; a hostile size asks for 2 MiB at most. */
static size_t bytes_to_read(int fd, uint64_t file_bytes)
{
    uint8_t start[QCOW2_V2_HEADER_BYTES] = { 0 };
    uint64_t wanted = sizeof start;
    if (file_bytes >= sizeof start && !qcow2_read_at(fd, start, sizeof start, 0)) {
        uint32_t bits = get_be32(start + QCOW2_AT_CLUSTER_BITS);
        wanted = UINT64_C(1) << (bits > 21 ? 9 : bits);
    }
    if (wanted < QCOW2_V3_HEADER_BYTES)
        wanted = QCOW2_V3_HEADER_BYTES;
    return (size_t)(wanted < file_bytes ? wanted : file_bytes);
}

static int load_header(int fd, uint64_t file_bytes, struct qcow2_info *info, struct sys_error *error)
{
    size_t length = bytes_to_read(fd, file_bytes);
    uint8_t *bytes = calloc(1, length + 1);
    if (!bytes)
        return refuse_errno(error, ENOMEM);
    int status = qcow2_read_at(fd, bytes, length, 0);
    int result = status < 0 ? refuse_errno(error, -status) : qcow2_parse(bytes, length, file_bytes, info, error);
    free(bytes);
    return result;
}

int qcow2_load(int fd, uint64_t file_bytes, struct qcow2_info *info, struct sys_error *error)
{
    if (load_header(fd, file_bytes, info, error) < 0 || check_tables(fd, info, file_bytes, error) < 0)
        return -1;
    return check_snapshots(fd, info, file_bytes, error);
}
