/* Channels of SSH sessions: a command or a shell, its streams, its end. */
#include "ssh.h"

#include <stdio.h>
#include <string.h>

/* More waits in our own buffer before the socket has taken this. */
#define UNSENT_LIMIT_BYTES (128u << 10)

int ssh_channel_open(struct ssh_channel *channel, struct sys_error *error)
{
    struct ssh_session *session = channel->session;
    ssh_begin(session);
    channel->raw = libssh2_channel_open_session(session->raw);
    int result = channel->raw ? 0 : libssh2_session_last_errno(session->raw);
    channel->status = -1;
    if (channel->raw)
        ssh_forget_status(channel->raw);
    return ssh_end(session, channel->raw || result ? result : LIBSSH2_ERROR_PROTO, "ssh channel", error);
}

/* libssh2 gives 0 for "nothing now" as well as for the end, and hides the end while the other stream has data. */
int ssh_channel_read(struct ssh_channel *channel, int stream, char *space, size_t size, struct sys_error *error)
{
    ssh_begin(channel->session);
    ssize_t result = libssh2_channel_read_ex(channel->raw, stream, space, size);
    if (!result)
        result = libssh2_channel_wait_eof(channel->raw);
    if (!result)
        result = libssh2_channel_read_ex(channel->raw, stream, space, size);
    return ssh_end(channel->session, result, "ssh read", error);
}

int ssh_channel_write(struct ssh_channel *channel, const char *text, size_t length, struct sys_error *error)
{
    ssh_begin(channel->session);
    ssize_t result = LIBSSH2_ERROR_EAGAIN;
    if (ssh_pending_bytes(channel->session) < UNSENT_LIMIT_BYTES)
        result = libssh2_channel_write_ex(channel->raw, 0, text, length);
    return ssh_end(channel->session, result ? result : LIBSSH2_ERROR_EAGAIN, "ssh write", error);
}

/* A signal's name in capitals, without SIG: RFC 4254, 6.10. Anything else in it comes from a hostile server. */
static void note_signal(struct ssh_channel *channel, const char *name)
{
    snprintf(channel->signal, sizeof channel->signal, "%s", name);
    if (!*channel->signal || strspn(channel->signal, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != strlen(name))
        strcpy(channel->signal, "UNKNOWN");
}

void ssh_channel_note_exit(struct ssh_channel *channel)
{
    char *name = NULL;
    if (!channel->raw || *channel->signal)
        return;
    channel->status = libssh2_channel_get_exit_status(channel->raw);
    if (libssh2_channel_get_exit_signal(channel->raw, &name, NULL, NULL, NULL, NULL, NULL) || !name)
        return;
    note_signal(channel, name);
    libssh2_free(channel->session->raw, name);
}

int ssh_channel_close(struct ssh_channel *channel, struct sys_error *error)
{
    ssh_begin(channel->session);
    int got = ssh_end(channel->session, libssh2_channel_close(channel->raw), "ssh close", error);
    if (got)
        return got;
    ssh_channel_note_exit(channel);
    libssh2_channel_free(channel->raw);
    channel->raw = NULL;
    return 0;
}
