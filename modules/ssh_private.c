/* The looks behind libssh2's interface: it cannot tell "ended with status 0" from "never said how it ended", and loses the
 * memory of the host key each time that session keys are renewed. */
#define HAVE_CONFIG_H
#include <../src/libssh2_priv.h>

#include "ssh.h"

void ssh_forget_status(LIBSSH2_CHANNEL *raw)
{
    raw->exit_status = -1;
}

void ssh_drop_host_key(LIBSSH2_SESSION *raw)
{
    if (!raw->server_hostkey || raw->state & LIBSSH2_STATE_EXCHANGING_KEYS)
        return;
    LIBSSH2_FREE(raw, raw->server_hostkey);
    raw->server_hostkey = NULL;
    raw->server_hostkey_len = 0;
}
