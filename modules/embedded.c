/* Finding an embedded file; see embedded.h. */
#include "embedded.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Sorted by path, as are their bytes; the object file with them is generated. */
extern const struct embedded_file holos_embedded[];
extern const size_t holos_embedded_count;

static int compare_path(const void *path, const void *file)
{
    return strcmp(path, ((const struct embedded_file *)file)->path);
}

const struct embedded_file *embedded_find(const char *path)
{
    return bsearch(path, holos_embedded, holos_embedded_count, sizeof *holos_embedded, compare_path);
}

/* Their bytes lie one after the other. Only whole pages of theirs are given back. */
void embedded_release(void)
{
    const struct embedded_file *last = &holos_embedded[holos_embedded_count - 1];
    const char *begin = holos_embedded[0].data, *end = last->data + last->size;
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    begin += (page_bytes - (uintptr_t)begin % page_bytes) % page_bytes;
    end -= (uintptr_t)end % page_bytes;
    if (begin < end)
        madvise((void *)begin, (size_t)(end - begin), MADV_DONTNEED);
}
