/* JSON as programs write it, read at once; whatever else there is in JSON is left to the library. */
#ifndef HOLOS_PLAINJSON_H
#define HOLOS_PLAINJSON_H

#include "sys.h"

/* Pushes the value that `text` is. False, with nothing pushed, when it is no JSON, nested deeper than `max_depth`, has a key
 * twice, or holds what is rare: bytes beyond ASCII, \u, fractions, exponents, integers beyond 63 bits. Lists get the
 * metatable `list_type`. */
bool plainjson_push(lua_State *L, const char *text, size_t length, size_t max_depth, const char *list_type);

#endif
