/* Finding an embedded file; see embedded.h. */
#include "embedded.h"

#include <stdlib.h>
#include <string.h>

/* Sorted by path; the object file with them is generated. */
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
