/* YAML text to a flat list of events with their positions. Knows libyaml; knows no Lua and no document model. */
#ifndef HOLOS_YAML_EVENTS_H
#define HOLOS_YAML_EVENTS_H

#include <stdint.h>

#include "sys.h"

/* The values are part of what Lua sees: `head & 7`. */
enum yaml_kind {
    YAML_PLAIN = 0,    /* an unquoted scalar: its text decides its type */
    YAML_QUOTED = 1,   /* a quoted or block scalar: always text */
    YAML_ALIAS = 2,    /* text is the anchor's name */
    YAML_SEQUENCE = 3, /* everything up to the matching YAML_END is inside */
    YAML_MAPPING = 4,
    YAML_END = 5,
    YAML_DOCUMENT = 6, /* one for each document of the stream */
};

#define YAML_COLUMN_BITS 12 /* columns above 4095 are given as 4095 */

struct yaml_limits {
    size_t max_bytes;
    size_t max_nodes;
    size_t max_depth;
};

/* A piece of yaml_events.text; length 0 and offset 0 for "none". */
struct yaml_slice {
    uint32_t offset;
    uint32_t length;
};

struct yaml_entry {
    int64_t head; /* (line << YAML_COLUMN_BITS | column) << 3 | kind; both count from 1, columns in characters */
    struct yaml_slice text, anchor, tag;
};

struct yaml_events {
    struct yaml_entry *entries;
    size_t count, capacity;
    char *text;
    size_t text_length, text_capacity;
};

/* Fills the zeroed `events`; 0, or -1 with `error` set to "line:column: reason". What was collected until an error
 * stays in `events`: free it in either case. */
int yaml_events_parse(struct yaml_events *events, const char *text, size_t length, const struct yaml_limits *limits,
                      struct sys_error *error);

/* Idempotent. */
void yaml_events_free(struct yaml_events *events);

#endif
