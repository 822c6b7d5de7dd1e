#include "json_scan.h"

struct scan {
    size_t depth, line, line_start;
    bool in_string, escaped;
};

/* Strings hide brackets; a backslash hides the quote after it. */
static void step_string(struct scan *scan, char byte)
{
    if (scan->escaped)
        scan->escaped = false;
    else if (byte == '\\')
        scan->escaped = true;
    else if (byte == '"')
        scan->in_string = false;
}

static void step(struct scan *scan, char byte, size_t i)
{
    if (byte == '"')
        scan->in_string = true;
    else if (byte == '[' || byte == '{')
        scan->depth++;
    else if ((byte == ']' || byte == '}') && scan->depth)
        scan->depth--;
    else if (byte == '\n') {
        scan->line++;
        scan->line_start = i + 1;
    }
}

int json_scan_check(const char *text, size_t length, size_t max_depth, struct sys_error *error)
{
    struct scan scan = { .line = 1 };
    for (size_t i = 0; i < length; i++) {
        if (scan.in_string)
            step_string(&scan, text[i]);
        else
            step(&scan, text[i], i);
        size_t column = i - scan.line_start + 1;
        if (!text[i])
            return sys_error_set(error, "EINVAL", "%zu:%zu: a NUL byte", scan.line, column);
        if (scan.depth > max_depth)
            return sys_error_set(error, "EINVAL", "%zu:%zu: nested deeper than %zu levels", scan.line, column,
                                 max_depth);
    }
    return 0;
}
