/* SSH sessions that never block, over libssh2, without lua.h.
 *
 * libssh2 keeps the half-sent rest of a packet in the session and fails when another call comes in between, so what the
 * socket does not take is kept here and libssh2 always sees a packet as sent. What comes in is bounded for each call,
 * each session and before authentication; the memory that libssh2 holds is bounded and wiped.
 *
 * Operations give >= 0, or -EAGAIN when ssh_direction() has to be waited for, or -1 with `error` filled: ECONNRESET (
 * the connection is lost), EAUTH, EPERM (the server refuses a request), ENOMEM (too much unread data), EMSGSIZE (too
 * much before authentication), EPROTO. */
#ifndef HOLOS_SSH_H
#define HOLOS_SSH_H

#include "sys.h"

#include <libssh2.h>

#define SSH_HOST_KEY_BYTES 12288 /* a line with the longest key that sshkey.h reads */

struct ssh_session {
    LIBSSH2_SESSION *raw; /* NULL when closed */
    int fd;               /* our own duplicate, -1 when closed */
    size_t memory_bytes; /* held by libssh2 */
    uint8_t *out; /* what the socket did not take yet: out_from .. out_to of out_size */
    size_t out_from, out_to, out_size;
    uint64_t received_bytes;
    size_t budget_bytes; /* what this call may still receive */
    int lost_errno;      /* why the connection is lost; ENODATA: closed by the server */
    bool is_lost, is_flooded, is_ending, is_authenticated;
    char farewell[160]; /* what the server said in its disconnect message, printable ASCII */
};

struct ssh_credentials {
    const char *user; /* a text ended by NUL */
    const char *public_text, *private_text;
    size_t public_length, private_length;
};

struct ssh_channel {
    struct ssh_session *session;
    LIBSSH2_CHANNEL *raw; /* NULL when closed; freed with the session */
    int status;           /* -1: not received */
    char signal[32];      /* "" when not killed by one */
};

/* -- ssh_transport.c: memory, bytes in and out --------------------------------------------------------------------- */

/* Zeroed memory that libssh2 may free. */
void *ssh_allocate(struct ssh_session *session, size_t size);
/* Gives a new session whose memory, sends and receives go through `session`, or NULL. */
LIBSSH2_SESSION *ssh_transport_new(struct ssh_session *session);
/* Comes before every call of libssh2: sends what is kept back, grants the bytes that the call may receive. */
void ssh_begin(struct ssh_session *session);
/* Sends what is kept back as far as the socket takes it. */
void ssh_flush(struct ssh_session *session);
size_t ssh_pending_bytes(const struct ssh_session *session);
/* "r", or "rw" while something is kept back. */
const char *ssh_direction(const struct ssh_session *session);

/* -- ssh_session.c ------------------------------------------------------------------------------------------------- */

/* Comes after every call of libssh2 and turns its result into one of ours; `what` names the call in messages. */
int ssh_end(struct ssh_session *session, ssize_t result, const char *what, struct sys_error *error);

int ssh_session_open(struct ssh_session *session, int fd, struct sys_error *error);
void ssh_session_close(struct ssh_session *session);
int ssh_session_handshake(struct ssh_session *session, struct sys_error *error);
/* Writes the server's proven host key as a public line; gives 0, or -EINVAL when there is none: before the handshake and
 * after authentication. */
int ssh_session_host_key(const struct ssh_session *session, char line[SSH_HOST_KEY_BYTES]);
/* Also gives -1 with EINVAL when the two texts are no pair of keys. */
int ssh_session_authenticate(struct ssh_session *session, const struct ssh_credentials *credentials,
                             struct sys_error *error);
int ssh_session_disconnect(struct ssh_session *session, struct sys_error *error);
int ssh_session_keepalive(struct ssh_session *session, struct sys_error *error);

/* -- ssh_channel.c ------------------------------------------------------------------------------------------------- */

int ssh_channel_open(struct ssh_channel *channel, struct sys_error *error);
/* Gives the number of bytes, 0 at the end of the stream. */
int ssh_channel_read(struct ssh_channel *channel, int stream, char *space, size_t size, struct sys_error *error);
int ssh_channel_write(struct ssh_channel *channel, const char *text, size_t length, struct sys_error *error);
/* Closes both sides and keeps how the command ended. */
int ssh_channel_close(struct ssh_channel *channel, struct sys_error *error);
/* Fills status and signal from what the server has sent so far. */
void ssh_channel_note_exit(struct ssh_channel *channel);

/* -- ssh_private.c ------------------------------------------------------------------------------------------------- */

/* Makes libssh2 report the exit status -1 until the server has sent one. */
void ssh_forget_status(LIBSSH2_CHANNEL *raw);
/* Frees the host key that the last key exchange left. */
void ssh_drop_host_key(LIBSSH2_SESSION *raw);

#endif
