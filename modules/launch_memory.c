/* Memory for a plan: blocks that are given back all at once; see launch.h. */
#include <stdlib.h>
#include <string.h>

#include "launch.h"

enum { PIECE_BYTES = 8192, ALIGNMENT = 16 };

struct launch_piece {
    struct launch_piece *next;
    size_t capacity, used;
    _Alignas(ALIGNMENT) char bytes[];
};

static struct launch_piece *add_piece(struct launch_memory *memory, size_t least)
{
    size_t capacity = least > PIECE_BYTES ? least : PIECE_BYTES;
    struct launch_piece *piece = malloc(sizeof *piece + capacity);
    if (!piece)
        return NULL;
    *piece = (struct launch_piece){ .next = memory->pieces, .capacity = capacity };
    memory->pieces = piece;
    return piece;
}

void *launch_take(struct launch_memory *memory, size_t size)
{
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct launch_piece *piece = memory->pieces;
    if (!piece || piece->capacity - piece->used < rounded)
        piece = add_piece(memory, rounded);
    if (!piece)
        return NULL;
    void *block = memset(piece->bytes + piece->used, 0, rounded);
    piece->used += rounded;
    return block;
}

void launch_release(struct launch_memory *memory)
{
    while (memory->pieces) {
        struct launch_piece *piece = memory->pieces;
        memory->pieces = piece->next;
        free(piece);
    }
}
