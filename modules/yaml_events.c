#include "yaml_events.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "yaml_text.h"

#define TAG_LENGTH_MAX 256 /* tags are short words; a %TAG prefix could make each as long as the file */

static void cleanup_parser_done(yaml_parser_t *parser)
{
    yaml_parser_delete(parser);
}

static void cleanup_event_done(yaml_event_t *event)
{
    yaml_event_delete(event);
}

/* What libyaml says, in the words of somebody who edits a file. Where `reason` ends in a comma, the place where the
 * broken construct began is added. */
static const struct wording {
    const char *problem, *reason;
} wordings[] = {
    { "found character that cannot start any token",
      "a value cannot start with a tab, %, @ or `; indent with spaces, put text in quotes" },
    { "found a tab character that violates indentation", "a tab cannot indent; use spaces" },
    { "found a tab character where an indentation space is expected", "a tab cannot indent; use spaces" },
    { "mapping values are not allowed in this context",
      "a second \": \" in one line, or a wrong indentation; quote text that contains \": \"" },
    { "block sequence entries are not allowed in this context",
      "a list item cannot start here; check the indentation" },
    { "mapping keys are not allowed in this context", "a key cannot start here; check the indentation" },
    { "did not find expected key", "expected a key; check the indentation of the mapping that began in," },
    { "did not find expected '-' indicator", "expected \"- \"; check the indentation of the list that began in," },
    { "did not find expected ',' or '}'", "expected \",\" or \"}\" of the mapping that began in," },
    { "did not find expected ',' or ']'", "expected \",\" or \"]\" of the list that began in," },
    { "did not find expected node content", "expected a value here" },
    { "did not find expected <document start>", "expected the end of the file, or \"---\" before another document" },
    { "could not find expected ':'", "expected \": \" after the key that began in," },
    { "found unexpected end of stream", "the quoted text is not closed; it began in," },
    { "found unexpected document indicator", "the quoted text is not closed; it began in," },
    { "found unknown escape character", "unknown escape; in double quotes a backslash is written \"\\\\\"" },
    { "did not find expected hexdecimal number", "expected hexadecimal digits after \\x, \\u or \\U" },
    { "found invalid Unicode character escape code", "this escape is no Unicode character" },
    { "did not find expected alphabetic or numeric character",
      "expected a name after \"&\" or \"*\"; quote text that starts with one of them" },
    { "found undefined tag handle", "unknown tag handle; quote text that starts with \"!\"" },
    { "found incompatible YAML document", "expected YAML 1.1 or 1.2" },
};

static const char *reworded(const char *problem)
{
    for (size_t i = 0; i < sizeof wordings / sizeof wordings[0]; i++)
        if (!strcmp(wordings[i].problem, problem))
            return wordings[i].reason;
    return problem;
}

static int refuse(struct sys_error *error, yaml_mark_t at, const char *reason)
{
    return sys_error_set(error, "EINVAL", "%zu:%zu: %s", at.line + 1, at.column + 1, reason);
}

static int out_of_memory(struct sys_error *error)
{
    return sys_error_set(error, "ENOMEM", "1:1: out of memory");
}

static int explain(const yaml_parser_t *parser, struct sys_error *error)
{
    char reason[200];
    if (parser->error == YAML_MEMORY_ERROR)
        return out_of_memory(error);
    const char *words = reworded(parser->problem ? parser->problem : "this is not YAML");
    size_t length = strlen(words);
    if (words[length - 1] != ',')
        return refuse(error, parser->problem_mark, words);
    snprintf(reason, sizeof reason, "%.*s line %zu", (int)length - 1, words, parser->context_mark.line + 1);
    return refuse(error, parser->problem_mark, reason);
}

/* Doubles `*memory` until `wanted` elements of `size` bytes fit. */
static int reserve(void *memory, size_t *capacity, size_t wanted, size_t size)
{
    void **place = memory;
    size_t grown = *capacity ? *capacity : 256;
    while (grown < wanted)
        grown *= 2;
    if (grown == *capacity)
        return 0;
    void *moved = realloc(*place, grown * size);
    if (!moved)
        return -ENOMEM;
    *place = moved;
    *capacity = grown;
    return 0;
}

static int keep_text(struct yaml_events *events, const void *text, size_t length, struct yaml_slice *slice)
{
    if (events->text_length + length > UINT32_MAX ||
        reserve(&events->text, &events->text_capacity, events->text_length + length, 1) < 0)
        return -ENOMEM;
    if (length)
        memcpy(events->text + events->text_length, text, length);
    *slice = (struct yaml_slice){ (uint32_t)events->text_length, (uint32_t)length };
    events->text_length += length;
    return 0;
}

static int64_t make_head(yaml_mark_t at, enum yaml_kind kind)
{
    size_t column_most = ((size_t)1 << YAML_COLUMN_BITS) - 1;
    size_t column = at.column + 1 < column_most ? at.column + 1 : column_most;
    return (int64_t)((at.line + 1) << YAML_COLUMN_BITS | column) << 3 | kind;
}

/* Where the parts of a node lie within libyaml's event; NULL for what it has not. */
struct parts {
    enum yaml_kind kind;
    const yaml_char_t *text, *anchor, *tag;
    size_t length;
};

static struct parts scalar_parts(const yaml_event_t *event)
{
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return (struct parts){ plain ? YAML_PLAIN : YAML_QUOTED, event->data.scalar.value, event->data.scalar.anchor,
                           event->data.scalar.tag, event->data.scalar.length };
}

static struct parts alias_parts(const yaml_event_t *event)
{
    const yaml_char_t *name = event->data.alias.anchor;
    return (struct parts){ .kind = YAML_ALIAS, .text = name, .length = strlen((const char *)name) };
}

static struct parts container_parts(enum yaml_kind kind, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    return (struct parts){ .kind = kind, .anchor = anchor, .tag = tag };
}

/* False for events that say nothing to us: the ends of documents and of the stream. */
static bool find_parts(const yaml_event_t *event, struct parts *parts)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        *parts = scalar_parts(event);
        return true;
    case YAML_ALIAS_EVENT:
        *parts = alias_parts(event);
        return true;
    case YAML_SEQUENCE_START_EVENT:
        *parts = container_parts(YAML_SEQUENCE, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return true;
    case YAML_MAPPING_START_EVENT:
        *parts = container_parts(YAML_MAPPING, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return true;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        *parts = (struct parts){ .kind = YAML_END };
        return true;
    case YAML_DOCUMENT_START_EVENT:
        *parts = (struct parts){ .kind = YAML_DOCUMENT };
        return true;
    default:
        return false;
    }
}

/* Anchors and tags keep their length 0 when absent; neither can be empty in YAML. */
static int keep_name(struct yaml_events *events, const yaml_char_t *name, struct yaml_slice *slice)
{
    return name ? keep_text(events, name, strlen((const char *)name), slice) : 0;
}

static int append(struct yaml_events *events, const struct parts *parts, yaml_mark_t at)
{
    if (reserve(&events->entries, &events->capacity, events->count + 1, sizeof *events->entries) < 0)
        return -ENOMEM;
    struct yaml_entry entry = { .head = make_head(at, parts->kind) };
    if (keep_text(events, parts->text, parts->length, &entry.text) < 0 ||
        keep_name(events, parts->anchor, &entry.anchor) < 0 || keep_name(events, parts->tag, &entry.tag) < 0)
        return -ENOMEM;
    events->entries[events->count++] = entry;
    return 0;
}

static bool has_tag_directive(const yaml_event_t *event)
{
    return event->type == YAML_DOCUMENT_START_EVENT &&
           event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end;
}

/* What is allowed by YAML and refused here; NULL when the event is fine. */
static const char *objection(const yaml_event_t *event, const struct parts *parts)
{
    if (has_tag_directive(event))
        return "a %TAG directive has no meaning here";
    if (parts->tag && strlen((const char *)parts->tag) > TAG_LENGTH_MAX)
        return "this tag is too long";
    if (parts->length && memchr(parts->text, 0, parts->length))
        return "a NUL character cannot stand in a value";
    return NULL;
}

struct progress {
    const struct yaml_limits *limits;
    size_t nodes, depth;
};

static int check_limits(struct progress *progress, const struct parts *parts, yaml_mark_t at, struct sys_error *error)
{
    if (parts->kind == YAML_END)
        return progress->depth--, 0;
    if (parts->kind == YAML_DOCUMENT)
        return 0;
    if (++progress->nodes > progress->limits->max_nodes)
        return sys_error_set(error, "EINVAL", "%zu:%zu: more than %zu values in one file", at.line + 1, at.column + 1,
                             progress->limits->max_nodes);
    bool opens = parts->kind == YAML_SEQUENCE || parts->kind == YAML_MAPPING;
    if (opens && ++progress->depth > progress->limits->max_depth)
        return sys_error_set(error, "EINVAL", "%zu:%zu: nested deeper than %zu levels", at.line + 1, at.column + 1,
                             progress->limits->max_depth);
    return 0;
}

static int take_event(struct yaml_events *events, const yaml_event_t *event, struct progress *progress,
                      struct sys_error *error)
{
    struct parts parts;
    if (!find_parts(event, &parts))
        return 0;
    const char *reason = objection(event, &parts);
    if (reason)
        return refuse(error, event->start_mark, reason);
    if (check_limits(progress, &parts, event->start_mark, error) < 0)
        return -1;
    return append(events, &parts, event->start_mark) < 0 ? out_of_memory(error) : 0;
}

static int run_parser(yaml_parser_t *parser, struct yaml_events *events, const struct yaml_limits *limits,
                      struct sys_error *error)
{
    struct progress progress = { .limits = limits };
    for (bool ended = false; !ended;) {
        __attribute__((cleanup(cleanup_event_done))) yaml_event_t event = { .type = YAML_NO_EVENT };
        if (!yaml_parser_parse(parser, &event))
            return explain(parser, error);
        if (take_event(events, &event, &progress, error) < 0)
            return -1;
        ended = event.type == YAML_STREAM_END_EVENT;
    }
    return 0;
}

/* Room for what a text of this length mostly holds, at once: growing maps, copies and unmaps pages again and again. */
static int reserve_for(struct yaml_events *events, size_t length, const struct yaml_limits *limits)
{
    size_t likely = length / 4 < limits->max_nodes ? length / 4 : limits->max_nodes;
    if (reserve(&events->entries, &events->capacity, likely, sizeof *events->entries) < 0)
        return -ENOMEM;
    return reserve(&events->text, &events->text_capacity, length, 1);
}

int yaml_events_parse(struct yaml_events *events, const char *text, size_t length, const struct yaml_limits *limits,
                      struct sys_error *error)
{
    if (length > limits->max_bytes)
        return sys_error_set(error, "EINVAL", "1:1: %zu bytes; at most %zu are read", length, limits->max_bytes);
    if (yaml_text_check(text, length, error) < 0)
        return -1;
    __attribute__((cleanup(cleanup_parser_done))) yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return out_of_memory(error);
    if (reserve_for(events, length, limits) < 0)
        return out_of_memory(error);
    size_t bom = yaml_text_bom(text, length);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text + bom, length - bom);
    return run_parser(&parser, events, limits, error);
}

void yaml_events_free(struct yaml_events *events)
{
    free(events->entries);
    free(events->text);
    *events = (struct yaml_events){ 0 };
}
