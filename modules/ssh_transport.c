/* What libssh2 stands on: bounded and wiped memory, a socket that takes everything, receives with a budget. */
#include "ssh.h"

#include <malloc.h>
#include <mbedtls/platform_util.h>
#include <string.h>
#include <sys/socket.h>

/* A channel's window is 2 MiB: this is room for several unread ones in packets of any usual size. */
#define MEMORY_LIMIT_BYTES (64u << 20)
/* What one call takes from the socket at most: some milliseconds of decrypting. */
#define CALL_BUDGET_BYTES (256u << 10)
/* Banner lines, key exchange and greeting together; real servers send about 5 KiB. */
#define GREETING_LIMIT_BYTES (64u << 10)
/* Answers to a server that asks on and on without reading end the connection here. */
#define OUT_LIMIT_BYTES (1u << 20)

/* -- memory -------------------------------------------------------------------------------------------------------- */

/* Plain malloc memory without a header of ours, because libssh2 on Mbed TLS gives some of it back by free(); what is
 * freed so stays counted, some hundred bytes for each key exchange. Zeroed, because libssh2 leaves some of its buffers
 * unfilled when a message is shorter than it says. */
void *ssh_allocate(struct ssh_session *session, size_t size)
{
    if (size > MEMORY_LIMIT_BYTES || session->memory_bytes > MEMORY_LIMIT_BYTES - size)
        return NULL;
    void *memory = calloc(1, size ? size : 1);
    if (memory)
        session->memory_bytes += malloc_usable_size(memory);
    return memory;
}

static void release(struct ssh_session *session, void *memory)
{
    size_t size = malloc_usable_size(memory);
    session->memory_bytes -= size < session->memory_bytes ? size : session->memory_bytes;
    mbedtls_platform_zeroize(memory, size);
    free(memory);
}

static LIBSSH2_ALLOC_FUNC(on_allocate)
{
    return ssh_allocate(*abstract, count);
}

static LIBSSH2_FREE_FUNC(on_free)
{
    if (ptr)
        release(*abstract, ptr);
}

static LIBSSH2_REALLOC_FUNC(on_reallocate)
{
    void *memory = ssh_allocate(*abstract, count);
    if (!ptr || !memory)
        return memory;
    size_t size = malloc_usable_size(ptr);
    memcpy(memory, ptr, size < count ? size : count);
    release(*abstract, ptr);
    return memory;
}

/* -- bytes out ----------------------------------------------------------------------------------------------------- */

size_t ssh_pending_bytes(const struct ssh_session *session)
{
    return session->out_to - session->out_from;
}

const char *ssh_direction(const struct ssh_session *session)
{
    return ssh_pending_bytes(session) ? "rw" : "r";
}

static void lose(struct ssh_session *session, int errnum)
{
    if (!session->is_lost)
        session->lost_errno = errnum;
    session->is_lost = true;
    session->out_from = session->out_to = 0;
}

/* Gives the number of bytes that the socket took, 0 when it takes none now or the connection is lost. */
static size_t send_now(struct ssh_session *session, const uint8_t *bytes, size_t length)
{
    ssize_t sent = send(session->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        lose(session, errno);
    return sent < 0 ? 0 : (size_t)sent;
}

void ssh_flush(struct ssh_session *session)
{
    while (ssh_pending_bytes(session)) {
        size_t sent = send_now(session, session->out + session->out_from, ssh_pending_bytes(session));
        if (!sent)
            return;
        session->out_from += sent;
    }
    session->out_from = session->out_to = 0;
}

static bool keep_back(struct ssh_session *session, const uint8_t *bytes, size_t length)
{
    if (session->out_to + length > OUT_LIMIT_BYTES)
        return false;
    if (session->out_to + length > session->out_size) {
        uint8_t *larger = realloc(session->out, session->out_to + length);
        if (!larger)
            return false;
        session->out = larger;
        session->out_size = session->out_to + length;
    }
    memcpy(session->out + session->out_to, bytes, length);
    session->out_to += length;
    return true;
}

static LIBSSH2_SEND_FUNC(on_send)
{
    struct ssh_session *session = *abstract;
    (void)socket, (void)flags;
    if (session->is_ending)
        return (ssize_t)length;
    ssh_flush(session);
    size_t sent = ssh_pending_bytes(session) ? 0 : send_now(session, buffer, length);
    if (session->is_lost)
        return -EPIPE;
    if (sent < length && !keep_back(session, (const uint8_t *)buffer + sent, length - sent)) {
        lose(session, ENOBUFS);
        return -ENOBUFS;
    }
    return (ssize_t)length;
}

/* -- bytes in ------------------------------------------------------------------------------------------------------ */

static size_t receive_limit(struct ssh_session *session)
{
    if (session->is_authenticated)
        return session->budget_bytes;
    size_t left = session->received_bytes < GREETING_LIMIT_BYTES ? GREETING_LIMIT_BYTES - session->received_bytes : 0;
    session->is_flooded = !left;
    return left < session->budget_bytes ? left : session->budget_bytes;
}

static LIBSSH2_RECV_FUNC(on_receive)
{
    struct ssh_session *session = *abstract;
    (void)socket, (void)flags;
    if (session->is_ending)
        return -EPIPE;
    /* After a loss "try again" lets libssh2 hand out what it has decrypted already; ssh_end() reports the loss. */
    size_t limit = session->is_lost ? 0 : receive_limit(session);
    if (!limit)
        return -EAGAIN;
    ssize_t got = recv(session->fd, buffer, length < limit ? length : limit, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return -EAGAIN;
    if (got <= 0) {
        lose(session, got < 0 ? errno : ENODATA);
        return -EAGAIN;
    }
    session->received_bytes += (uint64_t)got;
    session->budget_bytes -= (size_t)got;
    return got;
}

/* -- the server's last words --------------------------------------------------------------------------------------- */

static LIBSSH2_DISCONNECT_FUNC(on_disconnect)
{
    struct ssh_session *ours = *abstract;
    (void)session, (void)reason, (void)language, (void)language_len;
    size_t count = message && message_len > 0 ? (size_t)message_len : 0, to = 0;
    for (size_t i = 0; i < count && to < sizeof ours->farewell - 1; i++)
        if (message[i] >= ' ' && message[i] < 0x7f)
            ours->farewell[to++] = message[i];
    ours->farewell[to] = '\0';
    lose(ours, ENODATA);
}

void ssh_begin(struct ssh_session *session)
{
    session->budget_bytes = CALL_BUDGET_BYTES;
    if (session->is_authenticated)
        ssh_drop_host_key(session->raw);
    ssh_flush(session);
}

/* libssh2 gives an answer a minute, and looks at the clock only when something else arrives. A guest that is emulated takes longer
 * to open a session; for how long it is waited for is said by run/ssh. */
#define ANSWER_S (24L * 3600)

LIBSSH2_SESSION *ssh_transport_new(struct ssh_session *session)
{
    LIBSSH2_SESSION *raw = libssh2_session_init_ex(on_allocate, on_free, on_reallocate, session);
    if (!raw)
        return NULL;
    libssh2_session_set_blocking(raw, 0);
    libssh2_session_set_read_timeout(raw, ANSWER_S);
    libssh2_session_callback_set2(raw, LIBSSH2_CALLBACK_SEND, (libssh2_cb_generic *)on_send);
    libssh2_session_callback_set2(raw, LIBSSH2_CALLBACK_RECV, (libssh2_cb_generic *)on_receive);
    libssh2_session_callback_set2(raw, LIBSSH2_CALLBACK_DISCONNECT, (libssh2_cb_generic *)on_disconnect);
    return raw;
}
