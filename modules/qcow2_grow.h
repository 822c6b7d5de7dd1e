/* What the two ways of growing a qcow2 disk share; see qcow2_grow.c. */
#ifndef HOLOS_QCOW2_GROW_H
#define HOLOS_QCOW2_GROW_H

#include "qcow2.h"

struct qcow2_growth {
    int fd;
    uint64_t file_bytes, virtual_bytes;
    uint64_t l1_entries; /* wanted */
    uint64_t l1_offset;  /* where the L1 table will be */
    struct qcow2_info info;
};

static inline uint64_t qcow2_l1_clusters(const struct qcow2_info *info, uint64_t entries)
{
    return (entries * QCOW2_ENTRY_BYTES + qcow2_cluster_bytes(info) - 1) >> info->cluster_bits;
}

/* Flushes what was written, then makes the header tell of the new size and L1 table. Gives 0 or -errno. */
int qcow2_switch(const struct qcow2_growth *growth);

/* qcow2_move.c: everything up to the switch and what follows it, when the L1 table needs more clusters than it has.
 * Gives 0 or -errno: -EOVERFLOW when the refcount table is full, -EUCLEAN when refcounts are not what they must be. */
int qcow2_move_l1(struct qcow2_growth *growth);

#endif
