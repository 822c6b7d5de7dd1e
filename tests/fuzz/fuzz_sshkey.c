/* Any bytes as a private key file, as the inside of one, and as a public line. What is accepted must come out the same
 * when it is written and read again. */
#include "sshkey.h"

#include <mbedtls/base64.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void try_private(const char *text, size_t length)
{
    struct sshkey key, again;
    struct sys_error error;
    char written[SSHKEY_PRIVATE_BYTES], line[SSHKEY_PUBLIC_BYTES];
    if (sshkey_parse_private(text, length, &key, &error) < 0)
        return;
    size_t written_length = sshkey_write_private(&key, 1, written);
    if (sshkey_parse_private(written, written_length, &again, &error) < 0 || memcmp(&key, &again, sizeof key))
        abort();
    struct sshkey_line parsed;
    if (sshkey_parse_line(line, sshkey_write_line(&key, line), &parsed, &error) < 0)
        abort();
}

/* Random bytes rarely make base64: this reaches the parser behind the armour. */
static void try_body(const uint8_t *data, size_t length)
{
    char text[4096];
    size_t armoured_length = 0;
    char *at = stpcpy(text, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    if (mbedtls_base64_encode((uint8_t *)at, 3000, &armoured_length, data, length))
        return;
    at = stpcpy(at + armoured_length, "\n-----END OPENSSH PRIVATE KEY-----\n");
    try_private(text, (size_t)(at - text));
}

static void try_line(const char *text, size_t length)
{
    struct sshkey_line line;
    struct sys_error error;
    char fingerprint[SSHKEY_FINGERPRINT_BYTES];
    if (!sshkey_parse_line(text, length, &line, &error))
        sshkey_fingerprint(line.blob, line.blob_length, fingerprint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    try_private((const char *)data, length);
    try_body(data, length);
    try_line((const char *)data, length);
    return 0;
}
