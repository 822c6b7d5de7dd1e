/* Volume descriptors (ECMA-119 8). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bytes.h"
#include "iso.h"

/* Offsets in a descriptor: ECMA-119 8.4 and 8.5, "BP" less one. */
enum {
    AT_TYPE = 0,
    AT_IDENTIFIER = 1,
    AT_VERSION = 6,
    AT_SYSTEM = 8,
    AT_VOLUME = 40,
    AT_SPACE_SIZE = 80,
    AT_ESCAPES = 88,
    AT_SET_SIZE = 120,
    AT_SEQUENCE = 124,
    AT_BLOCK_SIZE = 128,
    AT_PATH_TABLE_SIZE = 132,
    AT_LITTLE_TABLE = 140,
    AT_BIG_TABLE = 148,
    AT_ROOT_RECORD = 156,
    AT_TEXTS = 190,
    AT_CREATION = 813,
    AT_MODIFICATION = 830,
    AT_EXPIRATION = 847,
    AT_EFFECTIVE = 864,
    AT_STRUCTURE_VERSION = 881,
};

enum { TYPE_PRIMARY = 1, TYPE_SUPPLEMENTARY = 2 };

/* Text fields are padded with blanks of the view's width; an odd last byte stays zero (Joliet). */
static void put_text(uint8_t *field, size_t size, const char *text, enum iso_view view)
{
    if (view == ISO_PRIMARY) {
        memset(field, ' ', size);
        memcpy(field, text, strnlen(text, size));
        return;
    }
    for (size_t i = 0; i + 1 < size; i += 2) {
        put_be16(field + i, *text ? (uint8_t)*text : ' ');
        text += *text != '\0';
    }
}

/* ECMA-119 8.4.26.1: 16 digits, and the offset from Greenwich in quarters of an hour. */
static void put_long_date(uint8_t *to, int64_t time_s)
{
    time_t time = (time_t)time_s;
    struct tm date;
    gmtime_r(&time, &date);
    char digits[32];
    strftime(digits, sizeof digits, "%Y%m%d%H%M%S00", &date);
    memcpy(to, digits, 16);
    to[16] = 0;
}

static void put_no_date(uint8_t *to)
{
    memset(to, '0', 16);
    to[16] = 0;
}

static void put_dates(uint8_t *sector, int64_t time_s)
{
    put_long_date(sector + AT_CREATION, time_s);
    put_long_date(sector + AT_MODIFICATION, time_s);
    put_no_date(sector + AT_EXPIRATION);
    put_no_date(sector + AT_EFFECTIVE);
}

/* Volume set, publisher, data preparer, application; then the names of three files that are not there. */
static void put_texts(uint8_t *sector, enum iso_view view)
{
    static const size_t sizes[] = { 128, 128, 128, 128, 37, 37, 37 };
    uint8_t *field = sector + AT_TEXTS;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        put_text(field, sizes[i], i == 3 ? "HOLOS" : "", view);
        field += sizes[i];
    }
}

static void put_places(uint8_t *sector, const struct iso_tree *tree, enum iso_view view)
{
    const struct iso_table *table = &tree->tables[view];
    uint8_t root[ISO_RECORD_MAX];
    iso_put_both32(sector + AT_SPACE_SIZE, tree->sectors);
    iso_put_both16(sector + AT_SET_SIZE, 1);
    iso_put_both16(sector + AT_SEQUENCE, 1);
    iso_put_both16(sector + AT_BLOCK_SIZE, ISO_SECTOR_BYTES);
    iso_put_both32(sector + AT_PATH_TABLE_SIZE, table->bytes);
    put_le32(sector + AT_LITTLE_TABLE, table->little_sector);
    put_be32(sector + AT_BIG_TABLE, table->big_sector);
    memcpy(sector + AT_ROOT_RECORD, root, iso_record(tree, &tree->nodes[0], view, ISO_VOLUME, root));
}

void iso_volume_descriptor(const struct iso_tree *tree, const char *volume, enum iso_view view, uint8_t *sector)
{
    static const uint8_t standard[] = { 'C', 'D', '0', '0', '1' }; /* ECMA-119 8.1.2 */
    static const uint8_t ucs2_level3[] = { '%', '/', 'E' };        /* Joliet */
    memset(sector, 0, ISO_SECTOR_BYTES);
    sector[AT_TYPE] = view == ISO_PRIMARY ? TYPE_PRIMARY : TYPE_SUPPLEMENTARY;
    memcpy(sector + AT_IDENTIFIER, standard, sizeof standard);
    sector[AT_VERSION] = 1;
    put_text(sector + AT_SYSTEM, 32, "", view);
    put_text(sector + AT_VOLUME, 32, volume, view);
    if (view == ISO_JOLIET)
        memcpy(sector + AT_ESCAPES, ucs2_level3, sizeof ucs2_level3);
    put_places(sector, tree, view);
    put_texts(sector, view);
    put_dates(sector, tree->time_s);
    sector[AT_STRUCTURE_VERSION] = 1;
}
