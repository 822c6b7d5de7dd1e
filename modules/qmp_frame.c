/* Bounded line framing; see qmp_frame.h. */
#include "qmp_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is read at a time; an idle connection holds twice that, and most hear little. */
#define STEP_BYTES ((size_t)2 * 1024)

void qmp_frame_init(struct qmp_frame *frame, size_t limit)
{
    *frame = (struct qmp_frame){ .limit = limit };
}

void qmp_frame_free(struct qmp_frame *frame)
{
    free(frame->data);
    qmp_frame_init(frame, frame->limit);
}

/* Moves what is left of the stream to the front. */
static void drop_lines(struct qmp_frame *frame)
{
    if (!frame->start)
        return;
    memmove(frame->data, frame->data + frame->start, frame->used - frame->start);
    frame->used -= frame->start;
    frame->scanned -= frame->start;
    frame->start = 0;
}

static int resize(struct qmp_frame *frame, size_t capacity)
{
    char *data = realloc(frame->data, capacity);
    if (!data)
        return -ENOMEM;
    frame->data = data;
    frame->capacity = capacity;
    return 0;
}

/* Doubles while one long line comes in, and lets go of that again when it has been taken. */
long qmp_frame_space(struct qmp_frame *frame, char **space)
{
    drop_lines(frame);
    int result = 0;
    if (frame->used < STEP_BYTES && frame->capacity > 4 * STEP_BYTES)
        result = resize(frame, 2 * STEP_BYTES);
    if (!result && frame->capacity - frame->used < STEP_BYTES)
        result = resize(frame, frame->capacity ? 2 * frame->capacity : 2 * STEP_BYTES);
    if (result < 0)
        return result;
    *space = frame->data + frame->used;
    return (long)STEP_BYTES;
}

void qmp_frame_filled(struct qmp_frame *frame, size_t count)
{
    frame->used += count;
}

int qmp_frame_next(struct qmp_frame *frame, const char **line, size_t *length)
{
    char *end =
        frame->used > frame->scanned ? memchr(frame->data + frame->scanned, '\n', frame->used - frame->scanned) : NULL;
    size_t size = (end ? (size_t)(end - frame->data) : frame->used) - frame->start;
    if (size > frame->limit + 1) /* one more for the \r of a line end */
        return -EMSGSIZE;
    if (!end) {
        frame->scanned = frame->used;
        return 0;
    }
    *line = frame->data + frame->start;
    *length = size && end[-1] == '\r' ? size - 1 : size;
    if (*length > frame->limit)
        return -EMSGSIZE;
    frame->start = frame->scanned = (size_t)(end - frame->data) + 1;
    return 1;
}
