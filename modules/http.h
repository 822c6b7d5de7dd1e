/* HTTP transfers by libcurl that never block: mechanism of sys.http.
 *
 * A transfer is one request and its answer. Its sockets and timers hang on one epoll descriptor, so that who waits has one
 * descriptor to wait for. It stops at the end of the answer's head until it is told where the body goes: whoever asks
 * decides by status and fields, and no byte of a body lands anywhere before. */
#ifndef HOLOS_HTTP_H
#define HOLOS_HTTP_H

/* Its checks of types make hundreds of statements of each option. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <stdbool.h>

#include "hash.h"
#include "sys.h"

enum {
    HTTP_HEAD_BYTES = 64 << 10, /* of all lines of a head together */
    HTTP_HEAD_LINES = 200,
    HTTP_HASHES = 2, /* that a body can feed */
};

/* The answer's status and fields; heads of 1xx answers before it are dropped, but count. */
struct http_head {
    int status;
    bool is_complete;
    int lines;
    size_t seen_bytes;
    char *text; /* the fields as "Name: value\n", one after the other */
    size_t length;
};

/* Where a body goes: into a file, or when that is -1 into memory. */
struct http_body {
    int file;
    struct hash *hashes[HTTP_HASHES]; /* of what goes into the file; NULL at the end */
    long long limit_bytes;            /* of the body alone */
    long long received_bytes;
    long long written_back; /* up to here the disk has been asked to write */
    char *text;
    size_t text_size;
};

struct http_transfer {
    CURL *easy; /* NULL: closed */
    CURLM *multi;
    struct curl_slist *fields;
    int epoll, timer, tick;
    bool is_accepted, is_paused, is_done;
    bool is_public_only;
    CURLcode result;
    struct sys_error refusal; /* why a callback ended it; no code: none did */
    struct http_head head;
    struct http_body body;
    char reason[CURL_ERROR_SIZE];
};

struct http_request {
    const char *url;
    const char *range;    /* "bytes=100-" */
    const char *if_range; /* an entity tag or a date */
    const char *if_none_match, *if_modified_since; /* one of them */
    const char *ca_file, *ca_directory;
    const char *proxy, *no_proxy; /* "" is none; the environment is not looked at */
    const char *user_agent;
    long connect_timeout_ms;
    long tick_ms;        /* the descriptor is ready at least so often */
    bool is_plain_allowed; /* http: beside https: */
    bool is_public_only; /* no connections to this host and its link */
    CURLSH *connections; /* where one that is open may be taken from, and is left for the next request; NULL: none */
};

extern const struct http_transfer http_closed;

/* All give 0, -EAGAIN, or -1 with `error` filled. A transfer to open is closed, and stays so when that fails. */
int http_open(struct http_transfer *transfer, const struct http_request *request, struct sys_error *error);
/* Until the head is there. */
int http_run_head(struct http_transfer *transfer, struct sys_error *error);
/* Tells where the body goes: at `offset` of `body->file`, which is cut there. The file is duplicated. */
int http_accept(struct http_transfer *transfer, const struct http_body *body, long long offset, struct sys_error *error);
/* Until the body is there as a whole. */
int http_run_body(struct http_transfer *transfer, struct sys_error *error);
/* At once; idempotent. */
void http_close(struct http_transfer *transfer);

/* Takes one line of a head; false when there are too many. */
bool http_head_line(struct http_head *head, const char *line, size_t length);
/* Takes a piece of the body; 0 or -1 with `error` filled. */
int http_body_take(struct http_body *body, const char *data, size_t length, struct sys_error *error);
/* Sets all options on transfer->easy. */
CURLcode http_set_options(struct http_transfer *transfer, const struct http_request *request);

/* -- URLs, as libcurl reads them ----------------------------------------------------------------------------------- */

enum { HTTP_URL_BYTES = 8 << 10 };

struct http_url {
    char url[HTTP_URL_BYTES]; /* without the user */
    char scheme[16], host[256], port[8];
    bool has_user, is_near;
};

/* Reads `text`, relative to `base` unless that is NULL; 0 or -1 with `error` filled. */
int http_url_read(struct http_url *url, const char *text, const char *base, struct sys_error *error);
/* Whether an address is of this host or its link alone: loopback, link-local, unspecified. */
bool http_is_near(const struct sockaddr *address);
/* The same for an address in numbers, with or without brackets, and for "localhost". */
bool http_is_near_host(const char *host);

#endif
