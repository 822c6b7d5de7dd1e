#include "json_scan.h"

struct place {
    size_t line, column;
};

static struct place place_of(const char *text, size_t at)
{
    struct place place = { .line = 1, .column = 1 };
    for (size_t i = 0; i < at; i++)
        place = text[i] == '\n' ? (struct place){ place.line + 1, 1 } : (struct place){ place.line, place.column + 1 };
    return place;
}

static int refuse_nul(struct place place, struct sys_error *error)
{
    return sys_error_set(error, "EINVAL", "%zu:%zu: a NUL byte", place.line, place.column);
}

static int refuse_depth(struct place place, size_t max_depth, struct sys_error *error)
{
    return sys_error_set(error, "EINVAL", "%zu:%zu: nested deeper than %zu levels", place.line, place.column, max_depth);
}

/* Strings hide brackets; a backslash hides the quote after it. */
int json_scan_check(const char *text, size_t length, size_t max_depth, struct sys_error *error)
{
    size_t depth = 0;
    bool in_string = false, escaped = false;
    for (size_t i = 0; i < length; i++) {
        char byte = text[i];
        if (!byte)
            return refuse_nul(place_of(text, i), error);
        if (escaped)
            escaped = false;
        else if (byte == '"')
            in_string = !in_string;
        else if (in_string)
            escaped = byte == '\\';
        else if ((byte == '[' || byte == '{') && ++depth > max_depth)
            return refuse_depth(place_of(text, i), max_depth, error);
        else if ((byte == ']' || byte == '}') && depth)
            depth--;
    }
    return 0;
}
