/* HTTP transfers: libcurl's multi interface, with its sockets and timers on one epoll descriptor. */
#include "http.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

const struct http_transfer http_closed = { .epoll = -1, .timer = -1, .tick = -1, .body = { .file = -1 } };

/* -- callbacks of libcurl ------------------------------------------------------------------------------------------ */

static int on_socket(CURL *easy, curl_socket_t socket, int wanted, void *context, void *known)
{
    const struct http_transfer *transfer = context;
    struct epoll_event event = { .data.fd = socket };
    (void)easy, (void)known;
    if (wanted == CURL_POLL_REMOVE) {
        epoll_ctl(transfer->epoll, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    event.events = (wanted & CURL_POLL_IN ? EPOLLIN : 0) | (wanted & CURL_POLL_OUT ? EPOLLOUT : 0);
    int got = epoll_ctl(transfer->epoll, EPOLL_CTL_MOD, socket, &event);
    return got < 0 && errno == ENOENT ? epoll_ctl(transfer->epoll, EPOLL_CTL_ADD, socket, &event) : got;
}

static int set_timer(int timer, long milliseconds, bool is_repeated)
{
    struct itimerspec when = { .it_value = { milliseconds / 1000, milliseconds % 1000 * 1000000 } };
    if (is_repeated)
        when.it_interval = when.it_value;
    return timerfd_settime(timer, 0, &when, NULL);
}

/* -1: no timer; 0: at once, which is the shortest time that does not disarm. */
static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    const struct http_transfer *transfer = context;
    struct itimerspec at_once = { .it_value = { 0, 1 } };
    (void)multi;
    if (!timeout_ms)
        return timerfd_settime(transfer->timer, 0, &at_once, NULL);
    return set_timer(transfer->timer, timeout_ms < 0 ? 0 : timeout_ms, false);
}

static size_t on_line(char *line, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    if (http_head_line(&transfer->head, line, size * count))
        return size * count;
    sys_error_set(&transfer->refusal, "EPROTO", "the head of the answer is larger than %d lines or %d KiB",
                  HTTP_HEAD_LINES, HTTP_HEAD_BYTES >> 10);
    return CURL_WRITEFUNC_ERROR;
}

static size_t on_data(char *data, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    if (!transfer->is_accepted) {
        transfer->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    int got = http_body_take(&transfer->body, data, size * count, &transfer->refusal);
    return got < 0 ? CURL_WRITEFUNC_ERROR : size * count;
}

static curl_socket_t on_connect(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_transfer *transfer = context;
    (void)purpose;
    if (transfer->is_public_only && http_is_near(&address->addr)) {
        sys_error_set(&transfer->refusal, "EREDIRECT", "it leads to an address of this host or its link");
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* -- results ------------------------------------------------------------------------------------------------------- */

static const struct outcome {
    CURLcode result;
    const char *code;
} outcomes[] = {
    { CURLE_COULDNT_RESOLVE_HOST, "ERESOLVE" },    { CURLE_COULDNT_RESOLVE_PROXY, "ERESOLVE" },
    { CURLE_COULDNT_CONNECT, "ECONNECT" },         { CURLE_OPERATION_TIMEDOUT, "ETIMEDOUT" },
    { CURLE_SSL_CONNECT_ERROR, "ETLS" },           { CURLE_PEER_FAILED_VERIFICATION, "ETLS" },
    { CURLE_SSL_CACERT_BADFILE, "ETLS" },          { CURLE_SSL_CERTPROBLEM, "ETLS" },
    { CURLE_SSL_CIPHER, "ETLS" },                  { CURLE_PARTIAL_FILE, "ETRUNCATED" },
    { CURLE_GOT_NOTHING, "ECONNRESET" },           { CURLE_RECV_ERROR, "ECONNRESET" },
    { CURLE_SEND_ERROR, "ECONNRESET" },            { CURLE_OUT_OF_MEMORY, "ENOMEM" },
    { CURLE_URL_MALFORMAT, "EINVAL" },             { CURLE_TOO_LARGE, "EPROTO" },
    { CURLE_BAD_FUNCTION_ARGUMENT, "EINVAL" },     { CURLE_PROXY, "EPROXY" },
};

static const char *code_of(CURLcode result)
{
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++)
        if (outcomes[i].result == result)
            return outcomes[i].code;
    return "EPROTO";
}

static int fail(const struct http_transfer *transfer, CURLcode result, struct sys_error *error)
{
    if (*transfer->refusal.code) {
        *error = transfer->refusal;
        return -1;
    }
    long proxy_status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    return sys_error_set(error, proxy_status >= 300 ? "EPROXY" : code_of(result), "%s",
                         *transfer->reason ? transfer->reason : curl_easy_strerror(result));
}

/* -- opening and closing ------------------------------------------------------------------------------------------- */

static int watch(const struct http_transfer *transfer, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    return epoll_ctl(transfer->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int open_descriptors(struct http_transfer *transfer, long tick_ms)
{
    transfer->epoll = epoll_create1(EPOLL_CLOEXEC);
    transfer->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    transfer->tick = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (transfer->epoll < 0 || transfer->timer < 0 || transfer->tick < 0 || watch(transfer, transfer->timer) < 0 ||
        watch(transfer, transfer->tick) < 0 || set_timer(transfer->tick, tick_ms, true) < 0)
        return -errno;
    return 0;
}

static void set_callbacks(struct http_transfer *transfer)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_connect);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_multi_setopt(transfer->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(transfer->multi, CURLMOPT_SOCKETDATA, transfer);
    curl_multi_setopt(transfer->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(transfer->multi, CURLMOPT_TIMERDATA, transfer);
    /* Closing does not wait for a name server: its thread ends by itself. */
    curl_multi_setopt(transfer->multi, CURLMOPT_QUICK_EXIT, 1l);
}

static int start(struct http_transfer *transfer, const struct http_request *request, struct sys_error *error)
{
    int opened = open_descriptors(transfer, request->tick_ms);
    if (opened < 0)
        return sys_error_set(error, sys_errno_name(-opened), "http: %s", strerror(-opened));
    transfer->easy = curl_easy_init();
    transfer->multi = curl_multi_init();
    if (!transfer->easy || !transfer->multi)
        return sys_error_set(error, "ENOMEM", "http: no memory for a transfer");
    set_callbacks(transfer);
    CURLcode got = http_set_options(transfer, request);
    if (got)
        return fail(transfer, got, error);
    CURLMcode added = curl_multi_add_handle(transfer->multi, transfer->easy);
    return added ? sys_error_set(error, "EIO", "http: %s", curl_multi_strerror(added)) : 0;
}

int http_open(struct http_transfer *transfer, const struct http_request *request, struct sys_error *error)
{
    transfer->is_public_only = request->is_public_only;
    int got = start(transfer, request, error);
    if (got < 0)
        http_close(transfer);
    return got;
}

static void close_fd(int *fd)
{
    int number = sys_steal_fd(fd);
    if (number >= 0)
        close(number);
}

void http_close(struct http_transfer *transfer)
{
    if (transfer->easy && transfer->multi)
        curl_multi_remove_handle(transfer->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    curl_multi_cleanup(transfer->multi);
    curl_slist_free_all(transfer->fields);
    free(transfer->head.text);
    free(transfer->body.text);
    close_fd(&transfer->body.file);
    close_fd(&transfer->epoll);
    close_fd(&transfer->timer);
    close_fd(&transfer->tick);
    *transfer = http_closed;
}

/* -- running ------------------------------------------------------------------------------------------------------- */

static void note_end(struct http_transfer *transfer)
{
    int left;
    const CURLMsg *message = curl_multi_info_read(transfer->multi, &left);
    if (!message || message->msg != CURLMSG_DONE)
        return;
    transfer->is_done = true;
    transfer->result = message->data.result;
}

static void act(struct http_transfer *transfer, const struct epoll_event *event)
{
    int fd = event->data.fd, running;
    uint64_t times;
    int mask = (event->events & EPOLLIN ? CURL_CSELECT_IN : 0) | (event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    if (fd != transfer->timer && fd != transfer->tick) {
        curl_multi_socket_action(transfer->multi, fd, mask, &running);
        return;
    }
    if (read(fd, &times, sizeof times) == sizeof times && fd == transfer->timer)
        curl_multi_socket_action(transfer->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

/* One round: what is ready now. */
static void run(struct http_transfer *transfer)
{
    struct epoll_event events[8];
    int count = epoll_wait(transfer->epoll, events, sizeof events / sizeof events[0], 0);
    for (int i = 0; i < count; i++)
        act(transfer, &events[i]);
    if (!transfer->is_done)
        note_end(transfer);
}

int http_run_head(struct http_transfer *transfer, struct sys_error *error)
{
    if (!transfer->is_done && !transfer->head.is_complete)
        run(transfer);
    if (transfer->head.is_complete)
        return 0;
    if (!transfer->is_done)
        return -EAGAIN;
    return fail(transfer, transfer->result ? transfer->result : CURLE_GOT_NOTHING, error);
}

int http_accept(struct http_transfer *transfer, const struct http_body *body, long long offset, struct sys_error *error)
{
    transfer->body = *body;
    if (body->file >= 0) {
        transfer->body.file = fcntl(body->file, F_DUPFD_CLOEXEC, 3);
        if (transfer->body.file < 0 || ftruncate(transfer->body.file, offset) < 0 ||
            lseek(transfer->body.file, offset, SEEK_SET) < 0)
            return sys_error_set(error, sys_errno_name(errno), "%s", strerror(errno));
    }
    transfer->is_accepted = true;
    if (!transfer->is_paused || transfer->is_done)
        return 0;
    CURLcode got = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    return got ? fail(transfer, got, error) : 0;
}

int http_run_body(struct http_transfer *transfer, struct sys_error *error)
{
    if (!transfer->is_done)
        run(transfer);
    if (!transfer->is_done)
        return -EAGAIN;
    return transfer->result ? fail(transfer, transfer->result, error) : 0;
}
