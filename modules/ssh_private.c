/* The one look behind libssh2's interface: it cannot tell "ended with status 0" from "never said how it ended". */
#define HAVE_CONFIG_H
#include <../src/libssh2_priv.h>

#include "ssh.h"

void ssh_forget_status(LIBSSH2_CHANNEL *raw)
{
    raw->exit_status = -1;
}
