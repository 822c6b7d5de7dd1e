/* A whole image, written front to back. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "iso.h"
#include "newfile.h"

static int fail(struct sys_error *error, int errnum, const char *path)
{
    return sys_error_set(error, sys_errno_name(errnum), "%s: %s", path, strerror(errnum));
}

/* ECMA-119 7.4.2 wants upper case here; readers do not care and NoCloud sources are found by "cidata". */
static int check_request(const struct iso_request *request, struct sys_error *error)
{
    size_t length = strlen(request->volume);
    if (!length || length > ISO_VOLUME_MAX)
        return sys_error_set(error, "EINVAL", "a volume name has 1 to %d characters, not %zu", ISO_VOLUME_MAX, length);
    for (const char *at = request->volume; *at; at++)
        if (*at < ' ' || *at > '~')
            return sys_error_set(error, "EINVAL", "a volume name has only ASCII characters");
    if (request->time_s < 0 || request->time_s > ISO_TIME_MAX_S)
        return sys_error_set(error, "EINVAL", "the time is not in 1970 to 2155");
    return 0;
}

/* -- file contents ------------------------------------------------------------------------------------------------- */

/* Not blocked by a fifo, not made the controlling terminal by a tty. Gives a descriptor or -1. */
static int open_source(const char *path, uint64_t *bytes, struct sys_error *error)
{
    struct stat status;
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) < 0)
        return fail(error, errno, path);
    if (!S_ISREG(status.st_mode))
        return sys_error_set(error, "EINVAL", "%s: not a regular file", path);
    *bytes = (uint64_t)status.st_size;
    return sys_steal_fd(&fd);
}

static int measure_file(struct iso_node *node, struct sys_error *error)
{
    uint64_t bytes = node->file->data_length;
    if (node->file->path) {
        cleanup_fd int fd = open_source(node->file->path, &bytes, error);
        if (fd < 0)
            return -1;
    }
    /* ECMA-119 9.1.4, Data Length: four bytes. More would need several extents, which many readers get wrong. */
    if (bytes > UINT32_MAX)
        return sys_error_set(error, "EFBIG", "%.*s: %llu bytes are more than the 4 GiB a file in an ISO image can have",
                             (int)node->file->name_length, node->file->name, (unsigned long long)bytes);
    node->bytes = (uint32_t)bytes;
    return 0;
}

static int measure_files(struct iso_tree *tree, struct sys_error *error)
{
    for (size_t i = 0; i < tree->node_count; i++)
        if (tree->nodes[i].file && measure_file(&tree->nodes[i], error) < 0)
            return -1;
    return 0;
}

static int copy_source(struct iso_sink *sink, const struct iso_node *node, struct sys_error *error)
{
    const char *path = node->file->path;
    uint64_t bytes = 0, copied = 0;
    uint8_t buffer[16384];
    cleanup_fd int fd = open_source(path, &bytes, error);
    if (fd < 0)
        return -1;
    for (;;) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(error, errno, path);
        copied += (uint64_t)got;
        if (!got || copied > node->bytes || sink->error)
            break;
        iso_sink_put(sink, buffer, (size_t)got);
    }
    if (copied != node->bytes && !sink->error)
        return sys_error_set(error, "ESTALE", "%s: changed its size while it was read", path);
    return 0;
}

static int write_files(struct iso_sink *sink, const struct iso_tree *tree, struct sys_error *error)
{
    for (size_t i = 0; i < tree->node_count; i++) {
        const struct iso_node *node = &tree->nodes[i];
        if (node->bytes)
            iso_sink_seek(sink, node->sector);
        if (node->file && node->file->data)
            iso_sink_put(sink, node->file->data, node->bytes);
        else if (node->file && copy_source(sink, node, error) < 0)
            return -1;
    }
    return 0;
}

/* -- the image ----------------------------------------------------------------------------------------------------- */

static void write_descriptors(struct iso_sink *sink, const struct iso_tree *tree, const char *volume)
{
    /* ECMA-119 8.3, Volume Descriptor Set Terminator */
    static const uint8_t terminator[] = { 255, 'C', 'D', '0', '0', '1', 1 };
    uint8_t sector[ISO_SECTOR_BYTES];
    iso_sink_seek(sink, ISO_SYSTEM_AREA_SECTORS);
    for (int view = 0; view < ISO_VIEWS; view++) {
        iso_volume_descriptor(tree, volume, (enum iso_view)view, sector);
        iso_sink_put(sink, sector, sizeof sector);
    }
    iso_sink_put(sink, terminator, sizeof terminator);
}

static int write_image(struct iso_sink *sink, const struct iso_tree *tree, const char *volume, struct sys_error *error)
{
    write_descriptors(sink, tree, volume);
    iso_write_path_tables(sink, tree, ISO_PRIMARY);
    iso_write_path_tables(sink, tree, ISO_JOLIET);
    iso_write_directories(sink, tree, ISO_PRIMARY);
    iso_sink_seek(sink, tree->nodes[0].continued_sector);
    iso_write_continuations(sink, tree);
    iso_write_directories(sink, tree, ISO_JOLIET);
    if (write_files(sink, tree, error) < 0)
        return -1;
    iso_sink_seek(sink, tree->sectors);
    iso_sink_flush(sink);
    return 0;
}

static int write_file(const char *path, const struct iso_tree *tree, const struct iso_request *request,
                      struct sys_error *error)
{
    cleanup_new_file struct new_file file;
    int status = new_file_begin(&file, path, 0600);
    if (status < 0)
        return fail(error, -status, path);
    cleanup_free struct iso_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return fail(error, ENOMEM, path);
    sink->fd = file.fd;
    if (write_image(sink, tree, request->volume, error) < 0)
        return -1;
    if (sink->error)
        return fail(error, sink->error, path);
    status = new_file_commit(&file, NEW_FILE_REPLACE | (request->sync ? NEW_FILE_SYNC : 0));
    return status < 0 ? fail(error, -status, path) : 0;
}

int64_t iso_write(const char *path, const struct iso_request *request, struct sys_error *error)
{
    struct iso_tree tree;
    if (check_request(request, error) < 0 || iso_tree_make(&tree, request, error) < 0)
        return -1;
    int64_t bytes = -1;
    if (!measure_files(&tree, error) && !iso_tree_place(&tree, error) && !write_file(path, &tree, request, error))
        bytes = (int64_t)tree.sectors * ISO_SECTOR_BYTES;
    iso_tree_free(&tree);
    return bytes;
}
