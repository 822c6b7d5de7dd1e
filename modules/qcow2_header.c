/* The header of a qcow2 image and its extensions. The bytes may be anybody's: every number is checked before it is
 * used, and no number is trusted to fit. */
#include <string.h>

#include "bytes.h"
#include "qcow2.h"

enum {
    CLUSTER_BITS_MIN = 9,               /* spec, "cluster_bits" */
    CLUSTER_BITS_MAX = 21,              /* QEMU: MAX_CLUSTER_BITS */
    EXTENDED_CLUSTER_BITS_MIN = 14,     /* spec, "Extended L2 entries": 32 subclusters of at least a sector */
    REFCOUNT_ORDER_MAX = 6,             /* spec, "refcount_order" */
    REFCOUNT_TABLE_BYTES_MAX = 8 << 20, /* QEMU: QCOW_MAX_REFTABLE_SIZE */
    SNAPSHOT_BYTES_MIN = 40,            /* spec, "Snapshots": the fixed part of an entry */
    EXTENSION_HEADER_BYTES = 8,
};

struct source {
    const uint8_t *bytes;
    size_t length;
    uint64_t file_bytes;
};

#define REFUSE(...) return sys_error_set(error, "EINVAL", __VA_ARGS__)

uint64_t qcow2_l1_needed(const struct qcow2_info *info, uint64_t virtual_bytes)
{
    uint32_t entry_bits = info->incompatible & QCOW2_EXTENDED_L2 ? 4 : 3; /* an L2 entry has 16 or 8 bytes */
    uint32_t bits = info->cluster_bits + info->cluster_bits - entry_bits;
    return (virtual_bytes >> bits) + ((virtual_bytes & ((UINT64_C(1) << bits) - 1)) != 0);
}

/* Whether `bytes` bytes at `offset` are in the file and begin with a cluster that is not the header's. */
static bool is_table_place(const struct qcow2_info *info, uint64_t offset, uint64_t bytes, uint64_t file_bytes)
{
    bool is_aligned = offset && !(offset & (qcow2_cluster_bytes(info) - 1));
    return is_aligned && offset <= file_bytes && bytes <= file_bytes - offset;
}

/* -- the fields ---------------------------------------------------------------------------------------------------- */

static int read_kind(const struct source *source, struct qcow2_info *info, struct sys_error *error)
{
    if (source->length < 4 || get_be32(source->bytes) != QCOW2_MAGIC)
        return sys_error_set(error, "ENOTQCOW2", "not a qcow2 image");
    if (source->length < QCOW2_V2_HEADER_BYTES)
        REFUSE("the qcow2 header is cut off after %zu bytes", source->length);
    info->version = get_be32(source->bytes + QCOW2_AT_VERSION);
    if (info->version != 2 && info->version != 3)
        REFUSE("qcow version %u; only 2 and 3 are known", info->version);
    info->cluster_bits = get_be32(source->bytes + QCOW2_AT_CLUSTER_BITS);
    if (info->cluster_bits < CLUSTER_BITS_MIN || info->cluster_bits > CLUSTER_BITS_MAX)
        REFUSE("cluster_bits %u is not in %d..%d", info->cluster_bits, CLUSTER_BITS_MIN, CLUSTER_BITS_MAX);
    return 0;
}

static int read_version3(const struct source *source, struct qcow2_info *info, struct sys_error *error)
{
    const uint8_t *bytes = source->bytes;
    if (source->length < QCOW2_V3_HEADER_BYTES)
        REFUSE("the qcow2 header is cut off after %zu bytes", source->length);
    info->incompatible = get_be64(bytes + QCOW2_AT_INCOMPATIBLE);
    info->compatible = get_be64(bytes + QCOW2_AT_COMPATIBLE);
    info->autoclear = get_be64(bytes + QCOW2_AT_AUTOCLEAR);
    info->refcount_order = get_be32(bytes + QCOW2_AT_REFCOUNT_ORDER);
    info->header_bytes = get_be32(bytes + QCOW2_AT_HEADER_LENGTH);
    if (info->header_bytes < QCOW2_V3_HEADER_BYTES || info->header_bytes > source->length ||
        info->header_bytes > qcow2_cluster_bytes(info) || info->header_bytes % 8)
        REFUSE("header_length %u is not a multiple of 8 between 104 and the first cluster's end", info->header_bytes);
    if (info->refcount_order > REFCOUNT_ORDER_MAX)
        REFUSE("refcount_order %u is above %d", info->refcount_order, REFCOUNT_ORDER_MAX);
    if (info->header_bytes > QCOW2_AT_COMPRESSION)
        info->compression = bytes[QCOW2_AT_COMPRESSION];
    if (info->compression > 1 || !info->compression != !(info->incompatible & QCOW2_COMPRESSION))
        REFUSE("compression type %u does not go with feature bits %#llx", info->compression,
               (unsigned long long)info->incompatible);
    if ((info->incompatible & QCOW2_EXTENDED_L2) && info->cluster_bits < EXTENDED_CLUSTER_BITS_MIN)
        REFUSE("extended L2 entries do not go with cluster_bits %u", info->cluster_bits);
    return 0;
}

static int read_features(const struct source *source, struct qcow2_info *info, struct sys_error *error)
{
    if (info->version == 3)
        return read_version3(source, info, error);
    info->header_bytes = QCOW2_V2_HEADER_BYTES;
    info->refcount_order = 4; /* spec: version 2 has 16-bit refcounts */
    return 0;
}

static int read_disk(const struct source *source, struct qcow2_info *info, struct sys_error *error)
{
    const uint8_t *bytes = source->bytes;
    info->virtual_bytes = get_be64(bytes + QCOW2_AT_SIZE);
    info->encryption = get_be32(bytes + QCOW2_AT_ENCRYPTION);
    info->l1_entries = get_be32(bytes + QCOW2_AT_L1_SIZE);
    info->l1_offset = get_be64(bytes + QCOW2_AT_L1_OFFSET);
    if (info->virtual_bytes > INT64_MAX)
        REFUSE("the virtual size of %llu bytes is above 2^63", (unsigned long long)info->virtual_bytes);
    if (info->encryption > 2)
        REFUSE("encryption method %u is unknown", info->encryption);
    if (info->l1_entries > QCOW2_L1_ENTRIES_MAX)
        REFUSE("an L1 table of %u entries is above %d", info->l1_entries, QCOW2_L1_ENTRIES_MAX);
    if (info->l1_entries < qcow2_l1_needed(info, info->virtual_bytes))
        REFUSE("an L1 table of %u entries is too small for %llu bytes", info->l1_entries,
               (unsigned long long)info->virtual_bytes);
    uint64_t l1_bytes = (uint64_t)info->l1_entries * QCOW2_ENTRY_BYTES;
    if (l1_bytes && !is_table_place(info, info->l1_offset, l1_bytes, source->file_bytes))
        REFUSE("the L1 table at %llu is not in the file", (unsigned long long)info->l1_offset);
    return 0;
}

static int read_tables(const struct source *source, struct qcow2_info *info, struct sys_error *error)
{
    const uint8_t *bytes = source->bytes;
    info->refcount_table_offset = get_be64(bytes + QCOW2_AT_REFCOUNT_OFFSET);
    info->refcount_table_clusters = get_be32(bytes + QCOW2_AT_REFCOUNT_CLUSTERS);
    info->snapshots = get_be32(bytes + QCOW2_AT_SNAPSHOT_COUNT);
    info->snapshots_offset = get_be64(bytes + QCOW2_AT_SNAPSHOT_OFFSET);
    uint64_t table_bytes = (uint64_t)info->refcount_table_clusters << info->cluster_bits;
    if (!table_bytes || table_bytes > REFCOUNT_TABLE_BYTES_MAX)
        REFUSE("a refcount table of %u clusters is not possible", info->refcount_table_clusters);
    if (!is_table_place(info, info->refcount_table_offset, table_bytes, source->file_bytes))
        REFUSE("the refcount table at %llu is not in the file", (unsigned long long)info->refcount_table_offset);
    if (info->snapshots > QCOW2_SNAPSHOTS_MAX)
        REFUSE("%u snapshots are above %d", info->snapshots, QCOW2_SNAPSHOTS_MAX);
    uint64_t snapshot_bytes = (uint64_t)info->snapshots * SNAPSHOT_BYTES_MIN;
    if (info->snapshots && !is_table_place(info, info->snapshots_offset, snapshot_bytes, source->file_bytes))
        REFUSE("the snapshot table at %llu is not in the file", (unsigned long long)info->snapshots_offset);
    return 0;
}

/* -- names and extensions ------------------------------------------------------------------------------------------ */

/* Copies `length` bytes as a C string; -1 when they are too many or hold a NUL, which readers would disagree about. */
static int copy_name(char *to, size_t most, const uint8_t *from, size_t length)
{
    if (length > most || memchr(from, 0, length))
        return -1;
    memcpy(to, from, length);
    to[length] = '\0';
    return 0;
}

/* Gives where the extensions end: at the backing file name, which spec wants behind them, or with the first cluster. */
static int read_backing(const struct source *source, struct qcow2_info *info, uint64_t *end, struct sys_error *error)
{
    uint64_t offset = get_be64(source->bytes + QCOW2_AT_BACKING_OFFSET);
    uint32_t length = get_be32(source->bytes + QCOW2_AT_BACKING_SIZE);
    *end = qcow2_cluster_bytes(info) < source->length ? qcow2_cluster_bytes(info) : source->length;
    if (!offset)
        return 0;
    if (offset < info->header_bytes || offset > *end || length > *end - offset || length > QCOW2_BACKING_MAX)
        REFUSE("the backing file name (%u bytes at %llu) is not in the first cluster", length,
               (unsigned long long)offset);
    if (copy_name(info->backing, QCOW2_BACKING_MAX, source->bytes + offset, length) < 0)
        REFUSE("the backing file name contains a NUL byte");
    *end = offset;
    return 0;
}

static int read_extension(struct qcow2_info *info, uint32_t type, const uint8_t *data, uint32_t length,
                          struct sys_error *error)
{
    if (type == QCOW2_EXTENSION_BACKING_FORMAT && copy_name(info->backing_format, QCOW2_FORMAT_MAX, data, length) < 0)
        REFUSE("the name of the backing format is not a name");
    if (type == QCOW2_EXTENSION_DATA_FILE && copy_name(info->data_file, QCOW2_BACKING_MAX, data, length) < 0)
        REFUSE("the name of the data file is not a name");
    info->has_bitmaps |= type == QCOW2_EXTENSION_BITMAPS;
    return 0;
}

static int read_extensions(const struct source *source, struct qcow2_info *info, uint64_t end, struct sys_error *error)
{
    uint64_t at = info->header_bytes;
    while (at < end && end - at >= EXTENSION_HEADER_BYTES) {
        uint32_t type = get_be32(source->bytes + at), length = get_be32(source->bytes + at + 4);
        at += EXTENSION_HEADER_BYTES;
        if (type == QCOW2_EXTENSION_END)
            return 0;
        if (length > end - at)
            REFUSE("header extension %#x of %u bytes is cut off", type, length);
        if (read_extension(info, type, source->bytes + at, length, error) < 0)
            return -1;
        at += ((uint64_t)length + 7) & ~UINT64_C(7);
    }
    return 0;
}

int qcow2_parse(const uint8_t *bytes, size_t length, uint64_t file_bytes, struct qcow2_info *info,
                struct sys_error *error)
{
    struct source source = { bytes, length, file_bytes };
    uint64_t end = 0;
    *info = (struct qcow2_info){ .version = 0 };
    if (read_kind(&source, info, error) < 0 || read_features(&source, info, error) < 0 ||
        read_disk(&source, info, error) < 0 || read_tables(&source, info, error) < 0 ||
        read_backing(&source, info, &end, error) < 0)
        return -1;
    return read_extensions(&source, info, end, error);
}
