/* Lines out of a stream of bytes that nobody vouches for, never holding more than a limit. No lua.h: a fuzzer links
 * this. */
#ifndef HOLOS_QMP_FRAME_H
#define HOLOS_QMP_FRAME_H

#include <stddef.h>

struct qmp_frame {
    char *data;
    size_t capacity;
    size_t used;    /* bytes in data */
    size_t start;   /* where the next line begins */
    size_t scanned; /* up to here there is no line end behind start */
    size_t limit;   /* bytes a line may have, its end not counted */
};

void qmp_frame_init(struct qmp_frame *frame, size_t limit);
void qmp_frame_free(struct qmp_frame *frame);

/* Room for more bytes at *space, at least one: its size, or -ENOMEM. Earlier lines become invalid. */
long qmp_frame_space(struct qmp_frame *frame, char **space);

/* Says how many bytes were put there. */
void qmp_frame_filled(struct qmp_frame *frame, size_t count);

/* The next whole line, without "\n" or "\r\n": 1, 0 when there is none yet, -EMSGSIZE when it is over the limit, for
 * good. The line stays valid until the next call with this frame. */
int qmp_frame_next(struct qmp_frame *frame, const char **line, size_t *length);

#endif
