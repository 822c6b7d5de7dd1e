/* ECDSA P-256 keys in OpenSSH's formats, without lua.h. Parsers take any bytes with their length. */
#ifndef HOLOS_SSHKEY_H
#define HOLOS_SSHKEY_H

#include "sys.h"

#define SSHKEY_TYPE "ecdsa-sha2-nistp256" /* RFC 5656, 6.2 */
#define SSHKEY_CURVE "nistp256"           /* RFC 5656, 10.1 */
#define SSHKEY_POINT_BYTES 65             /* SEC 1, 2.3.3: 04, X, Y */
#define SSHKEY_SCALAR_BYTES 32
#define SSHKEY_COMMENT_BYTES 255

/* Sizes of buffers that hold any text or blob made here, NUL included where it is text. */
#define SSHKEY_PRIVATE_BYTES 1536
#define SSHKEY_PUBLIC_BYTES 512
#define SSHKEY_BLOB_BYTES 8192 /* RSA with 16384 bits has a blob of about 2 KiB */
#define SSHKEY_FINGERPRINT_BYTES 64

struct sshkey {
    uint8_t point[SSHKEY_POINT_BYTES];
    uint8_t scalar[SSHKEY_SCALAR_BYTES]; /* big endian; secret */
    char comment[SSHKEY_COMMENT_BYTES + 1];
};

/* A public line of any key type, taken apart; `type` points into the line. */
struct sshkey_line {
    const char *type;
    size_t type_length;
    size_t blob_length;
    uint8_t blob[SSHKEY_BLOB_BYTES];
};

/* -- sshkey_format.c ----------------------------------------------------------------------------------------------- */

/* Reads an unencrypted openssh-key-v1 file into `key`; gives 0, or -1 with `error` filled. Does not check that the two
 * halves belong together. */
int sshkey_parse_private(const char *text, size_t length, struct sshkey *key, struct sys_error *error);

/* Writes the openssh-key-v1 file with its PEM armour; gives the length of the text. `check` is any random number. */
size_t sshkey_write_private(const struct sshkey *key, uint32_t check, char text[SSHKEY_PRIVATE_BYTES]);

/* Reads "type base64 [comment]"; gives 0, or -1 with `error` filled. The type must be the one inside the blob. */
int sshkey_parse_line(const char *text, size_t length, struct sshkey_line *line, struct sys_error *error);

/* Writes "ecdsa-sha2-nistp256 base64 [comment]" without a newline; gives the length of the text. */
size_t sshkey_write_line(const struct sshkey *key, char text[SSHKEY_PUBLIC_BYTES]);

/* Whether `text` can stand in a one-line file: short enough, no control characters. */
bool sshkey_is_comment(const char *text, size_t length);

/* -- sshkey_crypto.c ----------------------------------------------------------------------------------------------- */

/* Makes a new pair with an empty comment and a random `check`; gives 0 or -EIO when there is no entropy. */
int sshkey_generate(struct sshkey *key, uint32_t *check);

/* Gives 0 when the point is on the curve and belongs to the scalar, else -EINVAL, or -EIO. */
int sshkey_check_pair(const struct sshkey *key);

/* Signs SHA-256 of `data`; r and s are big endian. Gives 0 or a negative errno. */
int sshkey_sign(const struct sshkey *key, const void *data, size_t length, uint8_t r[SSHKEY_SCALAR_BYTES],
                uint8_t s[SSHKEY_SCALAR_BYTES]);

/* Writes "SHA256:" and base64 without padding, as ssh-keygen -l does; gives 0 or -EIO. */
int sshkey_fingerprint(const uint8_t *blob, size_t length, char text[SSHKEY_FINGERPRINT_BYTES]);

/* Overwrites secrets in a way that the compiler keeps. */
void sshkey_wipe(void *memory, size_t length);

#endif
