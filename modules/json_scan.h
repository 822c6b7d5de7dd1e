/* What must be known of JSON text before a recursive parser sees it. */
#ifndef HOLOS_JSON_SCAN_H
#define HOLOS_JSON_SCAN_H

#include "sys.h"

/* 0 when no array or object lies deeper than `max_depth`; -1 with `error` set to "line:column: reason". The text need
 * not be JSON: whatever else is wrong is the parser's to say. */
int json_scan_depth(const char *text, size_t length, size_t max_depth, struct sys_error *error);

#endif
