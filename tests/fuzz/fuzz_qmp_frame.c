/* Lines out of a hostile stream: the first two bytes choose limit and piece size, the rest comes in pieces. What comes
 * out must be what a plain split gives, up to the first line that is too long. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "qmp_frame.h"

static void require(int truth)
{
    if (!truth)
        abort();
}

/* The next line of `text` as a plain split has it; false at the end. */
static int split(const uint8_t *text, size_t size, size_t *at, const uint8_t **line, size_t *length)
{
    const uint8_t *end = *at < size ? memchr(text + *at, '\n', size - *at) : NULL;
    if (!end)
        return 0;
    *line = text + *at;
    *length = (size_t)(end - *line);
    *at += *length + 1;
    if (*length && (*line)[*length - 1] == '\r')
        (*length)--;
    return 1;
}

/* Takes all lines that are there; -EMSGSIZE ends the stream. */
static int take_lines(struct qmp_frame *frame, const uint8_t *text, size_t size, size_t *at)
{
    const char *line;
    size_t length;
    int result;
    while ((result = qmp_frame_next(frame, &line, &length)) > 0) {
        const uint8_t *wanted = NULL;
        size_t wanted_length = 0;
        require(split(text, size, at, &wanted, &wanted_length));
        require(length == wanted_length && length <= frame->limit && !memcmp(line, wanted, length));
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct qmp_frame frame;
    size_t piece = 1 + data[1] * 16u, at = 0;
    qmp_frame_init(&frame, 1 + data[0] * 64u);
    data += 2;
    size -= 2;
    for (size_t fed = 0; fed < size;) {
        char *space;
        long room = qmp_frame_space(&frame, &space);
        require(room > 0);
        size_t count = size - fed < piece ? size - fed : piece;
        count = count < (size_t)room ? count : (size_t)room;
        memcpy(space, data + fed, count);
        qmp_frame_filled(&frame, count);
        fed += count;
        int result = take_lines(&frame, data, size, &at);
        require(result == 0 || result == -EMSGSIZE);
        if (result)
            break;
    }
    qmp_frame_free(&frame);
    return 0;
}
