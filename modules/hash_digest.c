/* SHA-256 and SHA-512 by Mbed TLS, which fails only where hardware does the hashing for it: its configuration here excludes
 * that. */
#include "hash.h"

#include <errno.h>
#include <unistd.h>

#define BLOCK_BYTES 65536 /* one read */

void hash_start(struct hash *hash, bool is_sha512)
{
    *hash = (struct hash){ .length = is_sha512 ? 64 : 32 };
    if (is_sha512) {
        mbedtls_sha512_init(&hash->state.sha512);
        mbedtls_sha512_starts(&hash->state.sha512, 0);
    } else {
        mbedtls_sha256_init(&hash->state.sha256);
        mbedtls_sha256_starts(&hash->state.sha256, 0);
    }
}

void hash_update(struct hash *hash, const void *data, size_t length)
{
    if (hash->length == 64)
        mbedtls_sha512_update(&hash->state.sha512, data, length);
    else
        mbedtls_sha256_update(&hash->state.sha256, data, length);
}

void hash_finish(struct hash *hash)
{
    if (hash->is_finished)
        return;
    if (hash->length == 64)
        mbedtls_sha512_finish(&hash->state.sha512, hash->digest);
    else
        mbedtls_sha256_finish(&hash->state.sha256, hash->digest);
    hash->is_finished = true;
}

long long hash_update_from(struct hash *hash, int fd, long long limit)
{
    unsigned char block[BLOCK_BYTES];
    long long done = 0;
    while (done < limit) {
        size_t wanted = limit - done < BLOCK_BYTES ? (size_t)(limit - done) : BLOCK_BYTES;
        ssize_t got = read(fd, block, wanted);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && !(errno == EAGAIN && done > 0))
            return -errno;
        if (got <= 0)
            break;
        hash_update(hash, block, (size_t)got);
        done += got;
    }
    return done;
}
