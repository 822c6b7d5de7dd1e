/* Rock Ridge: the system use fields that give directory records their POSIX names, modes and dates. */
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "iso.h"

enum {
    FIELD_HEADER_BYTES = 4, /* SUSP 4: signature, length, version */
    NM_HEADER_BYTES = 5,    /* RRIP 4.1.4: and flags */
    NM_CONTINUE = 1,        /* the name goes on in the next NM */
    CE_BYTES = 28,          /* SUSP 5.1 */
    SP_BYTES = 7,           /* SUSP 5.3 */
    PX_BYTES = 36,          /* RRIP 4.1.1; version 1.10 has no serial number */
    TF_BYTES = 26,          /* RRIP 4.1.6: header, flags, three dates of 7 bytes */
    SHORT_DATE_BYTES = 7,   /* ECMA-119 9.1.5 */
    TF_FLAGS = 0x0E,        /* modification, access, attribute change; short form */
};

/* RRIP 4.3, "Specification of the ER System Use Field values". */
#define ER_IDENTIFIER "RRIP_1991A"
#define ER_DESCRIPTOR "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
#define ER_SOURCE                                                                                                      \
    "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME "             \
    "DESCRIPTOR FOR CONTACT INFORMATION."

void iso_put_short_date(uint8_t *to, int64_t time_s)
{
    time_t time = (time_t)time_s;
    struct tm date;
    gmtime_r(&time, &date);
    to[0] = (uint8_t)date.tm_year;
    to[1] = (uint8_t)(date.tm_mon + 1);
    to[2] = (uint8_t)date.tm_mday;
    to[3] = (uint8_t)date.tm_hour;
    to[4] = (uint8_t)date.tm_min;
    to[5] = (uint8_t)date.tm_sec;
    to[6] = 0; /* quarters of an hour from Greenwich */
}

static uint8_t *put_header(uint8_t *to, const char *signature, size_t length)
{
    memcpy(to, signature, 2);
    to[2] = (uint8_t)length;
    to[3] = 1; /* version */
    return to + FIELD_HEADER_BYTES;
}

static size_t put_sp(uint8_t *to)
{
    uint8_t *data = put_header(to, "SP", SP_BYTES);
    data[0] = 0xBE; /* SUSP 5.3, check bytes */
    data[1] = 0xEF;
    data[2] = 0; /* bytes to skip in other records */
    return SP_BYTES;
}

static size_t put_px(uint8_t *to, const struct iso_node *node)
{
    uint8_t *data = put_header(to, "PX", PX_BYTES);
    uint32_t mode = node->file ? S_IFREG | (node->file->mode & 0777) : S_IFDIR | 0755;
    iso_put_both32(data, mode);
    iso_put_both32(data + 8, node->file ? 1 : 2 + node->directory_count);
    iso_put_both32(data + 16, 0); /* owner: root */
    iso_put_both32(data + 24, 0);
    return PX_BYTES;
}

static size_t put_tf(uint8_t *to, int64_t time_s)
{
    uint8_t *data = put_header(to, "TF", TF_BYTES);
    data[0] = TF_FLAGS;
    for (uint8_t *date = data + 1; date < to + TF_BYTES; date += SHORT_DATE_BYTES)
        iso_put_short_date(date, time_s);
    return TF_BYTES;
}

static size_t put_er(uint8_t *to)
{
    static const char text[] = ER_IDENTIFIER ER_DESCRIPTOR ER_SOURCE;
    size_t length = FIELD_HEADER_BYTES + 4 + sizeof text - 1;
    uint8_t *data = put_header(to, "ER", length);
    data[0] = sizeof ER_IDENTIFIER - 1;
    data[1] = sizeof ER_DESCRIPTOR - 1;
    data[2] = sizeof ER_SOURCE - 1;
    data[3] = 1; /* extension version */
    memcpy(data + 4, text, sizeof text - 1);
    return length;
}

static size_t put_ce(uint8_t *to, const struct iso_node *node, size_t continued_length)
{
    uint8_t *data = put_header(to, "CE", CE_BYTES);
    iso_put_both32(data, node->continued_sector);
    iso_put_both32(data + 8, node->continued_offset);
    iso_put_both32(data + 16, (uint32_t)continued_length);
    return CE_BYTES;
}

static size_t put_nm(uint8_t *to, const char *name, size_t length, bool goes_on)
{
    uint8_t *data = put_header(to, "NM", NM_HEADER_BYTES + length);
    data[0] = goes_on ? NM_CONTINUE : 0;
    memcpy(data + 1, name, length);
    return NM_HEADER_BYTES + length;
}

/* The name in the record when it fits, else its beginning there and the rest, at most one field, continued. */
static void add_name(struct iso_system_use *use, const struct iso_node *node, size_t room)
{
    uint8_t *here = use->here + use->here_length;
    size_t left = room - use->here_length;
    if (NM_HEADER_BYTES + node->name_length <= left) {
        use->here_length += put_nm(here, node->name, node->name_length, false);
        return;
    }
    size_t first = left - CE_BYTES - NM_HEADER_BYTES;
    use->here_length += put_nm(here, node->name, first, true);
    use->continued_length = put_nm(use->continued, node->name + first, node->name_length - first, false);
}

void iso_system_use(struct iso_system_use *use, const struct iso_node *node, enum iso_role role, size_t room,
                    int64_t time_s)
{
    bool is_root_self = role == ISO_SELF && node->parent == node;
    use->here_length = is_root_self ? put_sp(use->here) : 0;
    use->continued_length = 0;
    use->here_length += put_px(use->here + use->here_length, node);
    use->here_length += put_tf(use->here + use->here_length, time_s);
    if (role == ISO_CHILD)
        add_name(use, node, room);
    /* SUSP 5.5: the field that names the extension belongs to the root's own record; it is too long to fit. */
    if (is_root_self)
        use->continued_length = put_er(use->continued);
    if (use->continued_length)
        use->here_length += put_ce(use->here + use->here_length, node, use->continued_length);
}
