/* The files inside the binary, put there by vendor/embed.lua. */
#ifndef HOLOS_EMBEDDED_H
#define HOLOS_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *path; /* "lua/core/err.lua", as in the repository */
    const char *data; /* bytecode of a script, the bytes of any other file */
    size_t size;
};

/* The file of exactly this path, or NULL. */
const struct embedded_file *embedded_find(const char *path);

/* Gives the memory that holds the files' bytes back to the system; reading one again brings it back from the binary. */
void embedded_release(void);

#endif
