/* New qcow2 images: version 3, clusters of 64 KiB, 16-bit refcounts, nothing allocated but the tables.
 *
 *     cluster 0  header, extensions, backing file name     cluster 2   one refcount block: 1 for clusters 0 … end
 *     cluster 1  refcount table: one entry                 cluster 3…  L1 table, all zero, hence a hole */
#include <string.h>

#include "bytes.h"
#include "newfile.h"
#include "qcow2.h"

enum {
    CLUSTER_BITS = 16,
    CLUSTER_BYTES = 1 << CLUSTER_BITS,
    REFCOUNT_ORDER = 4, /* 2^4 bits */
    REFCOUNT_TABLE_AT = 1,
    REFCOUNT_BLOCK_AT = 2,
    L1_AT = 3,
    L1_ENTRIES_A_CLUSTER = CLUSTER_BYTES / QCOW2_ENTRY_BYTES,
    /* The largest L1 table fills 512 clusters, so the one refcount block (32768 entries) is always enough. */
    CLUSTERS_MAX = L1_AT + QCOW2_L1_ENTRIES_MAX / L1_ENTRIES_A_CLUSTER,
};

#define REFUSE(...) return sys_error_set(error, "EINVAL", __VA_ARGS__)

struct image {
    uint64_t virtual_bytes;
    uint32_t l1_entries, clusters;
    uint8_t header[QCOW2_V3_HEADER_BYTES + 32 + QCOW2_BACKING_MAX];
    size_t header_bytes;
    uint8_t refcounts[CLUSTERS_MAX * 2];
};

/* A name like "nbd:…" or "json:…" is read by QEMU as a protocol when a colon comes before every slash. */
static bool looks_like_protocol(const char *name)
{
    return name[strcspn(name, ":/")] == ':';
}

static int check_request(const struct qcow2_request *request, struct sys_error *error)
{
    if (!request->backing)
        return 0;
    size_t length = strlen(request->backing);
    if (!length || length > QCOW2_BACKING_MAX)
        REFUSE("a backing file name has 1 to %d bytes, not %zu", QCOW2_BACKING_MAX, length);
    if (looks_like_protocol(request->backing))
        REFUSE("the backing file name %s would be read as a protocol; write ./ before it", request->backing);
    if (strcmp(request->backing_format, "raw") != 0 && strcmp(request->backing_format, "qcow2") != 0)
        REFUSE("the backing format is raw or qcow2, not %s", request->backing_format);
    return 0;
}

static int plan_image(const struct qcow2_request *request, struct image *image, struct sys_error *error)
{
    struct qcow2_info info = { .cluster_bits = CLUSTER_BITS };
    uint64_t rounding = QCOW2_SECTOR_BYTES - 1;
    if (!request->size_bytes)
        REFUSE("a disk has at least one byte");
    image->virtual_bytes = (request->size_bytes + rounding) & ~rounding;
    uint64_t l1_entries = qcow2_l1_needed(&info, image->virtual_bytes);
    if (request->size_bytes > INT64_MAX || l1_entries > QCOW2_L1_ENTRIES_MAX)
        return sys_error_set(error, "EFBIG", "%llu bytes are more than the 2 PiB of a qcow2 disk",
                             (unsigned long long)request->size_bytes);
    image->l1_entries = (uint32_t)l1_entries;
    image->clusters = L1_AT + (image->l1_entries + L1_ENTRIES_A_CLUSTER - 1) / L1_ENTRIES_A_CLUSTER;
    for (uint32_t cluster = 0; cluster < image->clusters; cluster++)
        put_be16(image->refcounts + 2 * (size_t)cluster, 1);
    return 0;
}

/* Gives the place after the extension. */
static size_t put_extension(uint8_t *header, size_t at, uint32_t type, const char *text, size_t length)
{
    put_be32(header + at, type);
    put_be32(header + at + 4, (uint32_t)length);
    memcpy(header + at + 8, text, length);
    return at + 8 + ((length + 7) & ~(size_t)7);
}

static void put_header(const struct qcow2_request *request, struct image *image)
{
    uint8_t *header = image->header;
    put_be32(header, QCOW2_MAGIC);
    put_be32(header + QCOW2_AT_VERSION, 3);
    put_be32(header + QCOW2_AT_CLUSTER_BITS, CLUSTER_BITS);
    put_be64(header + QCOW2_AT_SIZE, image->virtual_bytes);
    put_be32(header + QCOW2_AT_L1_SIZE, image->l1_entries);
    put_be64(header + QCOW2_AT_L1_OFFSET, (uint64_t)L1_AT * CLUSTER_BYTES);
    put_be64(header + QCOW2_AT_REFCOUNT_OFFSET, (uint64_t)REFCOUNT_TABLE_AT * CLUSTER_BYTES);
    put_be32(header + QCOW2_AT_REFCOUNT_CLUSTERS, 1);
    put_be32(header + QCOW2_AT_REFCOUNT_ORDER, REFCOUNT_ORDER);
    put_be32(header + QCOW2_AT_HEADER_LENGTH, QCOW2_V3_HEADER_BYTES);
    size_t at = QCOW2_V3_HEADER_BYTES;
    if (request->backing)
        at = put_extension(header, at, QCOW2_EXTENSION_BACKING_FORMAT, request->backing_format,
                           strlen(request->backing_format));
    at = put_extension(header, at, QCOW2_EXTENSION_END, "", 0);
    if (request->backing) {
        size_t length = strlen(request->backing);
        put_be64(header + QCOW2_AT_BACKING_OFFSET, at);
        put_be32(header + QCOW2_AT_BACKING_SIZE, (uint32_t)length);
        memcpy(header + at, request->backing, length);
        at += length;
    }
    image->header_bytes = at;
}

static int write_image(int fd, const struct image *image)
{
    uint8_t entry[QCOW2_ENTRY_BYTES];
    put_be64(entry, (uint64_t)REFCOUNT_BLOCK_AT * CLUSTER_BYTES);
    if (ftruncate(fd, (off_t)image->clusters * CLUSTER_BYTES) < 0)
        return -errno;
    int status = qcow2_write_at(fd, image->header, image->header_bytes, 0);
    if (!status)
        status = qcow2_write_at(fd, entry, sizeof entry, (uint64_t)REFCOUNT_TABLE_AT * CLUSTER_BYTES);
    if (!status)
        status = qcow2_write_at(fd, image->refcounts, 2 * (size_t)image->clusters,
                                (uint64_t)REFCOUNT_BLOCK_AT * CLUSTER_BYTES);
    return status;
}

int qcow2_create(const char *path, const struct qcow2_request *request, struct sys_error *error)
{
    struct image image = { .virtual_bytes = 0 };
    if (check_request(request, error) < 0 || plan_image(request, &image, error) < 0)
        return -1;
    put_header(request, &image);
    cleanup_new_file struct new_file file;
    int status = new_file_begin(&file, path, request->mode);
    if (!status)
        status = write_image(file.fd, &image);
    if (!status)
        status = new_file_commit(&file, NEW_FILE_SYNC);
    if (status < 0)
        return sys_error_set(error, sys_errno_name(-status), "%s", strerror(-status));
    return 0;
}
