/* A file that appears under its name only when it is complete.
 *
 * It is written under a random name in the same directory; a crash leaves at most a hidden "….tmp" there, never half
 * a file under the wanted name. Use:
 *
 *     cleanup_new_file struct new_file file;
 *     int status = new_file_begin(&file, path, 0600);
 *     … write to file.fd …
 *     status = new_file_commit(&file, NEW_FILE_SYNC);
 */
#ifndef HOLOS_NEWFILE_H
#define HOLOS_NEWFILE_H

#include <sys/types.h>

struct new_file {
    int fd; /* open for reading and writing between begin and commit */
    int directory_fd;
    const char *name; /* points into the caller's path */
    char temporary[32];
};

enum new_file_flags {
    NEW_FILE_SYNC = 1,    /* the file and its name survive a power cut */
    NEW_FILE_REPLACE = 2, /* an existing file of that name goes; without it commit gives -EEXIST */
};

/* Creates the hidden file, mode exactly as given. Gives 0 or -errno; `file` is valid for abandon either way. */
int new_file_begin(struct new_file *file, const char *path, mode_t mode);

/* Closes the file and gives it its name. Gives 0 or -errno, after which the hidden file is gone. */
int new_file_commit(struct new_file *file, unsigned flags);

/* Removes what was not committed; harmless after commit and when repeated. */
void new_file_abandon(struct new_file *file);

#define cleanup_new_file __attribute__((cleanup(new_file_abandon)))

#endif
