/* Small blocks in lists by size, cut from large pieces; see sys_memory.h.
 *
 * musl's malloc maps a few pages for each group of blocks: hundreds of system calls and page faults in a command of a few
 * milliseconds. Here a piece comes with its pages, and neither taking a block nor giving it back calls anything. Pieces stay
 * until the process ends. The sanitizers get every block from malloc, so that they see where it ends. */
#include "sys_memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PIECE_BYTES = 256 * 1024 };

struct sys_memory_block {
    struct sys_memory_block *next;
};

static bool is_small(size_t size)
{
#ifdef __SANITIZE_ADDRESS__
    (void)size;
    return false;
#else
    return size <= SYS_MEMORY_SMALL_BYTES;
#endif
}

static size_t steps_of(size_t size)
{
    return (size + SYS_MEMORY_STEP_BYTES - 1) / SYS_MEMORY_STEP_BYTES;
}

/* What is left of the piece before is given up: it is less than the largest small block. */
static void *cut(struct sys_memory *memory, size_t size)
{
    if (memory->rest_bytes < size) {
        void *piece = mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (piece == MAP_FAILED)
            return NULL;
        madvise(piece, PIECE_BYTES, MADV_DONTFORK); /* each launch would write-protect and copy all of them */
        memory->rest = piece;
        memory->rest_bytes = PIECE_BYTES;
    }
    void *block = memory->rest;
    memory->rest += size;
    memory->rest_bytes -= size;
    return block;
}

static void *take(struct sys_memory *memory, size_t size)
{
    if (!is_small(size))
        return malloc(size);
    struct sys_memory_block **list = &memory->unused[steps_of(size)], *block = *list;
    if (!block)
        return cut(memory, steps_of(size) * SYS_MEMORY_STEP_BYTES);
    *list = block->next;
    return block;
}

static void give_back(struct sys_memory *memory, void *block, size_t size)
{
    if (!is_small(size)) {
        free(block);
        return;
    }
    struct sys_memory_block **list = &memory->unused[steps_of(size)], *unused = block;
    unused->next = *list;
    *list = unused;
}

/* Lua relies on blocks never failing to shrink: one that cannot move stays where it is, and counts as small from then on. */
static void *move(struct sys_memory *memory, void *block, size_t old_size, size_t new_size)
{
    void *moved = take(memory, new_size);
    if (!moved)
        return new_size < old_size ? block : NULL;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    give_back(memory, block, old_size);
    return moved;
}

void *sys_memory_resize(void *memory, void *block, size_t old_size, size_t new_size)
{
    if (!block)
        return new_size ? take(memory, new_size) : NULL;
    if (!new_size) {
        give_back(memory, block, old_size);
        return NULL;
    }
    if (!is_small(old_size) && !is_small(new_size))
        return realloc(block, new_size);
    if (is_small(old_size) && is_small(new_size) && steps_of(old_size) == steps_of(new_size))
        return block;
    return move(memory, block, old_size, new_size);
}
