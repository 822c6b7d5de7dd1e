/* Memory of a Lua state: many small blocks with one owner, which knows the size of each. */
#ifndef HOLOS_SYS_MEMORY_H
#define HOLOS_SYS_MEMORY_H

#include <stddef.h>

enum {
    SYS_MEMORY_STEP_BYTES = 16,
    SYS_MEMORY_SMALL_BYTES = 4096, /* the largest small block */
};

/* Starts as all zeros. Not for several threads, and not for forked children: blocks of up to SYS_MEMORY_SMALL_BYTES are not
 * there any more. */
struct sys_memory {
    struct sys_memory_block *unused[SYS_MEMORY_SMALL_BYTES / SYS_MEMORY_STEP_BYTES + 1]; /* by size in steps */
    char *rest; /* of the newest piece */
    size_t rest_bytes;
};

/* A lua_Alloc: takes, resizes and gives back blocks of `memory`, a struct sys_memory. */
void *sys_memory_resize(void *memory, void *block, size_t old_size, size_t new_size);

#endif
