/* Where all of Mbed TLS in this program gets its randomness: the kernel's getrandom. The library's own function of this name
 * stays in its archive: with any C library but glibc it reads /dev/random, which a bare tree lacks and which older kernels
 * block for minutes after boot. */
#include <mbedtls/entropy.h>

#include "sys.h"

/* Fills `output`; also the entropy that libssh2 and libcurl ask for. */
int mbedtls_platform_entropy_poll(void *data, unsigned char *output, size_t length, size_t *filled)
{
    (void)data;
    bool failed = sys_random(output, length) < 0;
    *filled = failed ? 0 : length;
    return failed ? MBEDTLS_ERR_ENTROPY_SOURCE_FAILED : 0;
}
