/* ISO 9660 images with Joliet and Rock Ridge names: what the parts of the writer share.
 *
 * Standards named in comments: ECMA-119 (= ISO 9660), Joliet Specification, SUSP 1.10 (IEEE P1281), RRIP 1.10 (the
 * Rock Ridge Interchange Protocol as registered under the identifier RRIP_1991A).
 *
 * iso_image.c    the order of things, file contents        iso_tree.c       the caller's paths -> sorted tree, limits
 * iso_names.c    level 1 and Joliet identifiers            iso_rockridge.c  system use fields of directory records
 * iso_records.c  directory records, path tables, sectors   iso_volume.c     volume descriptors
 * iso_sink.c     buffered writing */
#ifndef HOLOS_ISO_H
#define HOLOS_ISO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys.h"

enum {
    ISO_SECTOR_BYTES = 2048,      /* ECMA-119 6.1.2, Logical Sector */
    ISO_FILES_MAX = 32768,        /* ours: far above any seed, and keeps directory numbers within 16 bits */
    ISO_DIRECTORIES_MAX = 16384,  /* ours; ECMA-119 9.4.4, Parent Directory Number, has 16 bits */
    ISO_LEVELS_MAX = 8,           /* ECMA-119 6.8.2.1: at most eight levels; so a path has at most eight components */
    ISO_COMPONENT_MAX = 253,      /* bytes; Linux (fs/isofs/rock.c) drops the part of a name that makes it longer */
    ISO_VOLUME_MAX = 32,          /* ECMA-119 8.4.7, Volume Identifier */
    ISO_IDENTIFIER_MAX = 132,     /* 64 UCS-2 characters and ";1" */
    ISO_RECORD_MAX = 254,         /* ECMA-119 9.1.1: one byte, and records have an even length */
    ISO_CONTINUED_MAX = 512,      /* bytes of system use fields that one record may continue elsewhere */
    ISO_SYSTEM_AREA_SECTORS = 16, /* ECMA-119 6.2.1 */
};

/* 2155-12-31 23:59:59 UTC: a directory record has years from 1900 in one byte (ECMA-119 9.1.5). */
#define ISO_TIME_MAX_S INT64_C(5869583999)

/* A file as the caller names it. */
struct iso_file {
    const char *name; /* relative, '/' between components */
    size_t name_length;
    const char *data; /* the contents, when `path` is NULL */
    size_t data_length;
    const char *path; /* a regular file to copy the contents from */
    unsigned mode;    /* permission bits */
};

struct iso_request {
    const char *volume;
    const struct iso_file *files;
    size_t file_count;
    int64_t time_s; /* all dates in the image */
    bool sync;
};

/* The image holds two directory trees over the same file contents. */
enum iso_view { ISO_PRIMARY, ISO_JOLIET, ISO_VIEWS };

/* A name as one view records it: level 1 characters, or UCS-2 big-endian; files carry ";1". */
struct iso_identifier {
    uint8_t length;
    uint8_t bytes[ISO_IDENTIFIER_MAX];
};

struct iso_node {
    struct iso_node *parent;     /* the root is its own parent (ECMA-119 6.8.2.2) */
    const struct iso_file *file; /* NULL for a directory */
    const char *name;
    size_t name_length;
    uint32_t child_count, directory_count; /* of a directory; the latter counts child directories */
    uint32_t sector, bytes;                /* of a file's contents */
    uint32_t continued_sector, continued_offset, continued_length; /* SUSP 5.1, CE */
    struct iso_place {
        struct iso_identifier identifier;
        struct iso_node **children; /* sorted by identifier */
        uint32_t sector, bytes;     /* of a directory's extent */
        uint16_t number;            /* ECMA-119 6.9.1, Directory Number */
    } in[ISO_VIEWS];
};

struct iso_table {
    struct iso_node **children;                /* what the nodes' children point into */
    struct iso_node **directories;             /* in path table order */
    uint32_t bytes, little_sector, big_sector; /* of the path table and its two copies */
};

struct iso_tree {
    struct iso_node *nodes; /* nodes[0] is the root; parents before children, children in the order of their names */
    size_t node_count, directory_count;
    struct iso_table tables[ISO_VIEWS];
    int64_t time_s;
    uint32_t sectors; /* of the whole image */
};

/* iso_tree.c: gives 0 and a tree to be freed by iso_tree_free, or -1 with `error` set. */
int iso_tree_make(struct iso_tree *tree, const struct iso_request *request, struct sys_error *error);
void iso_tree_free(struct iso_tree *tree);

/* iso_names.c: names all children of `directory` in `view`, each differently. Gives 0 or -ENOMEM. */
int iso_name_children(struct iso_node *directory, enum iso_view view);
/* Orders identifiers as directory records and path tables want them. */
int iso_compare_identifiers(const struct iso_node *left, const struct iso_node *right, enum iso_view view);
/* Decodes the next character and moves *text on; -1 when it is not UTF-8. */
int32_t iso_utf8_next(const char **text, const char *end);

/* iso_records.c: gives every directory, continuation and file its sectors; -1 with `error` set if they are too many. */
int iso_tree_place(struct iso_tree *tree, struct sys_error *error);

/* What a directory record is there for. */
enum iso_role {
    ISO_SELF,   /* the first record of a directory, for itself */
    ISO_PARENT, /* the second, for its parent */
    ISO_CHILD,  /* the others */
    ISO_VOLUME, /* the root's record inside a volume descriptor: without system use fields */
};

/* Makes one record in `record` (ISO_RECORD_MAX bytes); gives its length. */
size_t iso_record(const struct iso_tree *tree, const struct iso_node *node, enum iso_view view, enum iso_role role,
                  uint8_t *record);

/* iso_rockridge.c: the system use fields of one record: those in the record, and those it continues elsewhere. */
struct iso_system_use {
    uint8_t here[ISO_RECORD_MAX], continued[ISO_CONTINUED_MAX];
    size_t here_length, continued_length;
};

/* `room` is what the record has left. The node's continued_sector and continued_offset are only copied. */
void iso_system_use(struct iso_system_use *use, const struct iso_node *node, enum iso_role role, size_t room,
                    int64_t time_s);

/* A 7-byte date in UTC (ECMA-119 9.1.5). */
void iso_put_short_date(uint8_t *to, int64_t time_s);

/* Both byte orders one after the other (ECMA-119 7.2.3, 7.3.3). */
void iso_put_both16(uint8_t *to, uint16_t value);
void iso_put_both32(uint8_t *to, uint32_t value);

/* iso_volume.c: fills one sector with the volume descriptor of `view`. */
void iso_volume_descriptor(const struct iso_tree *tree, const char *volume, enum iso_view view, uint8_t *sector);

/* iso_sink.c: buffered writing in one pass; the first failure is kept and everything after it does nothing. */
struct iso_sink {
    int fd;
    int error; /* positive errno */
    uint64_t position;
    size_t used;
    uint8_t buffer[1 << 16];
};

void iso_sink_put(struct iso_sink *sink, const void *bytes, size_t length);
void iso_sink_zero(struct iso_sink *sink, uint64_t length);
/* Zeroes up to the start of `sector`, which is not behind. */
void iso_sink_seek(struct iso_sink *sink, uint32_t sector);
void iso_sink_flush(struct iso_sink *sink);

/* iso_records.c: */
void iso_write_path_tables(struct iso_sink *sink, const struct iso_tree *tree, enum iso_view view);
void iso_write_directories(struct iso_sink *sink, const struct iso_tree *tree, enum iso_view view);
void iso_write_continuations(struct iso_sink *sink, const struct iso_tree *tree);

/* iso_image.c: writes the whole image, atomically, mode 0600. Gives its size in bytes, or -1 with `error` set. */
int64_t iso_write(const char *path, const struct iso_request *request, struct sys_error *error);

#endif
