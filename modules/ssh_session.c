/* SSH sessions: methods, handshake, public key authentication, the end. */
#include "ssh.h"
#include "sshkey.h"

#include <fcntl.h>
#include <mbedtls/base64.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* -- results ------------------------------------------------------------------------------------------------------- */

static const char *code_of(int result)
{
    switch (result) {
    case LIBSSH2_ERROR_AUTHENTICATION_FAILED:
    case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
        return "EAUTH";
    case LIBSSH2_ERROR_CHANNEL_FAILURE:
    case LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED:
    case LIBSSH2_ERROR_REQUEST_DENIED:
        return "EPERM";
    case LIBSSH2_ERROR_ALLOC:
        return "ENOMEM";
    default:
        return "EPROTO";
    }
}

static int lost(const struct ssh_session *session, const char *what, struct sys_error *error)
{
    if (*session->farewell)
        return sys_error_set(error, "ECONNRESET", "%s: the server ended the connection: %s", what, session->farewell);
    if (session->lost_errno == ENODATA)
        return sys_error_set(error, "ECONNRESET", "%s: the server closed the connection", what);
    return sys_error_set(error, "ECONNRESET", "%s: connection lost: %s", what, strerror(session->lost_errno));
}

int ssh_end(struct ssh_session *session, ssize_t result, const char *what, struct sys_error *error)
{
    ssh_flush(session);
    if (result >= 0)
        return (int)result;
    if (result == LIBSSH2_ERROR_KEX_FAILURE)
        return sys_error_set(error, "EPROTO", "%s: no algorithms in common; the server needs a host key of ECDSA P-256",
                             what);
    if (session->is_lost)
        return lost(session, what, error);
    if (session->is_flooded)
        return sys_error_set(error, "EMSGSIZE", "%s: the server sent too much before authentication", what);
    if (result == LIBSSH2_ERROR_EAGAIN)
        return -EAGAIN;
    char *reason = NULL;
    libssh2_session_last_error(session->raw, &reason, NULL, 0);
    return sys_error_set(error, code_of((int)result), "%s: %s (libssh2 %d)", what,
                         reason && *reason ? reason : "failed", (int)result);
}

/* -- opening and closing ------------------------------------------------------------------------------------------- */

/* What both sides may agree on, best first. The host keys are ours, so they have one type; ChaCha20 is the fastest
 * cipher of this libssh2 by far; no SHA-1, no CBC. */
static const struct method {
    int type;
    const char *names;
} methods[] = {
    { LIBSSH2_METHOD_KEX, "ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
                          "diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,"
                          "diffie-hellman-group18-sha512" },
    { LIBSSH2_METHOD_HOSTKEY, "ecdsa-sha2-nistp256" },
    { LIBSSH2_METHOD_CRYPT_CS, "chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr" },
    { LIBSSH2_METHOD_CRYPT_SC, "chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr" },
    { LIBSSH2_METHOD_MAC_CS, "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,"
                             "hmac-sha2-512" },
    { LIBSSH2_METHOD_MAC_SC, "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,"
                             "hmac-sha2-512" },
    { LIBSSH2_METHOD_COMP_CS, "none" },
    { LIBSSH2_METHOD_COMP_SC, "none" },
};

static int prefer_methods(struct ssh_session *session, struct sys_error *error)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        /* An unsupported list would leave the defaults in place, with everything in them. */
        if (libssh2_session_method_pref(session->raw, methods[i].type, methods[i].names))
            return sys_error_set(error, "ENOTSUP", "ssh: libssh2 supports none of %s", methods[i].names);
    return 0;
}

int ssh_session_open(struct ssh_session *session, int fd, struct sys_error *error)
{
    session->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (session->fd < 0)
        return sys_error_set(error, sys_errno_name(errno), "ssh: %s", strerror(errno));
    /* Keys and small packets go at once; another kind of socket has no such delay. */
    setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    /* Counted by libssh2: undone in ssh_session_close. */
    int got = libssh2_init(0) ? sys_error_set(error, "EIO", "ssh: libssh2 has no entropy") : 0;
    if (!got && !(session->raw = ssh_transport_new(session))) {
        libssh2_exit();
        got = sys_error_set(error, "ENOMEM", "ssh: no memory for a session");
    }
    if (!got)
        got = prefer_methods(session, error);
    if (got)
        ssh_session_close(session);
    return got;
}

void ssh_session_close(struct ssh_session *session)
{
    session->is_ending = true; /* so that nothing waits for the server */
    if (session->raw) {
        libssh2_session_free(session->raw);
        session->raw = NULL;
        libssh2_exit();
    }
    free(session->out);
    session->out = NULL;
    session->out_from = session->out_to = session->out_size = 0;
    if (session->fd >= 0)
        close(session->fd);
    session->fd = -1;
}

int ssh_session_handshake(struct ssh_session *session, struct sys_error *error)
{
    ssh_begin(session);
    return ssh_end(session, libssh2_session_handshake(session->raw, session->fd), "ssh handshake", error);
}

int ssh_session_host_key(const struct ssh_session *session, char line[SSH_HOST_KEY_BYTES])
{
    size_t length = 0, base64_length;
    int type;
    const uint8_t *blob = (const uint8_t *)libssh2_session_hostkey(session->raw, &length, &type);
    if (!blob || length < 4 || length > SSHKEY_BLOB_BYTES)
        return -EINVAL;
    size_t type_length = (size_t)blob[2] << 8 | blob[3];
    if (blob[0] || blob[1] || type_length > length - 4 || memchr(blob + 4, '\0', type_length))
        return -EINVAL;
    char *at = mempcpy(line, blob + 4, type_length);
    *at++ = ' ';
    size_t size = SSH_HOST_KEY_BYTES - (size_t)(at - line);
    return mbedtls_base64_encode((uint8_t *)at, size, &base64_length, blob, length) ? -EINVAL : 0;
}

int ssh_session_disconnect(struct ssh_session *session, struct sys_error *error)
{
    ssh_begin(session);
    int result = libssh2_session_disconnect(session->raw, "done");
    int got = ssh_end(session, result, "ssh disconnect", error);
    return !got && ssh_pending_bytes(session) ? -EAGAIN : got;
}

int ssh_session_keepalive(struct ssh_session *session, struct sys_error *error)
{
    ssh_begin(session);
    libssh2_keepalive_config(session->raw, 1, 2);
    return ssh_end(session, libssh2_keepalive_send(session->raw, NULL), "ssh keepalive", error);
}

/* -- authentication ------------------------------------------------------------------------------------------------ */

/* Two mpints with a sign byte each. */
#define SIGNATURE_BYTES (4 + 1 + SSHKEY_SCALAR_BYTES + 4 + 1 + SSHKEY_SCALAR_BYTES)

struct signer {
    struct ssh_session *session;
    const struct sshkey *key;
};

/* An mpint of the SSH protocol: gives the end of what was written. */
static uint8_t *put_mpint(uint8_t *at, const uint8_t number[SSHKEY_SCALAR_BYTES])
{
    size_t from = 0;
    while (from < SSHKEY_SCALAR_BYTES && !number[from])
        from++;
    size_t count = SSHKEY_SCALAR_BYTES - from;
    bool is_padded = count > 0 && number[from] & 0x80;
    memset(at, 0, 5);
    at[3] = (uint8_t)(count + is_padded);
    return mempcpy(at + 4 + is_padded, number + from, count);
}

/* Signs the authentication request: RFC 5656, 3.1.2. libssh2 frees the signature. */
static LIBSSH2_USERAUTH_PUBLICKEY_SIGN_FUNC(on_sign)
{
    const struct signer *signer = *abstract;
    uint8_t r[SSHKEY_SCALAR_BYTES], s[SSHKEY_SCALAR_BYTES];
    (void)session;
    if (sshkey_sign(signer->key, data, data_len, r, s) < 0)
        return -1;
    *sig = ssh_allocate(signer->session, SIGNATURE_BYTES);
    if (!*sig)
        return -1;
    *sig_len = (size_t)(put_mpint(put_mpint(*sig, r), s) - *sig);
    return 0;
}

/* Reads the halves of a pair; gives 0, or -1 with `error` filled. */
static int read_pair(const struct ssh_credentials *credentials, struct sshkey_line *line, struct sshkey *key,
                     struct sys_error *error)
{
    if (sshkey_parse_line(credentials->public_text, credentials->public_length, line, error) < 0 ||
        sshkey_parse_private(credentials->private_text, credentials->private_length, key, error) < 0)
        return -1;
    if (line->blob_length >= sizeof key->point &&
        !memcmp(line->blob + line->blob_length - sizeof key->point, key->point, sizeof key->point))
        return 0;
    sshkey_wipe(key, sizeof *key);
    return sys_error_set(error, "EINVAL", "the public key does not belong to the private key");
}

int ssh_session_authenticate(struct ssh_session *session, const struct ssh_credentials *credentials,
                             struct sys_error *error)
{
    struct sshkey_line line;
    struct sshkey key;
    if (read_pair(credentials, &line, &key, error) < 0)
        return -1;
    struct signer signer = { .session = session, .key = &key };
    void *abstract = &signer;
    ssh_begin(session);
    int result = libssh2_userauth_publickey(session->raw, credentials->user, line.blob, line.blob_length, on_sign,
                                            &abstract);
    sshkey_wipe(&key, sizeof key);
    session->is_authenticated = result == 0;
    return ssh_end(session, result, "ssh authentication", error);
}
