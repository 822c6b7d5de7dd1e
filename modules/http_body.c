/* What an HTTP transfer receives: lines of the head, pieces of the body. */
#include "http.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* After so much the disk is asked to begin with writing, so that the fsync at the end has little left to do. */
#define WRITE_BACK_BYTES (32ll << 20)

/* -- the head ------------------------------------------------------------------------------------------------------ */

static void begin_head(struct http_head *head, const char *line, size_t length)
{
    char text[16] = "";
    const char *space = memchr(line, ' ', length);
    if (space && (size_t)(line + length - space) > 3)
        memcpy(text, space + 1, 3);
    head->status = atoi(text);
    head->length = 0;
}

/* Keeps "Name: value" without the spaces at its end. */
static bool keep_field(struct http_head *head, const char *line, size_t length)
{
    if (!head->text && !(head->text = malloc(HTTP_HEAD_BYTES)))
        return false;
    memcpy(head->text + head->length, line, length);
    head->text[head->length + length] = '\n';
    head->length += length + 1;
    return true;
}

bool http_head_line(struct http_head *head, const char *line, size_t length)
{
    if (head->is_complete)
        return true; /* a trailer after the body */
    head->seen_bytes += length + 1;
    if (++head->lines > HTTP_HEAD_LINES || head->seen_bytes > HTTP_HEAD_BYTES)
        return false;
    while (length && strchr("\r\n\t ", line[length - 1]))
        length--;
    if (!length) {
        head->is_complete = head->status >= 200;
        return true;
    }
    if (length > 5 && !memcmp(line, "HTTP/", 5)) {
        begin_head(head, line, length);
        return true;
    }
    return keep_field(head, line, length);
}

/* -- the body ------------------------------------------------------------------------------------------------------ */

static int take_text(struct http_body *body, const char *data, size_t length, struct sys_error *error)
{
    size_t wanted = (size_t)body->received_bytes + length;
    if (wanted > body->text_size) {
        size_t size = wanted < 4096 ? 4096 : 2 * wanted;
        char *text = realloc(body->text, size);
        if (!text)
            return sys_error_set(error, "ENOMEM", "no memory for the answer");
        body->text = text;
        body->text_size = size;
    }
    memcpy(body->text + body->received_bytes, data, length);
    body->received_bytes += (long long)length;
    return 0;
}

static void write_back(struct http_body *body)
{
    long long count = body->received_bytes - body->written_back;
    if (count < WRITE_BACK_BYTES)
        return;
    /* Behind what was written last; where this fails, fsync has it all to do. */
    off_t end = lseek(body->file, 0, SEEK_CUR);
    if (end >= count)
        sync_file_range(body->file, end - count, count, SYNC_FILE_RANGE_WRITE);
    body->written_back = body->received_bytes;
}

/* What is in the file is in the hashes and is counted, also when the disk is full in between. */
static int take_bytes(struct http_body *body, const char *data, size_t length, struct sys_error *error)
{
    while (length) {
        ssize_t put = write(body->file, data, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return sys_error_set(error, sys_errno_name(errno), "%s", strerror(errno));
        for (int i = 0; i < HTTP_HASHES && body->hashes[i]; i++)
            hash_update(body->hashes[i], data, (size_t)put);
        body->received_bytes += put;
        data += put;
        length -= (size_t)put;
    }
    write_back(body);
    return 0;
}

int http_body_take(struct http_body *body, const char *data, size_t length, struct sys_error *error)
{
    if ((long long)length > body->limit_bytes - body->received_bytes)
        return sys_error_set(error, "ETOOBIG", "more than the allowed %lld bytes came", body->limit_bytes);
    return body->file < 0 ? take_text(body, data, length, error) : take_bytes(body, data, length, error);
}
