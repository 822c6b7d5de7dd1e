/* Any stream of bytes as QMP: however it is cut into reads, the lines are those of the whole, up to one that is too long. */
#include "qmp_frame.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 64, CUT_BYTES = 8 };

struct stream {
    const char *text;
    size_t size;
    size_t expected; /* where the next line must begin */
};

/* What framing must give at `expected`: 1 and the line's length, 0 when no whole line is left, -EMSGSIZE. */
static int expect_line(const struct stream *stream, size_t *length)
{
    const char *begin = stream->text + stream->expected;
    size_t left = stream->size - stream->expected;
    const char *end = left ? memchr(begin, '\n', left) : NULL;
    if (!end)
        return left > LIMIT + 1 ? -EMSGSIZE : 0;
    *length = (size_t)(end - begin);
    if (*length && end[-1] == '\r')
        *length -= 1;
    return *length > LIMIT ? -EMSGSIZE : 1;
}

/* Takes all lines that are there. False once one was refused. */
static bool take_lines(struct qmp_frame *frame, struct stream *stream)
{
    const char *line;
    size_t length, wanted = 0;
    int result;
    while ((result = qmp_frame_next(frame, &line, &length)) == 1) {
        if (expect_line(stream, &wanted) != 1 || length != wanted)
            abort();
        if (memcmp(line, stream->text + stream->expected, length) != 0)
            abort();
        const char *end = memchr(stream->text + stream->expected, '\n', stream->size - stream->expected);
        stream->expected = (size_t)(end - stream->text) + 1;
    }
    if (result < 0 && expect_line(stream, &wanted) != -EMSGSIZE)
        abort();
    return result == 0;
}

/* The first bytes say how long the reads are, over and over; the rest is the stream. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= CUT_BYTES)
        return 0;
    struct stream stream = { .text = (const char *)data + CUT_BYTES, .size = size - CUT_BYTES };
    struct qmp_frame frame;
    qmp_frame_init(&frame, LIMIT);
    size_t wanted = 0;
    bool is_open = true;
    for (size_t at = 0, cut = 0; is_open && at < stream.size; cut++) {
        char *space;
        long room = qmp_frame_space(&frame, &space);
        size_t count = 1 + data[cut % CUT_BYTES];
        if (room < (long)count)
            abort();
        if (count > stream.size - at)
            count = stream.size - at;
        memcpy(space, stream.text + at, count);
        qmp_frame_filled(&frame, count);
        at += count;
        is_open = take_lines(&frame, &stream);
    }
    if (is_open && expect_line(&stream, &wanted) != 0)
        abort();
    qmp_frame_free(&frame);
    return 0;
}
