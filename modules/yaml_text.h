/* Is this text YAML may be written in? */
#ifndef HOLOS_YAML_TEXT_H
#define HOLOS_YAML_TEXT_H

#include "sys.h"

/* 0 when `text` is printable UTF-8, with or without a byte order mark; -1 with `error` set to "line:column: reason". */
int yaml_text_check(const char *text, size_t length, struct sys_error *error);

/* Bytes of the UTF-8 byte order mark at the start: 3 or 0. */
size_t yaml_text_bom(const char *text, size_t length);

#endif
