/* The names of one directory's entries in each view.
 *
 * Primary: ECMA-119 level 1 (10.1): eight characters, for files a dot and up to three more, out of A-Z 0-9 _;
 * everything else becomes _. Joliet: up to 64 UCS-2 characters; what it forbids, and what UCS-2 cannot hold, becomes _.
 * Entries are named in the order of their bytes: the first of several equal names keeps it, the others get a number at
 * the end of the part before the extension, so the result depends on nothing but the names. Rock Ridge keeps the names
 * as they are. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "iso.h"

enum { UNITS_MAX = 64, JOLIET_EXTENSION_MAX = 16 };

/* A name in characters of its view, before a number is put in. */
struct draft {
    uint16_t stem[UNITS_MAX], extension[UNITS_MAX];
    size_t stem_length, extension_length;
};

struct taken {
    uint16_t units[UNITS_MAX]; /* folded: letters of one case */
    size_t length;             /* 0 = free */
    unsigned next_number;
};

struct registry {
    struct taken *slots;
    size_t mask;
};

/* ECMA-119 7.4.1, d-characters; lower case is folded up as every writer does. */
static uint16_t level1_unit(int32_t character)
{
    if (character >= 'a' && character <= 'z')
        return (uint16_t)(character - 'a' + 'A');
    bool is_allowed = (character >= 'A' && character <= 'Z') || (character >= '0' && character <= '9');
    return is_allowed ? (uint16_t)character : '_';
}

/* Joliet Specification, "Joliet file and directory name": these six and control characters are not allowed. */
static uint16_t joliet_unit(int32_t character)
{
    if (character > 0xFFFF || (character < 0x80 && strchr("*/:;?\\", (int)character)))
        return '_';
    return (uint16_t)character;
}

/* A leading dot starts no extension, nor does one at the end. Directories have none (ECMA-119 7.6.1). */
static const char *find_extension(const struct iso_node *node)
{
    const char *dot = node->file ? memrchr(node->name, '.', node->name_length) : NULL;
    bool is_inside = dot && dot != node->name && dot != node->name + node->name_length - 1;
    return is_inside ? dot : node->name + node->name_length;
}

static size_t convert(const char *text, const char *end, enum iso_view view, uint16_t *units, size_t most)
{
    size_t count = 0;
    while (text < end && count < most) {
        int32_t character = iso_utf8_next(&text, end);
        units[count++] = view == ISO_PRIMARY ? level1_unit(character) : joliet_unit(character);
    }
    return count;
}

static size_t count_characters(const char *text, const char *end)
{
    size_t count = 0;
    for (; text < end; text++)
        count += (*text & 0xC0) != 0x80;
    return count;
}

/* Readers take dots off the end of Joliet names, as Windows does not allow them. */
static void replace_last_dots(struct draft *draft)
{
    for (size_t i = draft->stem_length; i-- > 0 && draft->stem[i] == '.';)
        draft->stem[i] = '_';
}

static void make_draft(const struct iso_node *node, enum iso_view view, struct draft *draft)
{
    const char *end = node->name + node->name_length;
    const char *dot = find_extension(node);
    /* A long "extension" is only a name with a dot in it; cutting the stem for it would lose more. */
    if (view == ISO_JOLIET && count_characters(dot, end) > JOLIET_EXTENSION_MAX + 1)
        dot = end;
    size_t most = view == ISO_PRIMARY ? 3 : JOLIET_EXTENSION_MAX;
    draft->extension_length = dot < end ? convert(dot + 1, end, view, draft->extension, most) : 0;
    draft->stem_length = convert(node->name, dot, view, draft->stem, view == ISO_PRIMARY ? 8 : UNITS_MAX);
    if (!draft->extension_length)
        replace_last_dots(draft);
}

/* Writes stem, number unless 0, and extension into `units`; gives their count, at most UNITS_MAX. */
static size_t join(const struct draft *draft, enum iso_view view, unsigned number, uint16_t *units)
{
    size_t tail = draft->extension_length ? draft->extension_length + 1 : 0;
    size_t stem_most = view == ISO_PRIMARY ? 8 : UNITS_MAX - tail;
    char digits[16];
    size_t digit_count = number ? (size_t)snprintf(digits, sizeof digits, "%u", number) : 0;
    size_t length = draft->stem_length;
    if (length > stem_most - digit_count)
        length = stem_most - digit_count;
    memcpy(units, draft->stem, length * sizeof *units);
    for (size_t i = 0; i < digit_count; i++)
        units[length++] = (uint16_t)digits[i];
    if (draft->extension_length)
        units[length++] = '.';
    memcpy(units + length, draft->extension, draft->extension_length * sizeof *units);
    return length + draft->extension_length;
}

/* Linux looks Joliet names up without regard to case, so twins that differ only in it must differ in more. */
static uint16_t fold(uint16_t unit)
{
    return unit >= 'A' && unit <= 'Z' ? (uint16_t)(unit - 'A' + 'a') : unit;
}

/* The slot that holds these units, or the free one where they belong. */
static struct taken *find_slot(const struct registry *registry, const uint16_t *units, size_t length)
{
    uint16_t folded[UNITS_MAX];
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (size_t i = 0; i < length; i++) {
        folded[i] = fold(units[i]);
        hash = (hash ^ folded[i]) * 16777619U;
    }
    for (size_t at = hash & registry->mask;; at = (at + 1) & registry->mask) {
        struct taken *slot = &registry->slots[at];
        if (slot->length == length && !memcmp(slot->units, folded, length * sizeof *folded))
            return slot;
        if (!slot->length) {
            memcpy(slot->units, folded, length * sizeof *folded);
            return slot;
        }
    }
}

static size_t join_uniquely(const struct registry *registry, const struct draft *draft, enum iso_view view,
                            uint16_t *units)
{
    size_t length = join(draft, view, 0, units);
    struct taken *plain = find_slot(registry, units, length), *slot = plain;
    while (slot->length) {
        length = join(draft, view, ++plain->next_number, units);
        slot = find_slot(registry, units, length);
    }
    slot->length = length;
    return length;
}

/* Level 1 writes the dot of a file even before an empty extension (ECMA-119 7.5.1); version 1 in both views. */
static void write_identifier(const struct iso_node *node, enum iso_view view, const uint16_t *units, size_t length,
                             struct iso_identifier *identifier)
{
    uint16_t all[UNITS_MAX + 3];
    memcpy(all, units, length * sizeof *units);
    if (node->file) {
        bool has_dot = false;
        for (size_t i = 0; i < length; i++)
            has_dot |= units[i] == '.';
        if (view == ISO_PRIMARY && !has_dot)
            all[length++] = '.';
        all[length++] = ';';
        all[length++] = '1';
    }
    size_t width = view == ISO_PRIMARY ? 1 : 2;
    identifier->length = (uint8_t)(length * width);
    for (size_t i = 0; i < length; i++) {
        if (view == ISO_PRIMARY)
            identifier->bytes[i] = (uint8_t)all[i];
        else
            put_be16(identifier->bytes + 2 * i, all[i]);
    }
}

int iso_name_children(struct iso_node *directory, enum iso_view view)
{
    struct iso_place *place = &directory->in[view];
    struct registry registry = { .mask = 15 };
    while (registry.mask < 2 * (size_t)directory->child_count)
        registry.mask = 2 * registry.mask + 1;
    registry.slots = calloc(registry.mask + 1, sizeof *registry.slots);
    if (!registry.slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < directory->child_count; i++) {
        struct iso_node *node = place->children[i];
        struct draft draft;
        uint16_t units[UNITS_MAX + 16];
        make_draft(node, view, &draft);
        size_t length = join_uniquely(&registry, &draft, view, units);
        write_identifier(node, view, units, length, &node->in[view].identifier);
    }
    free(registry.slots);
    return 0;
}

/* ECMA-119 9.3, "Order of Directory Records": by file name, then extension, both padded. The separator sorts below all
 * level 1 characters, and versions are all equal, so plain bytes without the version give that order. */
int iso_compare_identifiers(const struct iso_node *left, const struct iso_node *right, enum iso_view view)
{
    size_t width = view == ISO_PRIMARY ? 1 : 2;
    const struct iso_identifier *a = &left->in[view].identifier, *b = &right->in[view].identifier;
    size_t a_length = a->length - (left->file ? 2 * width : 0), b_length = b->length - (right->file ? 2 * width : 0);
    int order = memcmp(a->bytes, b->bytes, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}
