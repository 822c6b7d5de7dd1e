/* qcow2 disk images: what the parts of sys.qcow2 share. "Spec" in comments is docs/interop/qcow2.txt of QEMU; limits
 * that are QEMU's own are those of block/qcow2.h: an image beyond them would be refused by QEMU later anyway.
 *
 * qcow2_header.c  header and extensions out of hostile bytes    qcow2_create.c         new images and overlays
 * qcow2_tables.c  what the header points to, checked in a file  qcow2_grow.c, _move.c  larger virtual disks */
#ifndef HOLOS_QCOW2_H
#define HOLOS_QCOW2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys.h"

#define QCOW2_MAGIC 0x514649FBU /* "QFI\xfb" */

enum {
    /* Offsets in the header: spec, "Header". */
    QCOW2_AT_VERSION = 4,
    QCOW2_AT_BACKING_OFFSET = 8,
    QCOW2_AT_BACKING_SIZE = 16,
    QCOW2_AT_CLUSTER_BITS = 20,
    QCOW2_AT_SIZE = 24,
    QCOW2_AT_ENCRYPTION = 32,
    QCOW2_AT_L1_SIZE = 36,
    QCOW2_AT_L1_OFFSET = 40,
    QCOW2_AT_REFCOUNT_OFFSET = 48,
    QCOW2_AT_REFCOUNT_CLUSTERS = 56,
    QCOW2_AT_SNAPSHOT_COUNT = 60,
    QCOW2_AT_SNAPSHOT_OFFSET = 64,
    QCOW2_AT_INCOMPATIBLE = 72,
    QCOW2_AT_COMPATIBLE = 80,
    QCOW2_AT_AUTOCLEAR = 88,
    QCOW2_AT_REFCOUNT_ORDER = 96,
    QCOW2_AT_HEADER_LENGTH = 100,
    QCOW2_AT_COMPRESSION = 104,

    QCOW2_V2_HEADER_BYTES = 72,
    QCOW2_V3_HEADER_BYTES = 104,
    QCOW2_SECTOR_BYTES = 512,       /* virtual sizes are multiples of it */
    QCOW2_ENTRY_BYTES = 8,          /* of the L1 and of the refcount table */
    QCOW2_BACKING_MAX = 1023,       /* spec: backing file name */
    QCOW2_FORMAT_MAX = 15,          /* QEMU: format names */
    QCOW2_L1_ENTRIES_MAX = 1 << 22, /* QEMU: QCOW_MAX_L1_SIZE, 32 MiB */
    QCOW2_SNAPSHOTS_MAX = 65536,    /* QEMU: QCOW_MAX_SNAPSHOTS */
};

enum { QCOW2_EXTENSION_END = 0 };
#define QCOW2_EXTENSION_BACKING_FORMAT 0xE2792ACAU /* spec, "Header extensions" */
#define QCOW2_EXTENSION_BITMAPS 0x23852875U
#define QCOW2_EXTENSION_DATA_FILE 0x44415441U

/* Spec, "incompatible_features". */
enum {
    QCOW2_DIRTY = 1,
    QCOW2_CORRUPT = 2,
    QCOW2_DATA_FILE = 4,
    QCOW2_COMPRESSION = 8,
    QCOW2_EXTENDED_L2 = 16,
    QCOW2_KNOWN = 31,
};

struct qcow2_info {
    uint32_t version, cluster_bits, header_bytes, refcount_order;
    uint64_t virtual_bytes;
    uint32_t l1_entries, refcount_table_clusters, snapshots;
    uint64_t l1_offset, refcount_table_offset, snapshots_offset;
    uint64_t incompatible, compatible, autoclear;
    uint32_t encryption;  /* 0 none, 1 AES, 2 LUKS */
    uint32_t compression; /* 0 zlib, 1 zstd */
    bool has_bitmaps;
    char backing[QCOW2_BACKING_MAX + 1]; /* "" = none */
    char backing_format[QCOW2_FORMAT_MAX + 1];
    char data_file[QCOW2_BACKING_MAX + 1]; /* name of the external data file, "" when none is recorded */
};

static inline uint64_t qcow2_cluster_bytes(const struct qcow2_info *info)
{
    return UINT64_C(1) << info->cluster_bits;
}

/* Entries that an L1 table needs for a disk of `virtual_bytes`. */
uint64_t qcow2_l1_needed(const struct qcow2_info *info, uint64_t virtual_bytes);

/* qcow2_header.c: reads the first `length` bytes of a file of `file_bytes`; they should be a cluster, or the whole file
 * when that is shorter. Gives 0, or -1 with `error` set: ENOTQCOW2 for other files, EINVAL for damage and attacks.
 * Everything in `info` is then within the limits of the spec and of the file. */
int qcow2_parse(const uint8_t *bytes, size_t length, uint64_t file_bytes, struct qcow2_info *info,
                struct sys_error *error);

/* qcow2_tables.c: parses the header of an open file and checks where its L1, refcount and snapshot tables point. */
int qcow2_load(int fd, uint64_t file_bytes, struct qcow2_info *info, struct sys_error *error);
/* Reads or writes everything or fails: 0 or -errno; -ENODATA at the end of the file. */
int qcow2_read_at(int fd, void *buffer, size_t length, uint64_t offset);
int qcow2_write_at(int fd, const void *buffer, size_t length, uint64_t offset);
/* Opens a regular file; -1 with `error` set. It blocks on no fifo. */
int qcow2_open(const char *path, int flags, uint64_t *file_bytes, struct sys_error *error);

struct qcow2_request {
    uint64_t size_bytes;
    const char *backing;        /* NULL = none */
    const char *backing_format; /* "raw" or "qcow2" when there is a backing file */
    mode_t mode;
};

/* qcow2_create.c: a new image, complete or absent, flushed to the disk. Gives 0, or -1 with `error` set. */
int qcow2_create(const char *path, const struct qcow2_request *request, struct sys_error *error);

/* qcow2_grow.c: makes the virtual disk larger. Gives 0, or -1 with `error` set. */
int qcow2_grow(const char *path, uint64_t size_bytes, struct sys_error *error);

#endif
