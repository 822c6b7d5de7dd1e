/* What a server may say: the input is a head, line by line, then a URL relative to another, then a body in pieces. Whatever
 * comes, the limits hold, and what is kept has the form that readers count on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

static void require(int truth)
{
    if (!truth)
        abort();
}

static void take_head(const char *text, size_t size)
{
    struct http_head head = { 0 };
    bool is_fine = true;
    for (size_t at = 0; is_fine && at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at + 1 : size - at;
        is_fine = http_head_line(&head, text + at, length);
        at += length;
        require(head.length <= HTTP_HEAD_BYTES && head.lines <= HTTP_HEAD_LINES + 1);
        require(!head.length || head.text[head.length - 1] == '\n');
        require(!head.is_complete || head.status >= 200);
    }
    free(head.text);
}

static void take_url(const char *text, size_t size)
{
    static struct http_url url, again;
    struct sys_error error;
    char *copy = strndup(text, size);
    if (!http_url_read(&url, copy, "https://example.org/a/b?c", &error)) {
        /* What was read stands for itself, and is judged the same. */
        if (!http_url_read(&again, url.url, NULL, &error))
            require(!again.has_user && !strcmp(again.host, url.host) && again.is_near == url.is_near);
    }
    free(copy);
}

static void take_body(const char *text, size_t size, size_t piece)
{
    struct http_body body = { .file = -1, .limit_bytes = (long long)size / 2 };
    struct sys_error error;
    int got = 0;
    for (size_t at = 0; !got && at < size; at += piece)
        got = http_body_take(&body, text + at, size - at < piece ? size - at : piece, &error);
    require(body.received_bytes <= body.limit_bytes);
    require(!body.received_bytes || !memcmp(body.text, text, (size_t)body.received_bytes));
    require(!size || got);
    free(body.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    const char *text = (const char *)data + 1;
    size--;
    if (data[0] & 1)
        take_head(text, size);
    else if (data[0] & 2)
        take_url(text, size);
    else
        take_body(text, size, 1 + data[0]);
    return 0;
}
