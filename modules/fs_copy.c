/* Copying files: shared blocks where the file system can, holes kept. */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "newfile.h"

enum { BUFFER_BYTES = 128 * 1024 };
#define RANGE_BYTES ((size_t)1 << 30) /* most that one copy_file_range is asked for */
#define WHOLE_BYTES ((off_t)1 << 62)   /* more than any file has */

static ssize_t copy_block(int from, int to, off_t at, off_t end, char *buffer)
{
    size_t wanted = end - at < BUFFER_BYTES ? (size_t)(end - at) : BUFFER_BYTES;
    ssize_t got = pread(from, buffer, wanted, at);
    if (got < 0)
        return errno == EINTR ? copy_block(from, to, at, end, buffer) : -errno;
    for (ssize_t done = 0; done < got;) {
        ssize_t put = pwrite(to, buffer + done, (size_t)(got - done), at + done);
        if (put < 0 && errno != EINTR)
            return -errno;
        done += put > 0 ? put : 0;
    }
    return got;
}

/* From `at` up to `end` or the end of the file, through memory. Gives where it stopped. */
static off_t copy_by_hand(int from, int to, off_t at, off_t end)
{
    char *buffer = malloc(BUFFER_BYTES);
    if (!buffer)
        return -ENOMEM;
    ssize_t got = 1;
    while (at < end && got > 0) {
        got = copy_block(from, to, at, end, buffer);
        at += got > 0 ? got : 0;
    }
    free(buffer);
    return got < 0 ? got : at;
}

/* The same within the kernel, and by hand where the two file systems do not allow that. */
static off_t copy_range(int from, int to, off_t at, off_t end)
{
    while (at < end) {
        off_t in = at, out = at;
        size_t wanted = (size_t)(end - at) < RANGE_BYTES ? (size_t)(end - at) : RANGE_BYTES;
        ssize_t got = copy_file_range(from, &in, to, &out, wanted, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == ENOSPC || errno == EIO || errno == EDQUOT || errno == EFBIG))
            return -errno;
        if (got <= 0)
            return copy_by_hand(from, to, at, end);
        at += got;
    }
    return at;
}

/* Where data begins at or after `at`, and where it ends; false when there is none. */
static bool find_data(int fd, off_t at, off_t size, off_t *begin, off_t *end)
{
    *begin = lseek(fd, at, SEEK_DATA);
    if (*begin < 0 && errno == ENXIO)
        return false;
    if (*begin < 0) /* holes are unknown here: all of it is data */
        *begin = at;
    *end = lseek(fd, *begin, SEEK_HOLE);
    if (*end <= *begin)
        *end = size;
    return *begin < size;
}

off_t fs_copy_part(int from, int to, off_t at, off_t most)
{
    struct stat status;
    if (fstat(from, &status) < 0)
        return -errno;
    off_t size = status.st_size, begin, end;
    if (at > size) /* it became shorter while we read */
        return -EBUSY;
    if (at == size || !find_data(from, at, size, &begin, &end))
        return ftruncate(to, size) < 0 ? -errno : size;
    end = end < size ? end : size;
    end = end - begin < most ? end : begin + most;
    at = copy_range(from, to, begin, end);
    return at >= 0 && at < end ? -EBUSY : at;
}

static off_t copy_contents(int from, int to)
{
    off_t at = 0, next = fs_copy_part(from, to, 0, WHOLE_BYTES);
    if (next == 0) /* empty, or a file of /proc, which does not tell its size */
        return copy_by_hand(from, to, 0, WHOLE_BYTES);
    while (next > at) {
        at = next;
        next = fs_copy_part(from, to, at, WHOLE_BYTES);
    }
    return next;
}

static long long copy_into(int source, const char *to, mode_t mode, bool sync)
{
    cleanup_new_file struct new_file file;
    long long result = new_file_begin(&file, to, mode);
    if (!result)
        result = copy_contents(source, file.fd);
    int ended = result < 0 ? 0 : new_file_commit(&file, NEW_FILE_REPLACE | (sync ? NEW_FILE_SYNC : 0));
    return ended < 0 ? ended : result;
}

long long fs_copy(const char *from, const char *to, mode_t mode, bool sync)
{
    int source = fs_open_regular(from, 0);
    if (source < 0)
        return source;
    long long result = copy_into(source, to, mode, sync);
    close(source);
    return result;
}
