/* Directory records and path tables, and the sectors that everything goes to. */
#include <string.h>

#include "bytes.h"
#include "iso.h"

enum {
    RECORD_HEADER_BYTES = 33, /* ECMA-119 9.1, up to the identifier */
    RECORD_IS_DIRECTORY = 2,  /* ECMA-119 9.1.6, File Flags */
    PATH_HEADER_BYTES = 8,    /* ECMA-119 9.4 */
};

static uint32_t sectors_of(uint64_t bytes)
{
    return (uint32_t)((bytes + ISO_SECTOR_BYTES - 1) / ISO_SECTOR_BYTES);
}

/* -- directory records --------------------------------------------------------------------------------------------- */

static struct iso_identifier identifier_of(const struct iso_node *node, enum iso_view view, enum iso_role role)
{
    if (role == ISO_CHILD)
        return node->in[view].identifier;
    /* ECMA-119 6.8.2.2: one byte, 0 for the directory itself, 1 for its parent */
    return (struct iso_identifier){ .length = 1, .bytes = { role == ISO_PARENT ? 1 : 0 } };
}

static void put_record_header(uint8_t *record, const struct iso_tree *tree, const struct iso_node *node,
                              enum iso_view view)
{
    /* An empty file has no extent; ECMA-119 has no word for its place, 0 is what other writers put. */
    iso_put_both32(record + 2, node->file ? node->sector : node->in[view].sector);
    iso_put_both32(record + 10, node->file ? node->bytes : node->in[view].bytes);
    iso_put_short_date(record + 18, tree->time_s);
    record[25] = node->file ? 0 : RECORD_IS_DIRECTORY;
    iso_put_both16(record + 28, 1); /* volume sequence number */
}

size_t iso_record(const struct iso_tree *tree, const struct iso_node *node, enum iso_view view, enum iso_role role,
                  uint8_t *record)
{
    struct iso_identifier identifier = identifier_of(node, view, role);
    memset(record, 0, ISO_RECORD_MAX);
    put_record_header(record, tree, node, view);
    record[32] = identifier.length;
    memcpy(record + RECORD_HEADER_BYTES, identifier.bytes, identifier.length);
    size_t length = RECORD_HEADER_BYTES + identifier.length;
    length += length & 1; /* ECMA-119 9.1.12 */
    if (view == ISO_PRIMARY && role != ISO_VOLUME) {
        struct iso_system_use use;
        iso_system_use(&use, node, role, ISO_RECORD_MAX - length, tree->time_s);
        memcpy(record + length, use.here, use.here_length);
        length += use.here_length;
        length += length & 1;
    }
    record[0] = (uint8_t)length;
    return length;
}

/* ECMA-119 6.8.1.1: a record does not cross the end of a sector. Gives where the next record starts. */
static uint32_t fit(uint32_t offset, size_t length)
{
    uint32_t left = ISO_SECTOR_BYTES - offset % ISO_SECTOR_BYTES;
    return length > left ? offset + left : offset;
}

/* Calls for the records of a directory in their order: itself, its parent, its children. */
static size_t nth_record(const struct iso_tree *tree, const struct iso_node *directory, enum iso_view view, uint32_t n,
                         uint8_t *record)
{
    if (n == 0)
        return iso_record(tree, directory, view, ISO_SELF, record);
    if (n == 1)
        return iso_record(tree, directory->parent, view, ISO_PARENT, record);
    return iso_record(tree, directory->in[view].children[n - 2], view, ISO_CHILD, record);
}

static uint32_t directory_bytes(const struct iso_tree *tree, const struct iso_node *directory, enum iso_view view)
{
    uint8_t record[ISO_RECORD_MAX];
    uint32_t offset = 0;
    for (uint32_t n = 0; n < directory->child_count + 2; n++) {
        size_t length = nth_record(tree, directory, view, n, record);
        offset = fit(offset, length) + (uint32_t)length;
    }
    return sectors_of(offset) * ISO_SECTOR_BYTES;
}

void iso_write_directories(struct iso_sink *sink, const struct iso_tree *tree, enum iso_view view)
{
    for (size_t i = 0; i < tree->directory_count; i++) {
        const struct iso_node *directory = tree->tables[view].directories[i];
        uint8_t record[ISO_RECORD_MAX];
        uint32_t offset = 0;
        iso_sink_seek(sink, directory->in[view].sector);
        for (uint32_t n = 0; n < directory->child_count + 2; n++) {
            size_t length = nth_record(tree, directory, view, n, record);
            uint32_t start = fit(offset, length);
            iso_sink_zero(sink, start - offset);
            iso_sink_put(sink, record, length);
            offset = start + (uint32_t)length;
        }
    }
}

/* -- continuation areas -------------------------------------------------------------------------------------------- */

/* Only the root's own record and the records of children can continue; gives what the node continues. */
static void continued_fields(const struct iso_tree *tree, const struct iso_node *node, struct iso_system_use *use)
{
    bool is_root = node->parent == node;
    size_t name_bytes = is_root ? 1 : node->in[ISO_PRIMARY].identifier.length;
    size_t length = RECORD_HEADER_BYTES + name_bytes;
    length += length & 1;
    iso_system_use(use, node, is_root ? ISO_SELF : ISO_CHILD, ISO_RECORD_MAX - length, tree->time_s);
}

/* Gives the sector after the areas, which start at `sector`. SUSP 5.1: an area does not cross the end of a sector. */
static uint64_t place_continuations(struct iso_tree *tree, uint64_t sector)
{
    uint32_t offset = 0;
    for (size_t i = 0; i < tree->node_count; i++) {
        struct iso_node *node = &tree->nodes[i];
        struct iso_system_use use;
        continued_fields(tree, node, &use);
        if (!use.continued_length)
            continue;
        offset = fit(offset, use.continued_length);
        node->continued_length = (uint32_t)use.continued_length;
        node->continued_sector = (uint32_t)sector + offset / ISO_SECTOR_BYTES;
        node->continued_offset = offset % ISO_SECTOR_BYTES;
        offset += node->continued_length;
    }
    return sector + sectors_of(offset);
}

void iso_write_continuations(struct iso_sink *sink, const struct iso_tree *tree)
{
    for (size_t i = 0; i < tree->node_count; i++) {
        const struct iso_node *node = &tree->nodes[i];
        if (!node->continued_length)
            continue;
        struct iso_system_use use;
        continued_fields(tree, node, &use);
        uint64_t start = (uint64_t)node->continued_sector * ISO_SECTOR_BYTES + node->continued_offset;
        iso_sink_zero(sink, start - sink->position);
        iso_sink_put(sink, use.continued, use.continued_length);
    }
}

/* -- path tables --------------------------------------------------------------------------------------------------- */

static size_t path_entry(const struct iso_node *directory, enum iso_view view, bool is_big, uint8_t *entry)
{
    enum iso_role role = directory->parent == directory ? ISO_SELF : ISO_CHILD;
    struct iso_identifier identifier = identifier_of(directory, view, role);
    const struct iso_place *place = &directory->in[view];
    uint16_t parent = directory->parent->in[view].number;
    memset(entry, 0, ISO_RECORD_MAX);
    entry[0] = identifier.length;
    (is_big ? put_be32 : put_le32)(entry + 2, place->sector);
    (is_big ? put_be16 : put_le16)(entry + 6, parent);
    memcpy(entry + PATH_HEADER_BYTES, identifier.bytes, identifier.length);
    size_t length = PATH_HEADER_BYTES + identifier.length;
    return length + (length & 1); /* ECMA-119 9.4.6 */
}

static uint32_t path_table_bytes(const struct iso_tree *tree, enum iso_view view)
{
    uint8_t entry[ISO_RECORD_MAX];
    size_t bytes = 0;
    for (size_t i = 0; i < tree->directory_count; i++)
        bytes += path_entry(tree->tables[view].directories[i], view, false, entry);
    return (uint32_t)bytes;
}

static void write_path_table(struct iso_sink *sink, const struct iso_tree *tree, enum iso_view view, bool is_big)
{
    const struct iso_table *table = &tree->tables[view];
    uint8_t entry[ISO_RECORD_MAX];
    iso_sink_seek(sink, is_big ? table->big_sector : table->little_sector);
    for (size_t i = 0; i < tree->directory_count; i++)
        iso_sink_put(sink, entry, path_entry(table->directories[i], view, is_big, entry));
}

void iso_write_path_tables(struct iso_sink *sink, const struct iso_tree *tree, enum iso_view view)
{
    write_path_table(sink, tree, view, false);
    write_path_table(sink, tree, view, true);
}

/* -- places -------------------------------------------------------------------------------------------------------- */

static uint64_t place_path_tables(struct iso_tree *tree, uint64_t sector)
{
    for (int view = 0; view < ISO_VIEWS; view++) {
        struct iso_table *table = &tree->tables[view];
        table->bytes = path_table_bytes(tree, (enum iso_view)view);
        table->little_sector = (uint32_t)sector;
        table->big_sector = (uint32_t)sector + sectors_of(table->bytes);
        sector += 2 * (uint64_t)sectors_of(table->bytes);
    }
    return sector;
}

static uint64_t place_directories(struct iso_tree *tree, enum iso_view view, uint64_t sector)
{
    for (size_t i = 0; i < tree->directory_count; i++) {
        struct iso_node *directory = tree->tables[view].directories[i];
        directory->in[view].bytes = directory_bytes(tree, directory, view);
        directory->in[view].sector = (uint32_t)sector;
        sector += sectors_of(directory->in[view].bytes);
    }
    return sector;
}

static uint64_t place_files(struct iso_tree *tree, uint64_t sector)
{
    for (size_t i = 0; i < tree->node_count; i++) {
        struct iso_node *node = &tree->nodes[i];
        node->sector = node->bytes ? (uint32_t)sector : 0;
        sector += sectors_of(node->bytes);
    }
    return sector;
}

int iso_tree_place(struct iso_tree *tree, struct sys_error *error)
{
    uint64_t sector = ISO_SYSTEM_AREA_SECTORS + 3; /* two volume descriptors and the end of their list */
    sector = place_path_tables(tree, sector);
    sector = place_directories(tree, ISO_PRIMARY, sector);
    sector = place_continuations(tree, sector);
    sector = place_directories(tree, ISO_JOLIET, sector);
    sector = place_files(tree, sector);
    if (sector > UINT32_MAX)
        return sys_error_set(error, "EFBIG", "the files are together larger than the 8 TiB of an ISO image");
    tree->sectors = (uint32_t)sector;
    return 0;
}
