/* Hashes that grow piece by piece; without Lua, so that what arrives can be hashed where it arrives. */
#ifndef HOLOS_HASH_H
#define HOLOS_HASH_H

#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Userdata of this name is a struct hash. */
#define HASHER "sys.hasher"
#define HASH_BYTES 64 /* of the longest: SHA-512 */

struct hash {
    size_t length; /* of the digest in bytes */
    bool is_finished;
    union {
        mbedtls_sha256_context sha256;
        mbedtls_sha512_context sha512;
    } state;
    unsigned char digest[HASH_BYTES];
};

void hash_start(struct hash *hash, bool is_sha512);
void hash_update(struct hash *hash, const void *data, size_t length);
/* Fills `digest`; once is enough. */
void hash_finish(struct hash *hash);
/* Hashes up to `limit` bytes from `fd` and gives how many; 0 at the end. -EAGAIN when there is nothing yet. */
long long hash_update_from(struct hash *hash, int fd, long long limit);

#endif
