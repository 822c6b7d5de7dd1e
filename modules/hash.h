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

/* SHA-256 by instructions of x86-64; only where hash_has_sha_ni(). */
struct hash_ni {
    uint32_t state[8];
    uint64_t total_bytes;
    unsigned char block[64]; /* what has not been taken yet */
};

struct hash {
    size_t length; /* of the digest in bytes */
    bool is_finished;
    bool is_ni;
    union {
        struct hash_ni ni;
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

bool hash_has_sha_ni(void);
void hash_ni_start(struct hash_ni *hash);
void hash_ni_update(struct hash_ni *hash, const unsigned char *data, size_t length);
void hash_ni_finish(struct hash_ni *hash, unsigned char digest[32]);

#endif
