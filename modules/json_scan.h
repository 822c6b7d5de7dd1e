/* What must be known of JSON text before a recursive parser sees it. */
#ifndef HOLOS_JSON_SCAN_H
#define HOLOS_JSON_SCAN_H

#include "sys.h"

/* 0 when `text` has no NUL byte (jansson passes over some) and no array or object deeper than `max_depth`; -1 with `error`
 * set to "line:column: reason". Whatever else is wrong with it is the parser's to say. */
int json_scan_check(const char *text, size_t length, size_t max_depth, struct sys_error *error);

#endif
