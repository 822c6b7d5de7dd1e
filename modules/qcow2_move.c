/* Growing a qcow2 disk whose L1 table has no room left: the table moves to new clusters at the end of the file. */
#include <string.h>

#include "bytes.h"
#include "qcow2_grow.h"

enum {
    CHUNK_BYTES = 1 << 14,
    REFCOUNT_BYTES = 2,
    RUN_MAX = CHUNK_BYTES / REFCOUNT_BYTES,
    NEW_BLOCKS_MAX = 320, /* the largest L1 table needs 258, at clusters of 512 bytes */
};

/* The new clusters: first those of refcount blocks that are missing, then those of the L1 table. */
struct move {
    uint64_t first, l1_clusters;
    uint64_t blocks[NEW_BLOCKS_MAX]; /* indices in the refcount table: blocks[i] will be cluster first + i */
    size_t block_count;
};

static uint64_t refcounts_a_block(const struct qcow2_info *info)
{
    return qcow2_cluster_bytes(info) / REFCOUNT_BYTES;
}

static uint64_t table_entry_place(const struct qcow2_growth *growth, uint64_t index)
{
    return growth->info.refcount_table_offset + index * QCOW2_ENTRY_BYTES;
}

/* Gives the place of a refcount block in *block, 0 when there is none; -EOVERFLOW past the end of the refcount table.
 */
static int find_block(const struct qcow2_growth *growth, uint64_t index, uint64_t *block)
{
    uint64_t table_bytes = (uint64_t)growth->info.refcount_table_clusters << growth->info.cluster_bits;
    uint8_t entry[QCOW2_ENTRY_BYTES];
    if (index >= table_bytes / QCOW2_ENTRY_BYTES)
        return -EOVERFLOW;
    int status = qcow2_read_at(growth->fd, entry, sizeof entry, table_entry_place(growth, index));
    *block = status < 0 ? 0 : get_be64(entry);
    return status;
}

static int collect_missing_blocks(const struct qcow2_growth *growth, struct move *move, uint64_t last_cluster)
{
    uint64_t a_block = refcounts_a_block(&growth->info);
    move->block_count = 0;
    for (uint64_t index = move->first / a_block; index <= last_cluster / a_block; index++) {
        uint64_t block;
        int status = find_block(growth, index, &block);
        if (status < 0 || move->block_count == NEW_BLOCKS_MAX)
            return status < 0 ? status : -EOVERFLOW;
        if (!block)
            move->blocks[move->block_count++] = index;
    }
    return 0;
}

/* More clusters may need more blocks, whose clusters may need yet more. */
static int plan_move(const struct qcow2_growth *growth, struct move *move)
{
    const struct qcow2_info *info = &growth->info;
    size_t known;
    move->first = (growth->file_bytes + qcow2_cluster_bytes(info) - 1) >> info->cluster_bits;
    move->l1_clusters = qcow2_l1_clusters(info, growth->l1_entries);
    move->block_count = 0;
    do {
        known = move->block_count;
        int status = collect_missing_blocks(growth, move, move->first + known + move->l1_clusters - 1);
        if (status < 0)
            return status;
    } while (move->block_count != known);
    return 0;
}

static int copy_l1(const struct qcow2_growth *growth)
{
    uint64_t bytes = (uint64_t)growth->info.l1_entries * QCOW2_ENTRY_BYTES;
    uint8_t chunk[CHUNK_BYTES];
    for (uint64_t at = 0; at < bytes; at += CHUNK_BYTES) {
        size_t now = bytes - at < CHUNK_BYTES ? (size_t)(bytes - at) : CHUNK_BYTES;
        int status = qcow2_read_at(growth->fd, chunk, now, growth->info.l1_offset + at);
        if (!status)
            status = qcow2_write_at(growth->fd, chunk, now, growth->l1_offset + at);
        if (status < 0)
            return status;
    }
    return 0;
}

/* Changes `count` neighbouring refcounts, at most RUN_MAX; they must all be `from`, else -EUCLEAN. */
static int set_run(int fd, uint64_t place, uint64_t count, uint16_t from, uint16_t to)
{
    uint8_t run[CHUNK_BYTES];
    size_t bytes = (size_t)count * REFCOUNT_BYTES;
    int status = qcow2_read_at(fd, run, bytes, place);
    for (size_t at = 0; at < bytes && !status; at += REFCOUNT_BYTES) {
        if (get_be16(run + at) != from)
            status = -EUCLEAN;
        put_be16(run + at, to);
    }
    return status < 0 ? status : qcow2_write_at(fd, run, bytes, place);
}

static int place_of_block(const struct qcow2_growth *growth, const struct move *move, uint64_t index, uint64_t *block)
{
    for (size_t i = 0; i < move->block_count; i++) {
        if (move->blocks[i] != index)
            continue;
        *block = (move->first + i) << growth->info.cluster_bits;
        return 0;
    }
    int status = find_block(growth, index, block);
    return !status && !*block ? -EUCLEAN : status;
}

static int set_refcounts(const struct qcow2_growth *growth, const struct move *move, uint64_t cluster, uint64_t count,
                         uint16_t from, uint16_t to)
{
    uint64_t a_block = refcounts_a_block(&growth->info);
    while (count) {
        uint64_t within = cluster % a_block, block;
        uint64_t now = count < a_block - within ? count : a_block - within;
        now = now < RUN_MAX ? now : RUN_MAX;
        int status = place_of_block(growth, move, cluster / a_block, &block);
        if (!status)
            status = set_run(growth->fd, block + within * REFCOUNT_BYTES, now, from, to);
        if (status < 0)
            return status;
        cluster += now;
        count -= now;
    }
    return 0;
}

/* Everything that nothing refers to yet. A crash from here to the switch leaks these clusters. */
static int write_new_clusters(const struct qcow2_growth *growth, const struct move *move)
{
    uint64_t count = move->block_count + move->l1_clusters;
    if (ftruncate(growth->fd, (off_t)((move->first + count) << growth->info.cluster_bits)) < 0)
        return -errno;
    int status = copy_l1(growth);
    if (!status)
        status = set_refcounts(growth, move, move->first, count, 0, 1);
    return !status && fdatasync(growth->fd) < 0 ? -errno : status;
}

/* Only after the blocks are on the disk: a table that leads to a block of stale bytes would be damage. */
static int enter_new_blocks(const struct qcow2_growth *growth, const struct move *move)
{
    for (size_t i = 0; i < move->block_count; i++) {
        uint8_t entry[QCOW2_ENTRY_BYTES];
        put_be64(entry, (move->first + i) << growth->info.cluster_bits);
        int status = qcow2_write_at(growth->fd, entry, sizeof entry, table_entry_place(growth, move->blocks[i]));
        if (status < 0)
            return status;
    }
    return 0;
}

int qcow2_move_l1(struct qcow2_growth *growth)
{
    struct move move;
    uint64_t old_first = growth->info.l1_offset >> growth->info.cluster_bits;
    uint64_t old_clusters = qcow2_l1_clusters(&growth->info, growth->info.l1_entries);
    int status = plan_move(growth, &move);
    if (status < 0)
        return status;
    growth->l1_offset = (move.first + move.block_count) << growth->info.cluster_bits;
    status = write_new_clusters(growth, &move);
    if (!status)
        status = enter_new_blocks(growth, &move);
    if (!status)
        status = qcow2_switch(growth);
    /* The disk has its new size now; an old table that cannot be let go is a leak, not a failure. */
    if (!status && !set_refcounts(growth, &move, old_first, old_clusters, 1, 0))
        fdatasync(growth->fd);
    return status;
}
