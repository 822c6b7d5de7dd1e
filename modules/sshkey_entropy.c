/* Where all of Mbed TLS in this program gets its randomness: the kernel's getrandom. The library's own function of this name
 * stays in its archive: with any C library but glibc it reads /dev/random, which a bare tree lacks and which older kernels
 * block for minutes after boot. */
#include <errno.h>
#include <mbedtls/entropy.h>
#include <sys/random.h>

/* Fills `output`; also the entropy that libssh2 and libcurl ask for. */
int mbedtls_platform_entropy_poll(void *data, unsigned char *output, size_t length, size_t *filled)
{
    (void)data;
    *filled = 0;
    while (*filled < length) {
        ssize_t got = getrandom(output + *filled, length - *filled, 0);
        if (got < 0 && errno != EINTR)
            return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
        *filled += got > 0 ? (size_t)got : 0;
    }
    return 0;
}
